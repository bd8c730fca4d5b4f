"""Which calls are operations, and the floating-point numbers and arrays among arguments and results."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["FROM_SHAPE", "MOVING", "OPERATORS", "arrays_in", "floats_in", "is_float", "is_operation", "substituted"]

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
        return issubclass(f, np.floating)
    module = getattr(f, "__module__", None) or ""
    is_random = module.startswith("numpy.random") or isinstance(bound, np.random.Generator | np.random.RandomState)
    return module.partition(".")[0] in ("numpy", "scipy") and not is_random


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
