"""A copy of any object in another dtype: every floating-point array within it, and every dtype it remembers.

A layer in float32 is checked in a float64 copy, and differentiated by the complex step in a complex128 one. Whoever
wrote the layer need not have thought of either: `copy.deepcopy` takes a memo of what is copied already, and what this
puts there beforehand is each array in its new dtype.
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
    """Return functions that set every random generator reachable from `root` back to its state of now."""
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
    # A dtype is one object per kind, so that the memo can exchange these too: `layer.dtype` follows.
    memo: dict[int, Any] = {id(other): dtype for other in _FLOATS}
    kept = list(reachable(original))  # alive as long as the memo knows them by their ids
    for value in kept:
        if is_floating(value):
            memo[id(value)] = value.astype(dtype)
    try:
        result = copy.deepcopy(original, memo)
    except Exception as error:
        raise TypeError(f"{type(original).__name__} cannot be copied, which gradcheck requires: {error}") from error
    for value in reachable(result):  # `self.dtype = np.float32`: a class, which no copy exchanges
        for name, attribute in getattr(value, "__dict__", {}).items():
            if isinstance(attribute, type) and issubclass(attribute, np.floating):
                setattr(value, name, dtype.type)
    return result
