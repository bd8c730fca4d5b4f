"""Shadow memory: a number for every element of every array, which changes when something is written to the element.

Views share the memory of their array, so a slice, a transpose or a reshape has the numbers of the elements that it
shows, and an assignment through a view is seen by all other views. Number 0 is a constant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from numpy_rnn.checks import Array

__all__ = ["Leaf", "Shadow"]


@dataclass
class Leaf:
    """An array that was there before anything was computed: its first number, and its values in memory order."""

    first: int
    values: Array


class Shadow:
    def __init__(self) -> None:
        self.count = 1
        self.roots: dict[int, tuple[Array, Array]] = {}  # id -> the array that owns the memory, its numbers
        self.scalars: dict[int, tuple[Any, int]] = {}  # id of a number -> the number itself, kept alive, and its own
        self.leaves: list[Leaf] = []
        self.constants: dict[float, int] = {}  # upstream gradients that are Python numbers

    def fresh(self, shape: tuple[int, ...]) -> Array:
        size = int(np.prod(shape))
        self.count += size
        return np.arange(self.count - size, self.count).reshape(shape)

    def ids(self, a: Any) -> Array:
        """Return the numbers of the elements of an array, as a view that can be written to; of a scalar, a copy."""
        if not isinstance(a, np.ndarray):
            return np.array(self.scalars[id(a)][1] if id(a) in self.scalars else self.constants.get(float(a), 0))
        root = owner(a)
        if id(root) not in self.roots:
            numbers = self.fresh((root.size,))
            self.leaves.append(Leaf(int(numbers[0]) if root.size else 0, in_memory(root).copy()))
            self.roots[id(root)] = root, numbers
        numbers = self.roots[id(root)][1]
        if a.size == 0:
            return np.zeros(a.shape, int)
        offset = (a.__array_interface__["data"][0] - root.__array_interface__["data"][0]) // a.itemsize
        strides = [s // a.itemsize * numbers.itemsize for s in a.strides]
        return np.lib.stride_tricks.as_strided(numbers[offset:], a.shape, strides)

    def set(self, a: Any, numbers: Array) -> None:
        if isinstance(a, np.ndarray):
            self.ids(a)[...] = numbers
        else:
            self.scalars[id(a)] = a, int(numbers)

    def knows(self, a: Array) -> bool:
        return id(owner(a)) in self.roots


def owner(a: Array) -> Array:
    """Return the array that owns the memory of a view."""
    while a.base is not None:
        base = a.base if isinstance(a.base, np.ndarray) else getattr(a.base, "base", None)
        if not isinstance(base, np.ndarray) or base.dtype != a.dtype:
            break
        a = base
    return a


def in_memory(root: Array) -> Array:
    """Return the elements of an array that owns its memory, in the order of that."""
    return root.ravel(order="K")
