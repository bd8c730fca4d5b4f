"""Derivatives of a function of arrays along a direction, all outputs at once: one column of the Jacobian.

Complex step, for f analytic and x, v real:

    f(x + i h v) = f(x) + i h f'(x) v - h^2 (...)      so      f'(x) v = Im f(x + i h v) / h             (1)

There is no subtraction, so with h = 1e-30 the only error is the rounding of f itself.

Central differences with Richardson's extrapolation, for f three times differentiable:

    D(h) = (f(x + h v) - f(x - h v)) / 2h = f'(x) v + a h^2 + b h^4 + ...                                (2)
    R(h) = (4 D(h/2) - D(h)) / 3          = f'(x) v + b' h^4 + ...                                       (3)
    S(h) = (16 R(h/2) - R(h)) / 15        = f'(x) v + O(h^6)                                             (4)

|S(h) - R(h/2)| estimates the error of R, and so is well above that of S where (2) holds. A smaller h truncates less
and rounds more; the best one depends on f, so several are tried, from the size of x downwards.

References
----------
W. Squire and G. Trapp, "Using complex variables to estimate derivatives of real functions", SIAM Review 40 (1998).
L. F. Richardson, "The approximate arithmetical solution by finite differences of physical problems involving
differential equations", Phil. Trans. R. Soc. A 210 (1911).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from numpy_rnn.checks import Array

__all__ = ["Function", "complex_step", "one_hot", "one_sided", "precision", "richardson"]
__all__ += ["scale_of", "why_not_complex"]

Function = Callable[[Mapping[str, Any]], Array]  # from the values of the tensors to one vector of all outputs

COMPLEX_H = 1e-30
RELATIVE_STEPS = 2.0 ** -np.arange(5, 24, 3)
EPS = float(np.finfo(np.float64).eps)


def scale_of(x: Array) -> float:
    """Return the root mean square of a tensor, or 1 if it is zero: steps are relative to it."""
    return float(np.sqrt(np.mean(x * x))) or 1.0 if x.size else 1.0


def one_hot(shape: tuple[int, ...], coordinate: int) -> Array:
    """Return an array of zeros with a one at a flat index: the direction of that coordinate."""
    v = np.zeros(shape)
    v.flat[coordinate] = 1
    return v


def complex_step(f: Function, point: Mapping[str, Array], name: str, v: Array, h: float = COMPLEX_H) -> Array:
    """Return the derivative of every output along `v` in tensor `name`, equation (1)."""
    values = {other: value.astype(np.complex128) for other, value in point.items()}
    values[name] += 1j * h * v
    return np.asarray(f(values).imag / h)


def central(f: Function, point: Mapping[str, Array], name: str, v: Array, h: float) -> Array:
    """Return D(h), equation (2)."""
    ahead, behind = (f({**point, name: point[name] + s * h * v}) for s in (1, -1))
    return np.asarray((ahead - behind) / (2 * h))


def precision(f: Function, point: Mapping[str, Array], rng: np.random.Generator) -> float:
    """Return the machine epsilon of forward: that of float32 if it returns float32 numbers, or computes with them.

    Integers, and values that do not change with the inputs (a dead relu), may be float32 numbers by chance.
    """
    y = f({name: x + 1e-3 * scale_of(x) * rng.standard_normal(x.shape) for name, x in point.items()})
    told = y[(y != f(point)) & (y != np.rint(y)) & np.isfinite(y)]
    if told.size:
        for kind in (np.float16, np.float32):
            with np.errstate(over="ignore"):
                if np.array_equal(told, told.astype(kind)):
                    return float(np.finfo(kind).eps)
    is_coarse = any(_is_coarse(f, point, name, rng.standard_normal(x.shape)) for name, x in point.items() if x.size)
    return float(np.finfo(np.float32).eps) if is_coarse else EPS


def _is_coarse(f: Function, point: Mapping[str, Array], name: str, v: Array) -> bool:
    """Whether tiny changes of a tensor are lost, or come in steps, since it is rounded to float32 on the way."""
    size = scale_of(point[name])
    slope, more, less = (central(f, point, name, v, step * size) for step in (1e-3, 5e-8, 1e-8))
    told = (np.abs(slope) > 1e-3 * np.abs(slope).max(initial=0)) & np.isfinite(more) & np.isfinite(less)
    rounding = 1e2 * EPS * (np.abs(f(point)) + 1) / (1e-8 * size)
    off = np.abs(more - less) > 0.1 * np.maximum(np.abs(more), np.abs(less)) + rounding
    lost = (more == 0) & (less == 0) & (np.abs(slope) > rounding)
    return bool(told.any() and (off | lost)[told].mean() > 0.5)


def richardson(f: Function, point: Mapping[str, Array], name: str, v: Array, eps: float = EPS) -> tuple[Array, Array]:
    """Return S(h), equation (4), for the best of several h, and an estimate of its error."""
    best = np.zeros(0), np.array(np.inf)
    steps = RELATIVE_STEPS if eps == EPS else np.concatenate([[0.125], RELATIVE_STEPS])
    size = scale_of(point[name]) / max(float(np.sqrt(np.mean(v[v != 0] ** 2))) if v.any() else 1.0, EPS)
    roundoff = eps * (np.abs(f(point)) + 1)  # + 1: terms may cancel in f, as in a loss close to 0
    for h in size * steps:
        D0, D1, D2 = (central(f, point, name, v, h / 2**k) for k in range(3))
        R0, R1 = (4 * D1 - D0) / 3, (4 * D2 - D1) / 3
        S = (16 * R1 - R0) / 15
        error = np.abs(S - R1) + roundoff * 4 / h
        if not np.isfinite(best[1]).all() or error.sum() < best[1].sum():
            best = S, error
        if error.sum() <= 1e-10 * np.abs(S).sum():
            break
    return best


def one_sided(
    f: Function, point: Mapping[str, Array], name: str, v: Array, eps: float = EPS
) -> tuple[Array, Array] | None:
    """Return the left and right derivatives of every output if they differ, else None.

    For a smooth f the two differ by h f'', 100 times less for a step 100 times smaller. At a kink the difference
    stays, at a jump it grows.
    """
    here = f(point)
    small = eps**0.4 * scale_of(point[name]) / float(np.abs(v).max())  # 5e-7 of x in float64

    def sides(h: float) -> tuple[Array, Array]:
        ahead, behind = (f({**point, name: point[name] + s * h * v}) for s in (1, -1))
        return (here - behind) / h, (ahead - here) / h

    near = sides(small)
    gap = np.abs(near[1] - near[0]).max(initial=0)
    rounding = 8 * eps * np.abs(here).max(initial=0) / small
    if not gap > 1e-3 * np.abs(near).max(initial=0) + rounding:
        return None
    far = sides(100 * small)
    return near if gap > 0.1 * np.abs(far[1] - far[0]).max(initial=0) else None


def why_not_complex(
    complex_f: Function, real_f: Function, point: Mapping[str, Array], rng: np.random.Generator
) -> str | None:
    """Try the complex step along one direction per tensor; return None if it works, else the reason why not.

    It fails if forward does not support complex numbers, drops the imaginary part, or is not analytic (abs, conj, a
    comparison). The last shows in a comparison with differences, at a tolerance that these easily meet. At a kink the
    two also differ: there each element is examined later.
    """
    for name, x in point.items():
        if x.size == 0:
            continue
        v = rng.standard_normal(x.shape)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                by_complex = complex_step(complex_f, point, name, v)
        except np.exceptions.ComplexWarning:
            return "forward drops the imaginary part: it stores complex numbers as real ones"
        except Exception as error:
            words = (str(error).splitlines() or [""])[0][:80]
            return f"forward does not run on complex numbers ({type(error).__name__}: {words})"
        by_differences, error_of_differences = richardson(real_f, point, name, v)
        allowed = 1e-5 * np.abs(by_differences).max(initial=0) + 10 * error_of_differences
        if not by_complex.any() and (np.abs(by_differences) > allowed).any():
            return f"forward drops the imaginary part of {name}"
        if not (np.abs(by_complex - by_differences) <= allowed).all() and one_sided(real_f, point, name, v) is None:
            return f"forward is not analytic in {name}: complex step and differences disagree"
    return None
