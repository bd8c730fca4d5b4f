"""Carry out the recorded operations of backward again with one change, and see whether all gradients become right.

The user's code does not run again. Many changes are tried at once: one column of numbers for each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.lines.judgement import Judgement
from numpy_rnn.gradient_checking.lines.tape import Event, Operation

__all__ = ["Change", "Now", "Replay"]

Item = tuple[Array, Array]  # values and their numbers


@dataclass
class Now:
    """An operation in the run with a change."""

    index: int  # which of the changed operations
    operation: Operation
    inputs: list[Array]
    value: Array  # what it would be without a change of its own
    look: Callable[[Item], Array]  # the value of anything in that run


Change = Callable[[Now], Any]


class Replay:
    def __init__(self, j: Judgement) -> None:
        self.j, self.trace, self.repair, self.row = j, j.trace, j.repair, j.repair.row
        self.matrices: dict[int, tuple[Array, Array, Array, Array]] = {}
        self.settled: dict[int, tuple[Array, Array]] = {}  # where elements of the gradients are made: their errors
        made = j.made_by[self.repair.ids]
        for position in np.unique(made[made >= 0]):
            here = made == position
            self.settled[int(position)] = self.row[self.repair.ids[here]], self.repair.error[here]

    def mended_by_reading(self, groups: list[Event], changes: list[list[list[Array]]]) -> list[int]:
        """Return which changes of what is read make every gradient right: for each group, its new values."""
        alive = list(range(len(changes)))
        delta = np.zeros((self.repair.G.shape[0] + 1, len(alive)))
        waiting = list(range(len(groups)))
        for position, o in enumerate(self.trace.backward):
            wrong = np.zeros(len(alive), bool)
            while waiting and groups[waiting[0]].position <= o.index:
                i = waiting.pop(0)
                for before in groups[i - 1 : i] if i else []:
                    for _, ids in before.items:
                        delta[self.row[ids.ravel()]] = 0
                for column, k in enumerate(alive):
                    for (old, ids), new in zip(groups[i].items, changes[k][i], strict=True):
                        delta[self.row[ids.ravel()], column] = (new - old).ravel()
            self._advance(o, delta, wrong)
            delta, alive = self._without_wrong(position, delta, alive, wrong)
            if not alive:
                return []
        return self._all_right(delta, alive)

    def _without_wrong(self, position: int, delta: Array, alive: list[int], wrong: Array) -> tuple[Array, list[int]]:
        """Drop the changes with which a gradient that is made at a position is not right."""
        if position in self.settled:
            rows, errors = self.settled[position]
            wrong |= ~(np.abs(delta[rows] - errors[:, None]).max(axis=0) <= 1e-6 * self.repair.size)
        if not wrong.any():
            return delta, alive
        return delta[:, ~wrong], [k for k, w in zip(alive, wrong, strict=True) if not w]

    def mended(self, operations: list[Operation], changes: list[Change]) -> list[int]:
        """Return which changes of these operations make every gradient right."""
        return self._run(operations, changes, self._promising(operations, changes))

    def _promising(self, operations: list[Operation], changes: list[Change]) -> list[int]:
        """Return which changes mend the gradients that depend on the first operation and on none of the others."""
        o, G = operations[0], self.repair.G
        others = [p.out.ravel() for p in operations[1:]]
        alone = ~G[self.row[np.concatenate(others)]].any(axis=0) if others else np.ones(G.shape[1], bool)
        if not self.j.is_gradient_like(o) or not alone.any():
            return list(range(len(changes)))
        A, wanted = G[self.row[o.out.ravel()]][:, alone], self.repair.wanted[alone]
        now = self.now(0, o)
        found = []
        for k, change in enumerate(changes):
            d = self._difference(o, change, now)
            if d is not None and np.abs(d @ A - wanted).max() <= 1e-6 * self.repair.size:
                found.append(k)
        return found

    def now(self, index: int, o: Operation) -> Now:
        """Return an operation as it was recorded."""
        return Now(index, o, [np.asarray(x) for x in o.given], o.value, lambda item: item[0])

    def _difference(self, o: Operation, change: Change, now: Now) -> Array | None:
        try:
            new = np.asarray(change(now))
            new = new if new.shape == o.value.shape else np.broadcast_to(new, o.value.shape)
            return np.ravel(new - o.value)
        except Exception:  # most changes make no sense
            return None

    def _run(self, operations: list[Operation], changes: list[Change], alive: list[int]) -> list[int]:
        delta = np.zeros((self.repair.G.shape[0] + 1, len(alive)))  # the last row: what does not change
        index = {id(o): k for k, o in enumerate(operations)}
        for position in range(self.j.position[id(operations[0])], len(self.trace.backward)):
            if not alive:
                return []
            o, wrong = self.trace.backward[position], np.zeros(len(alive), bool)
            if id(o) in index:
                for column, k in enumerate(alive):
                    now = self._now(index[id(o)], o, delta[:, column])
                    d = self._difference(o, changes[k], now)
                    wrong[column] = d is None
                    delta[self.row[o.out.ravel()], column] = 0 if d is None else d
            else:
                self._advance(o, delta, wrong)
            delta, alive = self._without_wrong(position, delta, alive, wrong)
        return self._all_right(delta, alive)

    def _all_right(self, delta: Array, alive: list[int]) -> list[int]:
        error = np.abs(delta[self.row[self.repair.ids]] - self.repair.error[:, None]).max(axis=0, initial=0)
        return [k for k, e in zip(alive, error, strict=True) if e <= 1e-6 * self.repair.size]

    def _advance(self, o: Operation, delta: Array, wrong: Array) -> None:
        """Pass on what has changed: through the derivatives, where an operation is linear in what has changed."""
        columns, into, M, is_given = self._matrix(o)
        before = delta[columns]
        if not before.any():
            return
        delta[into] = M @ before
        if is_given.any():
            for k in np.flatnonzero(before[is_given].any(axis=0)):
                d = self._difference(o, lambda now: now.value, self._now(0, o, delta[:, k]))
                wrong[k] |= d is None
                delta[self.row[o.out.ravel()], k] = 0 if d is None else d

    def _matrix(self, o: Operation) -> tuple[Array, Array, Array, Array]:
        """Return the derivatives of an operation, and which of its inputs are values of forward."""
        if id(o) not in self.matrices:
            columns, c = np.unique(o.columns, return_inverse=True)
            into, r = np.unique(o.rows, return_inverse=True)
            M = np.zeros((len(into), len(columns)))
            np.add.at(M, (r, c), o.values)
            self.matrices[id(o)] = self.row[columns], self.row[into], M, ~self.j.depends[columns]
        return self.matrices[id(o)]

    def _now(self, index: int, o: Operation, delta: Array) -> Now:
        def look(item: Item) -> Array:
            return np.asarray(item[0] + delta[self.row[item[1]]])

        changes = [delta[self.row[ids]] for ids in o.inputs]
        if not any(d.any() for d in changes):
            return Now(index, o, [np.asarray(x) for x in o.given], o.value, look)
        inputs = [np.asarray(x + d) for x, d in zip(o.given, changes, strict=True)]
        return Now(index, o, inputs, np.asarray(o.f(inputs)[0]), look)
