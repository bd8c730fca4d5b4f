"""The tape: every operation of forward and backward, with its local derivatives, and every value that has a name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.lines.local import ELEMENTWISE, MOVES, Evaluate, derivatives
from numpy_rnn.gradient_checking.lines.rewrite import Node
from numpy_rnn.gradient_checking.lines.shadow import Item, Shadow

__all__ = ["Event", "Operation", "Tape", "TooLarge"]

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
    adds: bool = False  # whether it is `+=`
    where: Any = None  # the array and the index that an assignment writes to,
    overwritten: Item | None = None  # and what it overwrites


@dataclass(eq=False)
class Event:
    """What is named, passed, returned, stored or read at a place, at one time: an array, or several in a tuple."""

    node: int
    kind: str  # "note", "argument", "return", "append", "write", "read", or "members" of something that is read
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


class Tape:
    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.shadow = Shadow()
        self.operations: list[Operation] = []
        self.events: list[Event] = []
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
        size = len(inputs) if how == ELEMENTWISE else sum(n.size for n in numbers if n.any())
        self.work += (how != MOVES) * size * (200 + sum(np.size(y) for y in outputs))
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
                out.ravel()[rows], columns, values, of_input, moves=how == MOVES, **about,
            )
        )  # fmt: skip
        self.times[node] += 1
