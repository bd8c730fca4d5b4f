"""Shadow memory: a number for every element of every array, which changes when something is written to the element.

Views share the memory of their array, so a slice, a transpose or a reshape has the numbers of the elements that it
shows, and an assignment through a view is seen by all other views. Number 0 is a constant.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from numpy_rnn.checks import Array

__all__ = ["Item", "Shadow", "owner"]

Item = tuple[Array, Array]  # values and their numbers


class Shadow:
    """
    Attributes
    ----------
    roots : dict
        By id: arrays that own their memory, and the numbers of their elements.
    leaves : list of Item
        What was in memory before anything was computed.
    constants : dict of float to int
        The numbers of upstream gradients that are Python floats.
    """

    def __init__(self) -> None:
        self.count = 1
        self.roots: dict[int, Item] = {}
        self.scalars: dict[int, tuple[Any, int]] = {}  # id of a number -> the number itself, kept alive, and its own
        self.leaves: list[Item] = []
        self.constants: dict[float, int] = {}

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
            self.leaves.append((root.ravel(order="K").copy(), numbers.copy()))
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

    def renew(self, a: Any) -> Array:
        """Give new numbers to the elements of an array, and return them."""
        numbers = self.fresh(np.shape(a))
        self.set(a, numbers)
        return numbers

    def places(self, x: Array, at_first: bool) -> Iterator[Array]:
        """Yield the numbers of every array, or part of one, that has the values of x, or had them at first."""
        now = ((root.ravel(order="K"), numbers) for root, numbers in self.roots.values())
        for memory, numbers in (self.leaves if at_first else now) if x.size else ():
            for order in ("C", "F") if x.ndim > 1 else ("C",):
                flat = x.ravel(order=order)
                for start in np.flatnonzero(memory[: max(0, len(memory) - x.size + 1)] == flat[0])[:50]:
                    here = slice(start, start + x.size)
                    if np.array_equal(memory[here], flat):
                        yield numbers[here].reshape(x.shape, order=order)


def owner(a: Array) -> Array:
    """Return the array that owns the memory of a view."""
    while a.base is not None:
        base = a.base if isinstance(a.base, np.ndarray) else getattr(a.base, "base", None)
        if not isinstance(base, np.ndarray) or base.dtype != a.dtype:
            break
        a = base
    return a
