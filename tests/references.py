"""The two references for every gradient: torch's autograd and the complex step."""

import numpy as np

from tests.optional import torch, torch_reference

__all__ = [
    "assert_close",
    "assert_complex_step",
    "assert_equals_torch",
    "assert_loss_equals_torch",
    "leaf",
    "make_mirror",
    "tensor",
]


def tensor(array):
    """Return a torch tensor of the same values, from any memory layout (torch knows no negative strides)."""
    return torch.tensor(np.array(array, order="C", copy=True))


def leaf(array):
    """Return a tensor of the same values that collects a gradient (None stays None)."""
    return None if array is None else tensor(array).requires_grad_()


def make_mirror(model):
    """Return the torch model with the same weights."""
    return torch_reference.make_mirror(model)


def assert_close(ours, theirs, name="", equal_nan=False, floor=1e-14):
    """Compare two arrays of one dtype and shape.

    float64: within 1e-10 of the largest finite element, far above the rounding of sums of a few hundred terms and far
    below any fault, plus `floor` where terms of a known size cancel, as in 1 - h^2 for a state near 1. float32: the
    defaults of torch.testing.assert_close.
    """
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), name
    if ours.dtype == np.float64:
        tolerance = {"rtol": 1e-10, "atol": 1e-10 * _largest(theirs) + floor}
    else:
        tolerance = {"rtol": 1.3e-6, "atol": 1e-5}
    np.testing.assert_allclose(ours, theirs, **tolerance, equal_nan=equal_nan, err_msg=name)


def assert_equals_torch(ours, theirs, name="", **options):
    assert_close(ours, theirs.detach().numpy(), name, **options)


def _largest(array):
    return float(np.abs(array[np.isfinite(array)]).max(initial=0))


def assert_loss_equals_torch(criterion, mirror, scores, targets, dloss):
    """Compare a loss over classes and its gradients with torch's, nan included. `dloss(shape)` draws the upstream."""
    torch_scores, torch_targets = leaf(scores), tensor(targets)
    if torch_targets.is_floating_point():
        torch_targets.requires_grad_()
    loss, theirs = criterion.forward(scores, targets), mirror(torch_scores, torch_targets)
    if criterion.reduction == "none":
        assert isinstance(loss, np.ndarray)
    else:
        assert isinstance(loss, float)
        loss = np.array(loss, scores.dtype)
    assert_equals_torch(loss, theirs, "loss", equal_nan=True)

    dloss = np.asarray(dloss(theirs.shape), scores.dtype)
    dscores = criterion.backward(dloss)
    theirs.backward(tensor(dloss))
    # Softmax minus target cancels where the two agree. Each term is dloss times a weight, divided by the sum of the
    # targets' weights. For the weights drawn in the tests this factor is below 10, so 1e-14 of dloss covers rounding.
    floor = 1e-14 * _largest(dloss)
    assert_equals_torch(dscores, torch_scores.grad, "gradient of the scores", equal_nan=True, floor=floor)
    if torch_targets.requires_grad:
        assert_equals_torch(criterion.tape.dtargets, torch_targets.grad, "gradient of the targets", equal_nan=True)


def assert_complex_step(function, tensors, gradients, rng):
    """Check gradients against Im f(x + i h v) / h = grad . v, for one random direction v in each tensor.

    `function` maps a dictionary of complex arrays to a complex number, `tensors` are the points in float64, and
    `gradients` are what the backward pass computed there. The formula subtracts nothing, so with h = 1e-30 only
    rounding is left: the tolerance of 1e-12 |grad| |v| is a few thousand times as much. The floor of 1e-15 |v| allows
    for terms of size 1 that cancel in the gradient itself, as in softmax minus one-hot.
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
