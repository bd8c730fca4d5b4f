"""The gradients that a line of backward may compute, and which of them a given array is.

The gradient of a variable is the sum over its uses in forward. So there are three kinds: the whole gradient of an
expression, the share of a single use, and sums over some of the uses, which a running sum in backward has half way.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.lines.tape import Operation
from numpy_rnn.gradient_checking.lines.trace import Trace

__all__ = ["Quantities", "Quantity", "close", "factor_of", "sizes"]

MANY_USES = 5  # up to here every subset of the uses is tried


@dataclass
class Quantity:
    """One gradient: of the expression at `node`, when it was reached for the `time`-th time."""

    kind: str  # "total", "use" or "sum"
    node: int
    time: int
    gradient: Array
    variable: bytes = b""
    name: str = ""  # of a tensor
    ids: Array | None = None  # "total": the numbers of what it is the gradient of
    is_named: bool = False
    is_value: bool = False  # of an operation
    scale: int = 1  # of the loss: some divide by the batch size only at the end
    operands: tuple[tuple[int, int], ...] = ()  # "use", "sum": the nodes of the operations, which operand it is
    missing: list[int] = field(default_factory=list)  # the nodes of the others
    times: tuple[list[int], list[int]] = ([], [])  # at which both were reached

    @property
    def uses(self) -> list[int]:
        return [node for node, _ in self.operands]


def close(a: Array, b: Array) -> bool:
    """Whether a is b, up to rounding: differences between gradients are never that small by chance."""
    scale = np.abs(b).max(initial=0)
    return bool(np.abs(a - b).max(initial=0) <= 1e-7 * scale + 1e-12)


def factor_of(value: Array, gradient: Array) -> float | None:
    """Return c if value = c * gradient, rounded to what a person would write."""
    size = float(np.sum(gradient * gradient))
    if not size or value.size < 2:
        return None
    c = float(np.sum(value * gradient)) / size
    return float(f"{c:.9g}") if close(value, c * gradient) else None


class Quantities:
    """
    Attributes
    ----------
    all : list of Quantity
    families : dict
        The same quantity at all times.
    by_shape : dict
        All gradients of a shape, one per row, and their quantities.
    names : dict
        By variable: its gradient under its first name, and its numbers in the order that they have there.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace, self.g = trace, trace.g
        self.names: dict[bytes, tuple[Quantity, Array]] = {}
        self.all = [*self._totals(), *self._uses()]
        self._index()
        if scale := self._scale():
            self.all += [replace(q, gradient=scale * q.gradient, scale=scale) for q in self.all if not q.name]
            self._index()

    def _index(self) -> None:
        self.families: dict[tuple[Any, ...], list[Quantity]] = defaultdict(list)
        groups: dict[tuple[int, ...], list[Quantity]] = defaultdict(list)
        for q in self.all:
            self.families[q.kind, q.scale, *(q.operands or (q.node, q.name)), q.gradient.ndim].append(q)
            groups[q.gradient.shape].append(q)
        self.by_shape = {s: (np.array([q.gradient.ravel() for q in qs]), qs) for s, qs in groups.items()}

    def _scale(self) -> int | None:
        """Return n if several lines of backward compute n times a gradient, and what it returns is right in part."""
        trace = self.trace
        true = {name: trace.of_tensor(name, self.g) for name in trace.finals}
        got = [(trace.values[name], t) for name, t in true.items()]
        if not any(t.any() and value.shape == t.shape and close(value, t) for value, t in got):
            return None
        lines: dict[int, set[int]] = defaultdict(set)
        unknown = [o for o in trace.backward if o.value.size > 2 and not self.matches(o.value)]
        for n in sizes(trace):
            scaled = [o for o in unknown if any(q.kind == "total" for q in self.matches(o.value / n))]
            lines[n] = {trace.nodes[o.node].line for o in scaled}
        best = max(lines, key=lambda n: len(lines[n]), default=1)
        return best if len(lines[best]) > 1 else None

    def _totals(self) -> Iterator[Quantity]:
        trace, g = self.trace, self.g
        for name, leaves in trace.leaves.items():
            q = Quantity("total", -1, 0, trace.of_tensor(name, g), name=name, is_named=True)
            for ids in leaves[::-1]:
                q.variable = variable(ids)
                self.names.setdefault(q.variable, (q, ids))
            if leaves and name in trace.values:
                yield q
        kinds = ("note", "", "read", "argument", "return")
        events = [(e.kind, e.node, e.time, e.ids) for e in trace.forward_events if e.kind in kinds]
        found = []
        for kind, node, time, ids in [*events, *(("", o.node, o.time, o.out) for o in trace.forward)]:
            q = Quantity("total", node, time, g[ids], variable(ids), "", ids, kind == "note", kind == "")
            self.names.setdefault(q.variable, (q, ids))
            found.append((kinds.index(kind), q))
        yield from (q for _, q in sorted(found, key=lambda pair: pair[0]))

    def _uses(self) -> Iterator[Quantity]:
        groups = defaultdict(list)
        for o in self.trace.forward:
            for k, ids in enumerate(o.inputs):
                mine = o.of_input == k
                if mine.any():
                    low, flow = int(ids.min()), o.values[mine] * self.g[o.rows[mine]]
                    share = np.bincount(o.columns[mine] - low, flow, int(ids.max()) - low + 1)
                    groups[variable(ids)].append(((o.node, k), o.time, ids, low, share))
        for key, uses in groups.items():
            (node, _), time, ids = uses[0][:3]
            name, ids = self.names.get(key, (Quantity("total", node, time, ids), ids))
            shares = [share[ids - low] for *_, low, share in uses]
            for subset in subsets(len(uses)):
                kind = "use" if len(subset) == 1 else "sum"
                gradient = np.asarray(sum(shares[k] for k in subset))
                rest = [k for k in range(len(uses)) if k not in subset]
                q = Quantity(kind, name.node, name.time, gradient, key, name.name)
                q.operands = tuple(uses[k][0] for k in subset)
                q.missing = [uses[k][0][0] for k in rest]
                q.times = [uses[k][1] for k in subset], [uses[k][1] for k in rest]
                yield q

    def targets(self, operations: list[Operation]) -> Iterator[list[Quantity]]:
        """Yield gradients, at as many times, that the operations of one place could be meant to compute."""
        shapes = [o.value.shape for o in operations]
        for window in self._windows(len(operations), len(shapes[0])):
            if [q.gradient.shape for q in window] == shapes:
                yield window

    def _windows(self, n: int, ndim: int) -> Iterator[list[Quantity]]:
        for family in self.families.values():
            if family[0].gradient.ndim != ndim or len(family) < n:
                continue
            for start in range(len(family) - n + 1):
                window = family[start : start + n]
                yield window[::-1]
                if n > 1:
                    yield window
                for calls in (c for c in (2, 3) if n > c and n % c == 0):  # once per direction or layer
                    parts = [window[i : i + n // calls] for i in range(0, n, n // calls)]
                    yield [q for part in parts for q in part[::-1]]
                    yield [q for part in parts[::-1] for q in part]

    def identify(self, value: Array) -> Quantity | None:
        """Return the gradient that a value is: a whole one if possible, then one use, then a sum of some."""
        found = self.matches(value)
        whole = [q for q in found if q.kind == "total"]
        named = [q for q in whole if q.is_named]
        made = [q for q in whole if q.is_value and q.time == whole[0].time]
        if made and not named:  # of x @ W + b and its parts, the whole
            return made[-1]
        return min(named or found, key=lambda q: ("total", "use", "sum").index(q.kind), default=None)

    def matches(self, value: Array) -> list[Quantity]:
        if value.shape not in self.by_shape or not value.any():
            return []
        matrix, qs = self.by_shape[value.shape]
        v = value.ravel()
        errors = np.abs(matrix - v).max(axis=1)
        return [qs[k] for k in np.flatnonzero(errors <= 1e-7 * np.abs(v).max() + 1e-12)]


def sizes(trace: Trace) -> list[int]:
    """Return the numbers that could be a factor: lengths of axes, and of the first two together."""
    shapes = [o.value.shape for o in trace.forward] + list(trace.shapes.values())
    return sorted({n for shape in shapes for n in (*shape, int(np.prod(shape[:2]))) if n > 2})[:12]


def variable(ids: Array) -> bytes:
    """Return a key for a set of numbers: a matrix and its transpose are the same variable."""
    return np.sort(ids, axis=None).tobytes()


def subsets(n: int) -> Any:
    """Yield sets of uses: all of them for a few uses, otherwise single ones, the first k and the last k."""
    if n <= MANY_USES:
        for size in range(1, n + 1):
            yield from itertools.combinations(range(n), size)
        return
    yield from ((k,) for k in range(n))
    for k in range(2, n):
        yield tuple(range(k))
        yield tuple(range(n - k, n))
    for k in range(n):
        yield tuple(j for j in range(n) if j != k)
