"""The two references that every gradient is held to: torch's autograd and the complex step."""

import numpy as np
import torch

__all__ = ["assert_complex_step", "assert_equals_torch", "leaf", "tensor"]


def tensor(array):
    """Return a torch tensor of the same values, from any memory layout (torch knows no negative strides)."""
    return torch.tensor(np.array(array, order="C", copy=True))


def leaf(array):
    """Return the same as one that collects a gradient (None stays None)."""
    return None if array is None else tensor(array).requires_grad_()


def assert_equals_torch(ours, theirs, name=""):
    """float64: 1e-10 of the largest element, far above the rounding of sums of a few hundred terms and far below any
    fault; and 1e-14 where terms of size 1 to 10 cancel, as in 1 - h^2 of a state near 1. float32: the defaults of
    torch.testing.assert_close.
    """
    theirs = theirs.detach().numpy()
    assert ours.dtype == theirs.dtype, name
    if ours.dtype == np.float64:
        rtol, atol = 1e-10, 1e-10 * float(np.abs(theirs).max(initial=0)) + 1e-14
    else:
        rtol, atol = 1.3e-6, 1e-5
    torch.testing.assert_close(tensor(ours), torch.tensor(theirs), rtol=rtol, atol=atol, msg=lambda m: f"{name}: {m}")


def assert_complex_step(function, tensors, gradients, rng):
    """Check gradients against Im f(x + i h v) / h = grad . v, for one random direction v in each tensor.

    `function` maps a dictionary of complex arrays to a complex number; `tensors` are the real points, in float64, and
    `gradients` what a backward pass says of each. There is no subtraction in the formula, so h = 1e-30 leaves
    rounding alone: 1e-12 of |grad| |v| is a few thousand times that. The floor of 1e-15 |v| is the rounding of terms
    of size 1 that cancel in the gradient itself, as in softmax minus one-hot.
    """
    assert tensors.keys() == gradients.keys()
    h = 1e-30
    for name, tensor in tensors.items():
        v = rng.standard_normal(tensor.shape)
        step = {other: value.astype(complex) for other, value in tensors.items()}
        step[name] = tensor + 1j * h * v
        derivative = np.imag(function(step)) / h
        expected = float(np.sum(gradients[name] * v))
        tolerance = (1e-12 * np.linalg.norm(gradients[name]) + 1e-15) * np.linalg.norm(v)
        error = abs(derivative - expected)
        assert error <= tolerance, f"{name}: complex step {derivative}, backward {expected}"
