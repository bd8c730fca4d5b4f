"""The tape: every operation of forward and backward, with its local derivatives, and every value that has a name.

Every element of every array has a number, which changes when something is written to the element. Views share the
memory of their array, so a slice, a transpose or a reshape has the numbers of the elements that it shows, and an
assignment through a view is seen by all other views. Number 0 is a constant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.lines.local import Evaluate, derivatives

__all__ = ["Event", "Item", "Operation", "Shadow", "Tape", "TooLarge", "owner"]

Item = tuple[Array, Array]  # values and their numbers
LARGEST = 20_000_000  # derivatives of operations, times their cost, before the tape gives up


class TooLarge(Exception):
    """Following every operation would take too long."""


@dataclass(eq=False)
class Operation:
    """One operation: y = f(given), with the derivatives that are not zero, dy[rows] / dx[columns]."""

    node: int
    index: int  # on the whole tape
    time: int  # how often the node was reached before
    f: Evaluate = field(repr=False)
    given: list[Array] = field(repr=False)  # the values of the inputs,
    inputs: list[Array]  # and their numbers
    value: Array
    out: Array  # numbers of the outputs, in their shape
    rows: Array  # numbers of outputs
    columns: Array  # numbers of inputs
    values: Array
    of_input: Array  # which input a column belongs to
    name: str = ""  # of the function
    moves: bool = False  # whether it only moves elements: an assignment, a reshape
    passes: bool = False  # whether it only passes an array on: an argument, or what is returned
    slot: int = 0  # which argument is passed on, 1 for the store of `x[i] += ...`
    where: Any = None  # the array and the index that an assignment writes to,
    overwritten: Item | None = None  # and what it overwrites

    @property
    def is_copy(self) -> bool:
        """Whether the operation gives another name or place to an array as it is."""
        return self.moves and not self.name and (self.where is not None or np.array_equal(self.given[0], self.value))


@dataclass(eq=False)
class Event:
    """What is named, passed, returned, stored or read at a place, at one time: an array, or several in a tuple."""

    node: int
    kind: str  # "note", "argument", "return", "write", "read", or "members" of something that is read
    time: int  # how often this happened before
    position: int  # number of operations before it
    items: list[Item]
    array: Any = field(repr=False)  # the first of them itself
    is_choice: bool = False  # whether something else could be read in its place
    elements: list[list[Array]] = field(default_factory=list)  # the arrays in each element of the list that it is
    place: int = 0  # from, and which element it is

    @property
    def value(self) -> Array:
        return self.items[0][0]

    @property
    def ids(self) -> Array:
        return self.items[0][1]


class Shadow:
    """
    Attributes
    ----------
    roots : dict
        By id: arrays that own their memory, and the numbers of their elements.
    leaves : list of Item
        What was in memory before anything was computed.
    """

    def __init__(self) -> None:
        self.count = 1
        self.roots: dict[int, Item] = {}
        self.scalars: dict[int, tuple[Any, int]] = {}  # id of a number -> the number itself, kept alive, and its own
        self.leaves: list[Item] = []

    def fresh(self, shape: tuple[int, ...]) -> Array:
        size = int(np.prod(shape))
        self.count += size
        return np.arange(self.count - size, self.count).reshape(shape)

    def ids(self, a: Any) -> Array:
        """Return the numbers of the elements of an array, as a view that can be written to; of a scalar, a copy."""
        if not isinstance(a, np.ndarray):
            return np.array(self.scalars[id(a)][1] if id(a) in self.scalars else 0)
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


class Tape:
    def __init__(self) -> None:
        self.shadow = Shadow()
        self.operations: list[Operation] = []
        self.events: list[Event] = []
        self.integers: list[tuple[int, int, Array]] = []  # with a name: where, after how many operations, and what
        self.times: Counter[int | tuple[int, str]] = Counter()
        self.work = 0

    def item(self, x: Any) -> Item:
        """Return copies of the values and of the numbers of an array."""
        return np.array(x), self.shadow.ids(x).copy()

    def event(self, node: int, kind: str, arrays: list[Any], **about: Any) -> None:
        items = [self.item(x) for x in arrays]
        time = self.times[node, kind]
        self.events.append(Event(node, kind, time, len(self.operations), items, arrays[0], **about))
        self.times[node, kind] += 1

    def add(
        self, node: int, f: Evaluate, inputs: list[Item], outputs: list[Any], how: str = "", **about: Any
    ) -> None:
        """Put an operation on the tape, after it has run; its outputs get new numbers."""
        given, numbers = [v for v, _ in inputs], [n for _, n in inputs]
        size = len(inputs) if how == "elementwise" else sum(n.size for n in numbers if n.any())
        self.work += (how != "moves") * size * (200 + sum(np.size(y) for y in outputs))
        if self.work > LARGEST:
            raise TooLarge
        rows, columns, values, of_input = derivatives(f, given, numbers, how)
        fresh = [self.shadow.renew(y) for y in outputs]
        one = len(outputs) == 1
        out = fresh[0] if one else np.concatenate([n.ravel() for n in fresh])
        value = np.array(outputs[0]) if one else np.concatenate([np.ravel(y) for y in outputs])
        self.operations.append(
            Operation(
                node, len(self.operations), self.times[node], f, given, numbers, value, out,
                out.ravel()[rows], columns, values, of_input, moves=how == "moves", **about,
            )
        )  # fmt: skip
        self.times[node] += 1
