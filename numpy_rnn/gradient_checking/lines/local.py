"""One operation: which calls are operations, the arrays that they read, and their derivatives.

The derivatives are those of the operation alone, by the complex step. Elementwise functions need one evaluation per
input, everything else one per element of the input. Operations that only move elements (reshape, stack, repeat) are
applied to the numbers of the elements instead.
"""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from numpy_rnn.checks import Array

__all__ = ["OPERATORS", "arrays_in", "derivatives", "floats_in", "how_of", "is_float", "is_operation", "substituted"]

H = 1e-30
OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mult": operator.mul, "div": operator.truediv, "pow": operator.pow,
    "matmult": operator.matmul, "mod": operator.mod, "floordiv": operator.floordiv, "negative": operator.neg,
    "bitand": operator.and_, "bitor": operator.or_, "bitxor": operator.xor, "lshift": operator.lshift,
    "rshift": operator.rshift,
}  # fmt: skip
BUILTINS = [sum, float, abs, max, min, pow, *(f for f in vars(math).values() if callable(f))]
FROM_SHAPE = {"zeros_like", "ones_like", "empty_like", "shape", "ndim", "size"}
MOVING = {
    "array", "asarray", "ascontiguousarray", "asanyarray", "copy", "reshape", "ravel", "flatten", "transpose",
    "swapaxes", "moveaxis", "squeeze", "expand_dims", "concatenate", "stack", "vstack", "hstack", "column_stack",
    "dstack", "row_stack", "block", "take", "repeat", "tile", "broadcast_to", "flip", "flipud", "fliplr", "roll",
    "rot90", "pad", "split", "array_split", "hsplit", "vsplit", "atleast_1d", "atleast_2d", "float", "float64",
    "item", "astype", "copyto", "diag", "triu", "tril", "take_along_axis", "compress", "delete", "insert", "append",
    "full_like",
}  # fmt: skip

Evaluate = Callable[[list[Any]], list[Array]]  # from the values of the inputs to the outputs
Derivatives = tuple[Array, Array, Array]  # positions in the outputs, positions in an input, values


def is_operation(f: Any) -> bool:
    """Whether f is an operation in itself: of NumPy, or a built-in function on numbers."""
    bound = getattr(f, "__self__", None)
    if (
        isinstance(f, np.ufunc)
        or isinstance(bound, np.ndarray | np.floating | np.ufunc)
        or any(f is g for g in BUILTINS)
    ):
        return True
    if isinstance(f, type):
        return issubclass(f, np.floating | float)
    module = getattr(f, "__module__", None) or ""
    is_random = module.startswith("numpy.random") or isinstance(bound, np.random.Generator | np.random.RandomState)
    return module.partition(".")[0] in ("numpy", "scipy") and not is_random


def how_of(f: Any, name: str) -> str:
    """Return how the derivatives of a function can be found: see `derivatives`."""
    if isinstance(f, np.ufunc):
        return "" if f.signature else "elementwise"
    return "constant" if name in FROM_SHAPE else "moves" if name in MOVING else ""


def is_float(value: Any, kinds: str = "f") -> bool:
    return isinstance(value, np.ndarray | np.inexact | float | complex) and np.asarray(value).dtype.kind in kinds


def floats_in(value: Any, kinds: str = "f") -> list[Any]:
    """Return the floating-point arrays and numbers in a nested structure, each object once."""
    found: dict[int, Any] = {}

    def look(v: Any) -> None:
        if is_float(v, kinds):
            found[id(v)] = v
        elif isinstance(v, list | tuple | dict):
            for member in v.values() if isinstance(v, dict) else v:
                look(member)

    look([value, getattr(value, "__dict__", None)])
    return list(found.values())


def arrays_in(value: Any) -> list[Any]:
    return [v for v in floats_in(value) if isinstance(v, np.ndarray)]


def substituted(value: Any, new: dict[int, Any]) -> Any:
    """Return a structure with other arrays in place of some, by their id."""
    if id(value) in new:
        return new[id(value)]
    if type(value) in (list, tuple):
        return type(value)(substituted(v, new) for v in value)
    if isinstance(value, dict):
        return {key: substituted(v, new) for key, v in value.items()}
    return value


def derivatives(f: Evaluate, given: list[Any], numbers: list[Array], how: str) -> tuple[Array, Array, Array, Array]:
    """Return the derivatives that are not zero, as one vector.

    Returns
    -------
    rows, columns, values, of_input : arrays
        Positions in the outputs, which count as one vector; numbers of elements of inputs; dy/dx; which input.
    """
    if how == "moves":
        sources = np.concatenate([np.ravel(y) for y in f([n.astype(float)[()] for n in numbers])]).astype(int)
        rows = np.flatnonzero(sources)
        columns = sources[rows]
        which = np.zeros(len(rows), int)
        for k, n in enumerate(numbers):
            which[np.isin(columns, n)] = k
        return rows, columns, np.ones(len(rows)), which
    found = [(np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0, int))]
    for k, n in enumerate(numbers):
        for rows, position, slopes in _by_input(f, given, k, how == "elementwise") if n.any() else ():
            columns = n.ravel()[position]
            kept = columns > 0
            found.append((rows[kept], columns[kept], slopes[kept], np.full(kept.sum(), k)))
    rows, columns, values, which = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return rows, columns, values, which


def _by_input(f: Evaluate, given: list[Any], k: int, elementwise: bool) -> Iterator[Derivatives]:
    x = np.asarray(given[k], float)
    if elementwise:
        slope = _along(f, given, k, np.ones_like(x))
        shape = np.broadcast_shapes(*[np.shape(v) for v in given])
        if slope.size == np.prod(shape):
            rows = np.flatnonzero(slope)
            yield rows, np.broadcast_to(np.arange(x.size).reshape(x.shape), shape).ravel()[rows], slope[rows]
            return
    direction = np.zeros_like(x)
    for j in range(x.size):
        direction.flat[j] = 1
        slope = _along(f, given, k, direction)
        direction.flat[j] = 0
        rows = np.flatnonzero(slope)
        yield rows, np.full(len(rows), j), slope[rows]


def _along(f: Evaluate, given: list[Any], k: int, direction: Array) -> Array:
    """Return the derivative of all outputs along a direction in input k, as one vector."""

    def at(step: complex, dtype: type) -> list[Array]:
        values: list[Any] = [np.array(v, dtype) for v in given]
        values[k] = values[k] + step * direction
        return [np.ravel(y) for y in f([v[()] for v in values])]

    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            outputs = at(1j * H, complex)
        if all(map(np.iscomplexobj, outputs)):
            return np.concatenate([y.imag for y in outputs]) / H
    except Exception:  # whatever the function raises on complex numbers: differences follow
        pass
    h = 1e-6
    there, back = (np.concatenate(at(step, float)) for step in (h, -h))
    return np.asarray((there - back) / (2 * h))
