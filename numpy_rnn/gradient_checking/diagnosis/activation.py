"""The slope of the activation function, found in the Jacobian, and the slopes that people write by mistake.

A bias b in y = f(z + b) has the Jacobian diag(f'(z)), and the input of an elementwise y = f(x) has diag(f'(x)). In
both, each row of the Jacobian holds one number, the slope of the activation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from numpy_rnn.checks import Array

__all__ = ["slope_of_rows", "wrong_slopes"]


def slope_of_rows(jacobians: Mapping[str, Array], names: list[str], rows: slice, h: Array) -> Array | None:
    """Return f' for each of `rows`, where f has the values h, from a Jacobian that shows it; None if none does.

    A weight that multiplies a single input shows f' times that input, so a slope that is that of tanh, the sigmoid
    or relu is preferred.
    """
    found = []
    for name in names:
        J = jacobians[name][rows]
        if J.size == 0 or J.shape[0] % J.shape[1]:
            continue
        slopes = J[np.arange(len(J)), np.arange(len(J)) % J.shape[1]]
        if np.count_nonzero(J) == np.count_nonzero(slopes) and slopes.any():
            if is_tanh(slopes, h) or is_sigmoid(slopes, h) or is_relu(slopes, h):
                return np.asarray(slopes)
            found.append(slopes)
    return np.asarray(found[-1]) if found else None


def is_tanh(slope: Array, h: Array) -> bool:
    return np.allclose(slope, 1 - h * h, rtol=1e-6, atol=1e-9)


def is_sigmoid(slope: Array, h: Array) -> bool:
    return np.allclose(slope, h * (1 - h), rtol=1e-6, atol=1e-9)


def is_relu(slope: Array, h: Array) -> bool:
    return bool(np.isin(slope, (0, 1)).all() and np.array_equal(slope == 1, h > 0))


def wrong_slopes(slope: Array, h: Array, before: Array | None) -> Iterator[tuple[str, Array]]:
    """Yield each mistake in words, with the slopes that it uses instead of f'; h = f(z) are the values."""
    ones = np.ones_like(slope)
    if is_tanh(slope, h):
        tanh, wrong_point = "the derivative of tanh", "the derivative of tanh is taken at the wrong point"
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.arctanh(h)
        yield f"{tanh}, 1 - h^2, is missing", ones
        yield f"{wrong_point}: 1 - z^2 where 1 - tanh(z)^2 = 1 - h^2 belongs", 1 - z * z
        yield f"{wrong_point}: tanh' of h, where h = tanh(z) already", 1 - np.tanh(h) ** 2
        if before is not None:
            yield f"{tanh} is taken at the wrong step: 1 - h_(t-1)^2 where 1 - h_t^2 belongs", 1 - before * before
        yield f"{tanh} is 1 - h^2, not 1 - h: the square is missing", 1 - h
        yield f"{tanh} is 1 - h^2, not 1 + h^2", 1 + h * h
        yield "the derivative of the sigmoid, h (1 - h), is used instead of that of tanh, 1 - h^2", h * (1 - h)
        yield f"{tanh}, 1 - h^2, is applied twice", slope**2
    elif is_sigmoid(slope, h):
        sigmoid = "the derivative of the sigmoid"
        yield f"{sigmoid}, h (1 - h), is missing", ones
        yield "the derivative of tanh, 1 - h^2, is used instead of that of the sigmoid, h (1 - h)", 1 - h * h
        yield f"{sigmoid} is h (1 - h): the factor h is missing", 1 - h
        yield f"{sigmoid} is h (1 - h): the factor 1 - h is missing", h
        of_h = 1 / (1 + np.exp(-h))
        yield f"{sigmoid} is taken at the wrong point: at h, which is the output already", of_h * (1 - of_h)
        yield f"{sigmoid}, h (1 - h), is applied twice", slope**2
    elif is_relu(slope, h) and not slope.all():
        yield "the derivative of relu is missing: the gradient passes where the unit is off", ones
        yield "the derivative of relu is inverted: the gradient passes only where the unit is off", 1 - slope
        yield "the derivative of relu is 1 or 0, but backward multiplies by the output", h
    elif not np.allclose(slope, 1):
        yield "the derivative of the activation is missing", ones
        yield "the derivative of the activation is applied twice", slope**2
