"""Copies of any object in another dtype: every floating-point array in it is converted, and every dtype.

A float32 layer is checked on a float64 copy, and the complex step runs on a complex128 copy. The layer need not
support this: `copy.deepcopy` takes a memo of objects that are copied already, and the converted arrays are put there.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

__all__ = ["converted", "is_floating", "own_generators", "reachable", "restorers"]

GENERATORS = (np.random.Generator, np.random.RandomState)

_FLOATS = [np.dtype(kind) for kind in (np.float16, np.float32, np.float64, np.complex64, np.complex128)]


def is_floating(value: Any) -> bool:
    """Whether `value` is an array of real or complex floating-point numbers."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fc"


def reachable(root: Any) -> Iterator[Any]:
    """Yield `root` and everything in its attributes, dictionaries, lists and tuples, each object once."""
    waiting, seen = [root], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen or isinstance(value, type | str | bytes | int | float | complex):
            continue
        seen.add(id(value))
        yield value
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple | set):
            waiting.extend(value)
        elif not callable(value) or hasattr(value, "__dict__"):
            waiting.extend(_attributes(value).values())


def _attributes(value: Any) -> Mapping[str, Any]:
    slots = [name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ()) if hasattr(value, name)]
    return {name: getattr(value, name) for name in slots} | getattr(value, "__dict__", {})


def restorers(root: Any) -> list[Callable[[], None]]:
    """Return functions that restore the current state of every random generator reachable from `root`."""
    found: list[Callable[[], None]] = []
    for value in reachable(root):
        if isinstance(value, np.random.RandomState):
            found.append(partial(value.set_state, value.get_state(legacy=False)))
        elif isinstance(value, np.random.Generator):
            found.append(partial(setattr, value.bit_generator, "state", value.bit_generator.state))
    return found


def own_generators(value: Any) -> Any:
    """Return `value`, or a copy of it, in which generators are copies: the caller's own must not advance."""
    if isinstance(value, Mapping):
        return {key: own_generators(member) for key, member in value.items()}
    return copy.deepcopy(value) if isinstance(value, GENERATORS) else value


def converted(original: Any, dtype: DTypeLike) -> Any:
    """Return a deep copy of `original` that computes in `dtype`, float64 or complex128.

    Raises
    ------
    TypeError
        Something in `original` cannot be copied.
    """
    dtype = np.dtype(dtype)
    # Each dtype is a single object, so the memo can replace it too: `layer.dtype` changes with the arrays.
    memo: dict[int, Any] = {id(other): dtype for other in _FLOATS}
    kept = list(reachable(original))  # keeps them alive, because the memo identifies them by id
    for value in kept:
        if is_floating(value):
            memo[id(value)] = value.astype(dtype)
    try:
        result = copy.deepcopy(original, memo)
    except Exception as error:
        raise TypeError(f"{type(original).__name__} cannot be copied, which gradcheck requires: {error}") from error
    for value in reachable(result):  # `self.dtype = np.float32` is a class, which deepcopy does not replace
        for name, attribute in getattr(value, "__dict__", {}).items():
            if isinstance(attribute, type) and issubclass(attribute, np.floating):
                setattr(value, name, dtype.type)
    return result
