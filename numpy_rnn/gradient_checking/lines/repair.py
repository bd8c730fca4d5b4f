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
    def __init__(self, trace: Trace, g: Array) -> None:
        self.trace = trace
        names = [n for n, ids in trace.finals.items() if ids.shape == trace.shapes[n]]
        self.ends = np.repeat(names, [trace.finals[n].size for n in names]) if names else np.zeros(0, str)
        self.ids = np.concatenate([trace.finals[n].ravel() for n in names] or [np.zeros(0, int)])
        true = [trace.of_tensor(n, g).ravel() for n in names]
        smooth = [~trace.kinks[n].ravel() for n in names]
        got = [trace.values[n].ravel() for n in names]
        self.error = np.concatenate([(t - v) * s for t, v, s in zip(true, got, smooth, strict=True)] or [np.zeros(0)])
        made = [o.out.ravel() for o in trace.backward] + [ids.ravel() for r in trace.groups for _, ids in r.items]
        numbers = np.unique(np.concatenate([*made, self.ids, np.zeros(1, int)]))
        self.row = np.full(trace.count, -1)
        self.row[numbers] = np.arange(len(numbers))
        self.size = np.abs(self.error).max(initial=0)
        self.wrong = [n for n in names if np.abs(self.error[self.ends == n]).max(initial=0) > 1e-7 * self.size]
        self.tried = self._sample(np.random.default_rng(0))
        self.wanted = self.error[self.tried]
        self.G = np.zeros((len(numbers), len(self.tried)))
        np.add.at(self.G, (self.row[self.ids[self.tried]], np.arange(len(self.tried))), 1)
        self.G[self.row[0]] = 0
        for o in reversed(trace.backward):
            self._back(o)

    def _sample(self, rng: np.random.Generator) -> Array:
        """Return which elements of the gradients are equations: half of them wrong ones, if there are many."""
        wrong = np.abs(self.error) > 1e-7 * self.size
        parts = [rng.permutation(np.flatnonzero(which)) for which in (wrong, ~wrong)]
        half = max(MOST // 2, MOST - min(map(len, parts)))
        return np.sort(np.concatenate([part[:half] for part in parts]))

    def _back(self, o: Operation) -> None:
        rows, columns = self.row[o.rows], self.row[o.columns]
        kept = np.flatnonzero(columns >= 0)
        kept = kept[self.G[rows[kept]].any(axis=1)]
        if not len(kept):
            return
        kept = kept[np.argsort(columns[kept], kind="stable")]
        columns = columns[kept]
        starts = np.flatnonzero(np.r_[True, columns[1:] != columns[:-1]])
        self.G[columns[starts]] += np.add.reduceat(o.values[kept, None] * self.G[rows[kept]], starts)

    def influences(self, o: Operation) -> bool:
        return bool(self.G[self.row[o.out.ravel()]].any())

    def reached(self, o: Operation) -> set[str]:
        """Return the tensors whose gradients depend on an operation."""
        return set(self.ends[self.tried][self.G[self.row[o.out.ravel()]].any(axis=0)])

    def possible(self, operations: Iterable[Operation]) -> bool:
        """Whether (1) has a solution for the values of these operations."""
        made = [o.out.ravel() for o in operations]
        A = self.G[self.row[np.concatenate(made)]] if made else self.G[:0]
        A = A[A.any(axis=1)]
        if not len(A):
            return False
        return self._solves(A, self.wanted)

    def explained(self, operations: Iterable[Operation]) -> list[str]:
        """Return wrong gradients that other values of these operations could make right, all others as they are."""
        A = self.G[self.row[np.concatenate([o.out.ravel() for o in operations])]]
        A, names = A[A.any(axis=1)], self.ends[self.tried]
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
        reached = self.G[self.row[o.out.ravel()]].any(axis=0)
        wrong = np.abs(self.wanted) > 1e-7 * self.size
        return o.out.size < reached.sum() or (0 < reached.sum() < len(reached) and np.array_equal(reached, wrong))
