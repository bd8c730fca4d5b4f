"""The derivatives of one operation by its inputs: the complex step through that operation alone.

Elementwise functions need one evaluation per input, everything else one per element of the input. Operations that
only move elements (reshape, stack, repeat) are applied to the numbers of the elements instead.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from numpy_rnn.checks import Array

__all__ = ["MOVES", "OPERATORS", "derivatives", "floats_in", "is_float", "substituted"]

H = 1e-30
OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mult": operator.mul, "div": operator.truediv, "pow": operator.pow,
    "matmult": operator.matmul, "mod": operator.mod, "floordiv": operator.floordiv, "negative": operator.neg,
    "bitand": operator.and_, "bitor": operator.or_, "bitxor": operator.xor, "lshift": operator.lshift,
    "rshift": operator.rshift,
}  # fmt: skip
MOVES = {
    "array", "asarray", "ascontiguousarray", "asanyarray", "copy", "reshape", "ravel", "flatten", "transpose",
    "swapaxes", "moveaxis", "squeeze", "expand_dims", "concatenate", "stack", "vstack", "hstack", "column_stack",
    "dstack", "row_stack", "block", "take", "repeat", "tile", "broadcast_to", "flip", "flipud", "fliplr", "roll",
    "rot90", "pad", "split", "array_split", "hsplit", "vsplit", "atleast_1d", "atleast_2d", "float", "float64",
    "item", "astype", "copyto", "diag", "triu", "tril", "take_along_axis", "compress", "delete", "insert", "append",
    "full_like",
}  # fmt: skip


def is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.floating | float) and (
        not isinstance(value, np.ndarray) or value.dtype.kind == "f"
    )


def floats_in(value: Any) -> list[Any]:
    """Return the floating-point arrays and numbers in a nested structure, each object once."""
    found: dict[int, Any] = {}
    waiting = [value]
    while waiting:
        v = waiting.pop()
        if is_float(v):
            found[id(v)] = v
        elif isinstance(v, list | tuple):
            waiting.extend(reversed(v))
        elif isinstance(v, dict):
            waiting.extend(reversed(v.values()))
    return list(found.values())


def substituted(value: Any, new: dict[int, Any]) -> Any:
    if id(value) in new:
        return new[id(value)]
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(substituted(v, new) for v in value)
    if isinstance(value, dict):
        return {key: substituted(v, new) for key, v in value.items()}
    return value


Evaluate = Callable[[list[Any]], list[Array]]  # from the values of the inputs to the outputs


def derivatives(
    f: Evaluate, inputs: list[Any], wanted: list[bool], elementwise: bool
) -> list[tuple[Array, Array, Array]]:
    """Return, for each input, the nonzero derivatives: flat indices of the outputs, of the input, and values.

    Several outputs count as one long vector.
    """
    none = np.zeros(0, int), np.zeros(0, int), np.zeros(0)
    return [_by_input(f, inputs, k, elementwise) if wanted[k] else none for k in range(len(inputs))]


def _by_input(f: Evaluate, inputs: list[Any], k: int, elementwise: bool) -> tuple[Array, Array, Array]:
    x = np.asarray(inputs[k], float)
    index = np.arange(x.size).reshape(x.shape)
    if elementwise:
        slope = _along(f, inputs, k, np.ones_like(x))
        shape = np.broadcast_shapes(*[np.shape(v) for v in inputs])
        if slope.size == np.prod(shape):
            columns = np.broadcast_to(index, shape).ravel()
            rows = np.flatnonzero(slope)
            return rows, columns[rows], slope[rows]
    parts: list[tuple[Array, Array, Array]] = []
    direction = np.zeros_like(x)
    for j in range(x.size):
        direction.flat[j] = 1
        slope = _along(f, inputs, k, direction)
        direction.flat[j] = 0
        nonzero = np.flatnonzero(slope)
        parts.append((nonzero, np.full(len(nonzero), j), slope[nonzero]))
    if not parts:
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0)
    rows, columns, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    return rows, columns, values


def _along(f: Evaluate, inputs: list[Any], k: int, direction: Array) -> Array:
    """Return the derivative of all outputs along a direction in input k, as one vector."""
    values = [np.array(v, complex) for v in inputs]
    values[k] = values[k] + 1j * H * direction
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            outputs = f([v[()] for v in values])
        if all(np.iscomplexobj(y) for y in outputs):
            return np.concatenate([np.ravel(y).imag for y in outputs]) / H
    except Exception:  # whatever the function raises on complex numbers: differences follow
        pass
    h = 1e-6
    sides = []
    for sign in (1, -1):
        moved = [np.array(v) for v in inputs]
        moved[k] = moved[k] + sign * h * direction
        sides.append(np.concatenate([np.ravel(y) for y in f([v[()] for v in moved])]))
    return np.asarray((sides[0] - sides[1]) / (2 * h))
