"""Gradient clipping, between the backward pass and the optimizer's step.

By the norm of all gradients together, which keeps their direction:

    g <- g min(1, max_norm / (norm + 1e-6))                   (N1)
    norm = (sum_i |g_i|^norm_type)^(1/norm_type)              (2)    norm_type = inf: max_i |g_i|

By value, each element by itself:

    g_i <- min(max(g_i, -clip_value), clip_value)             (3)
"""

from __future__ import annotations

import math

import numpy as np

from numpy_rnn.checks import Array, as_flag, as_number
from numpy_rnn.parameters import Parameters, as_real_parameters

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def clip_grad_norm_(
    parameters: Parameters, max_norm: float, norm_type: float | str = 2.0, error_if_nonfinite: bool = False
) -> float:
    """Scale all gradients together so that their norm is at most `max_norm`, equations (N1) and (2).

    Parameters
    ----------
    parameters : Parameters
        The value of `layer.parameters()`.
    max_norm : float
        At least 0. inf only measures the norm: gradients of finite norm are not changed.
    norm_type : float, default 2.0
        Above 0: 2 for the Euclidean norm, inf (or "inf") for the largest magnitude.
    error_if_nonfinite : bool, default False
        Raise an error if the norm is nan or inf. Otherwise, as in torch, a norm of nan makes all gradients nan, and a
        norm of inf (in float32, gradients beyond 1e19) makes finite gradients 0 and infinite ones nan.

    Returns
    -------
    float
        The norm before scaling.

    Raises
    ------
    RuntimeError
        The norm is not finite and `error_if_nonfinite` is set; the gradients are unchanged.
    ValueError
        `max_norm` is negative (torch would reverse the gradients), `norm_type` is 0 (torch would count the tensors)
        or negative, or either is nan.

    References
    ----------
    R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural networks", ICML 2013.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html
    """
    max_norm = as_number("max_norm", max_norm, closed=True)
    error_if_nonfinite = as_flag("error_if_nonfinite", error_if_nonfinite)
    p = as_number("norm_type", math.inf if norm_type == "inf" else norm_type, low=-math.inf, closed=True)
    if p <= 0:
        raise ValueError(f"norm_type must be above 0, got {norm_type}")
    grad = as_real_parameters(parameters).grad
    with np.errstate(all="ignore"):
        norm = _norm(grad, p)
        if error_if_nonfinite and not math.isfinite(norm):
            raise RuntimeError(f"the gradients have a norm of {norm}, expected a finite one: they were not clipped")
        scale = max_norm / (norm + 1e-6)
        if not scale >= 1:  # written so that nan passes
            grad *= scale  # (N1)
    return norm


def _norm(vector: Array, p: float) -> float:
    """Return the p-norm, equation (2)."""
    if p == 2:
        return math.sqrt(vector.dot(vector))
    magnitudes = np.abs(vector)
    if p == math.inf:
        return float(magnitudes.max(initial=0))
    magnitudes **= p
    return float(magnitudes.sum() ** (1 / p))


def clip_grad_value_(parameters: Parameters, clip_value: float) -> None:
    """Limit every gradient to [-clip_value, clip_value], equation (3); nan stays nan.

    Parameters
    ----------
    parameters : Parameters
        The value of `layer.parameters()`.
    clip_value : float
        At least 0 (torch would set all gradients to a negative value).

    References
    ----------
    https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_value_.html
    """
    clip_value = as_number("clip_value", clip_value, closed=True)
    grad = as_real_parameters(parameters).grad
    with np.errstate(over="ignore"):  # in float32, 1e300 is inf, which clips nothing
        np.clip(grad, -clip_value, clip_value, grad)  # (3)
