"""Adam.

With g the gradient at step k = 1, 2, ...:

    exp_avg    <- beta1 exp_avg    + (1 - beta1) g                                   (1)
    exp_avg_sq <- beta2 exp_avg_sq + (1 - beta2) g^2                                 (2)
    p          <- p - lr/(1 - beta1^k) * exp_avg / (sqrt(exp_avg_sq / (1 - beta2^k)) + eps)     (3)

Both averages start at zero and are therefore too small at first, by the factor 1 - beta^k that (3) divides by. The
code multiplies numerator and denominator of (3) by r = sqrt(1 - beta2^k), which saves one pass over the vector.
"""

from __future__ import annotations

import math

import numpy as np

from numpy_rnn.checks import as_number
from numpy_rnn.parameters import Parameters, as_real_parameters

__all__ = ["Adam"]

_BLOCK = 32768  # elements: five blocks stay in the L2 cache from one operation to the next


class Adam:
    """Adam over one flat vector of parameters.

    Parameters
    ----------
    parameters : Parameters
        What `layer.parameters()` returns.
    lr : float, default 1e-3
        Step size; may be set between steps.
    betas : tuple of two floats, default (0.9, 0.999)
        Decay rates of the two averages, in [0, 1).
    eps : float, default 1e-8
        Added to the root.

    Attributes
    ----------
    exp_avg, exp_avg_sq : ndarray, shape (number of values,)
        The averages; `parameters.views(optimizer.exp_avg)` names their pieces.
    step_count : int
        Steps taken.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.
    https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html
    """

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        self.parameters = as_real_parameters(parameters)
        self.lr, self.eps = as_number("lr", lr), as_number("eps", eps)
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise TypeError(f"betas must be two numbers, got {betas!r}")
        self.betas = as_number("betas[0]", betas[0], below=1), as_number("betas[1]", betas[1], below=1)
        self.exp_avg = np.zeros_like(parameters.data)
        self.exp_avg_sq = np.zeros_like(parameters.data)
        self.step_count = 0
        self._scratch = np.empty_like(parameters.data[:_BLOCK])

    def step(self) -> None:
        """Update the parameters from their gradients, equations (1) to (3)."""
        self.step_count += 1
        beta1, beta2 = self.betas
        r = math.sqrt(1 - beta2**self.step_count)
        step_size, eps = self.lr * r / (1 - beta1**self.step_count), self.eps * r
        data, grad = self.parameters.data, self.parameters.grad
        for start in range(0, data.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            p, g, m, v = data[block], grad[block], self.exp_avg[block], self.exp_avg_sq[block]
            s = self._scratch[: p.size]
            m *= beta1
            m += np.multiply(g, 1 - beta1, s)  # (1)
            v *= beta2
            np.multiply(g, g, s)
            v += np.multiply(s, 1 - beta2, s)  # (2)
            np.sqrt(v, s)
            s += eps
            np.divide(m, s, s)
            p -= np.multiply(s, step_size, s)  # (3)
