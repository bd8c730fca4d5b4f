"""Which lines of backward could be wrong: those where other values would make all gradients right.

Backward is linear in the values of one of its lines, as far as everything after it is concerned. So with the
derivatives G of the returned gradients by those values, a change d of the values corrects the gradients if

    G d = true gradients - returned gradients                                                              (1)

A line for which (1) has no solution cannot be the only mistake.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.lines.tape import Operation
from numpy_rnn.gradient_checking.lines.trace import Trace

__all__ = ["Repair"]

MOST = 300  # equations: of more elements of gradients, a random sample is used


class Repair:
    """
    Attributes
    ----------
    ids, error : arrays
        Numbers of the elements of all gradients, and true minus returned ones: 0 where forward is not differentiable.
    wanted, names : arrays
        The errors of those that are equations, and the names of their tensors.
    wrong : list of str
        The tensors whose gradients are wrong.
    row : array
        For each number that backward makes or reads its row in G, otherwise -1.
    """

    def __init__(self, trace: Trace) -> None:
        names = [n for n, ids in trace.finals.items() if ids.shape == trace.shapes[n]]
        errors = [(trace.of_tensor(n, trace.g) - trace.values[n]) * ~trace.kinks[n] for n in names]
        self.ids = np.concatenate([np.zeros(0, int), *(trace.finals[n].ravel() for n in names)])
        self.error = np.concatenate([np.zeros(0), *map(np.ravel, errors)])
        made = [o.out.ravel() for o in trace.backward] + [ids.ravel() for e in trace.groups for _, ids in e.items]
        numbers = np.unique(np.concatenate([*made, self.ids, [0]]))
        self.row = np.full(trace.count, -1)
        self.row[numbers] = np.arange(len(numbers))
        self.size = np.abs(self.error).max(initial=0)
        owners = np.array([n for n in names for _ in range(trace.finals[n].size)])
        self.wrong = [n for n in names if np.abs(self.error[owners == n]).max(initial=0) > 1e-7 * self.size]
        tried = self._sample(np.random.default_rng(0))
        self.wanted, self.names = self.error[tried], owners[tried]
        self.G = np.zeros((len(numbers), len(tried)))
        np.add.at(self.G, (self.row[self.ids[tried]], np.arange(len(tried))), 1)
        self.G[0] = 0  # of constants
        for o in reversed(trace.backward):
            self._back(o)

    def _sample(self, rng: np.random.Generator) -> Array:
        """Return which elements of the gradients are equations: half of them wrong ones, if there are many."""
        wrong = np.abs(self.error) > 1e-7 * self.size
        parts = [rng.permutation(np.flatnonzero(which)) for which in (wrong, ~wrong)]
        half = max(MOST // 2, MOST - min(map(len, parts)))
        return np.sort(np.concatenate([part[:half] for part in parts]))

    def _back(self, o: Operation) -> None:
        order = np.argsort(o.columns, kind="stable")
        rows, columns = self.row[o.rows[order]], self.row[o.columns[order]]
        kept = np.flatnonzero(columns >= 0)
        kept = kept[self.G[rows[kept]].any(axis=1)]
        if len(kept):
            starts = np.flatnonzero(np.diff(columns[kept], prepend=-1))
            flow = o.values[order][kept, None] * self.G[rows[kept]]
            self.G[columns[kept[starts]]] += np.add.reduceat(flow, starts)

    def effect(self, o: Operation) -> Array:
        """Return the derivatives of the gradients that are equations by the values of an operation."""
        return np.asarray(self.G[self.row[o.out.ravel()]])

    def influences(self, o: Operation) -> bool:
        return bool(self.effect(o).any())

    def reached(self, o: Operation) -> set[str]:
        """Return the tensors whose gradients depend on an operation."""
        return set(self.names[self.effect(o).any(axis=0)])

    def possible(self, operations: Iterable[Operation]) -> bool:
        """Whether (1) has a solution for the values of these operations."""
        A = self.G[self.row[np.concatenate([[0], *(o.out.ravel() for o in operations)])]]
        A = A[A.any(axis=1)]
        if not len(A):
            return False
        return self._solves(A, self.wanted)

    def explained(self, operations: Iterable[Operation]) -> list[str]:
        """Return wrong gradients that other values of these operations could make right, all others as they are."""
        A = self.G[self.row[np.concatenate([o.out.ravel() for o in operations])]]
        A, names = A[A.any(axis=1)], self.names
        found: list[str] = []
        for order in (self.wrong[::-1], self.wrong) if len(A) else ():
            together: list[str] = []
            for name in order:
                kept = ~np.isin(names, [n for n in self.wrong if n not in (*together, name)])
                together += [name] * self._solves(A[:, kept], self.wanted[kept])
            found = max(found, together, key=len)
        return found

    def _solves(self, A: Array, wanted: Array) -> bool:
        solution = np.linalg.lstsq(A.T, wanted, rcond=1e-11)[0]
        return bool(np.abs(A.T @ solution - wanted).max(initial=0) <= 1e-6 * np.abs(wanted).max(initial=0))

    def is_special(self, o: Operation) -> bool:
        """Whether it is telling that (1) has a solution: it usually has if there are as many values as equations."""
        reached = np.any(self.effect(o), axis=0)
        wrong = np.abs(self.wanted) > 1e-7 * self.size
        return o.out.size < reached.sum() or (0 < reached.sum() < len(reached) and np.array_equal(reached, wrong))
