"""What is kept of one operation, and which calls are operations."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numpy_rnn.checks import Array

__all__ = ["Event", "Group", "Operation", "floats_or_complex", "is_leaf", "is_written"]

BUILTINS = (sum, float, abs, max, min, pow, *(f for f in vars(math).values() if callable(f)))


@dataclass
class Operation:
    """One operation: y = f(inputs), with the derivatives that are not zero, dy[rows] / dx[columns]."""

    node: int
    index: int  # on the whole tape
    time: int  # how often the node was reached before
    out: Array  # numbers of the outputs, in their shape
    value: Array
    inputs: list[Array]  # numbers of each input, in its shape
    rows: Array  # numbers of outputs
    columns: Array  # numbers of inputs
    values: Array
    of_input: Array  # which input a column belongs to
    moves: bool = False  # whether it only moves elements: an assignment, a reshape
    passes: bool = False  # whether it only passes an array on: an argument, or what is returned
    slot: int = 0  # which argument
    part: Any = None  # what `+=` adds
    where: Any = None  # the array and the index that an assignment writes to
    lost: Any = None  # numbers that the assignment overwrites
    before: Any = None  # the values that it overwrites
    f: Any = field(repr=False, default=None)  # the operation, from the values of its inputs to a list of outputs
    given: list[Any] = field(repr=False, default_factory=list)  # these values
    name: str = ""


@dataclass
class Event:
    """A value that was named, returned or stored."""

    node: int
    time: int
    ids: Array
    value: Array
    position: int  # number of operations before it
    kind: str
    array: Any = field(repr=False, default=None)


@dataclass
class Group:
    """What is read at a place at one time: an array with a name, or the arrays in an element of a list."""

    node: int
    items: list[tuple[Array, Array]]  # values and numbers
    position: int
    place: int = 0  # in a list
    elements: list[list[Array]] = field(default_factory=list)  # all elements of that list


def is_leaf(f: Any) -> bool:
    """Whether f is an operation in itself: of NumPy, or a built-in function on numbers."""
    if isinstance(f, np.ufunc) or any(f is builtin for builtin in BUILTINS):
        return True
    if isinstance(f, type):
        return issubclass(f, np.floating)
    bound = getattr(f, "__self__", None)
    if isinstance(bound, np.ndarray | np.floating | np.ufunc):
        return True
    module = getattr(f, "__module__", None) or ""
    return (
        module.partition(".")[0] in ("numpy", "scipy")
        and not module.startswith("numpy.random")
        and not isinstance(bound, np.random.Generator | np.random.RandomState)
    )


def is_written(f: Any, arguments: Any, keywords: Any, x: Array, before: Array) -> bool:
    out = keywords.get("out")
    if out is x or (isinstance(out, tuple) and any(o is x for o in out)):
        return True
    name = getattr(f, "__name__", "")
    if isinstance(f, np.ufunc) and any(a is x for a in arguments[f.nin :]):
        return True
    if name == "copyto" and arguments and arguments[0] is x:
        return True
    if (
        name == "dot"
        and arguments[-1] is x
        and len(arguments) == (2 if getattr(f, "__self__", None) is not None else 3)
    ):
        return True
    if name == "fill" and getattr(f, "__self__", None) is x:
        return True
    return not np.array_equal(x, before, equal_nan=True)


def floats_or_complex(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [v for member in value for v in floats_or_complex(member)]
    if isinstance(value, np.ndarray | np.number | float | complex):
        return [value] if np.asarray(value).dtype.kind in "fc" else []
    return []
