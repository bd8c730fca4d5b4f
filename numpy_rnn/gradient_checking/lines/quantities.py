"""The gradients that a line of backward may compute, and which of them a given array is.

The gradient of a variable is the sum over its uses in forward. So there are three kinds: the whole gradient of an
expression, the share of a single use, and sums over some of the uses, which a running sum in backward has half way.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.lines.trace import Trace

__all__ = ["Quantities", "Quantity", "close", "factor_of"]

MANY_USES = 5  # up to here every subset of the uses is tried


@dataclass
class Quantity:
    """One gradient: of the expression at `node`, when it was reached for the `time`-th time."""

    kind: str  # "total", "use" or "sum"
    node: int
    time: int
    gradient: Array
    uses: list[int] = field(default_factory=list)  # "use", "sum": the nodes of the operations
    missing: list[int] = field(default_factory=list)  # "sum", "use": the nodes of the others
    name: str = ""  # of a tensor
    variable: bytes = b""
    is_named: bool = False
    is_value: bool = False  # of an operation
    ids: Array | None = None  # "total": the numbers of what it is the gradient of


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
    def __init__(self, trace: Trace) -> None:
        self.trace, self.g = trace, trace.g
        self.all: list[Quantity] = []
        self.families: dict[Any, list[Quantity]] = defaultdict(list)
        self._totals()
        self._uses()
        self.by_shape: dict[tuple[int, ...], tuple[Array, list[Quantity]]] = {}
        groups: dict[tuple[int, ...], list[Quantity]] = defaultdict(list)
        for q in self.all:
            groups[q.gradient.shape].append(q)
        for shape, qs in groups.items():
            self.by_shape[shape] = np.array([q.gradient.ravel() for q in qs]).reshape(len(qs), -1), qs

    def _totals(self) -> None:
        trace, g = self.trace, self.g
        for name in trace.leaves:
            gradient = trace.of_tensor(name, g) if name in trace.values else None
            if gradient is not None and trace.leaves[name]:
                self._add(
                    Quantity(
                        "total", -1, 0, gradient, name=name, variable=variable(trace.leaves[name][0]), is_named=True
                    )
                )
        events = [e for e in trace.forward_events if e.kind != "write"]
        named = sorted(events, key=lambda e: ("note", "read", "argument", "append", "return").index(e.kind))
        for e in (e for e in named if e.kind == "note"):
            q = Quantity("total", e.node, e.time, g[e.ids], variable=variable(e.ids), is_named=True, ids=e.ids)
            self._add(q)
        for o in trace.forward:
            self._add(Quantity("total", o.node, o.time, g[o.out], variable=variable(o.out), is_value=True, ids=o.out))
        for e in (e for e in named if e.kind != "note"):
            self._add(Quantity("total", e.node, e.time, g[e.ids], variable=variable(e.ids), ids=e.ids))

    def _add(self, q: Quantity) -> None:
        """The same quantity at other times belongs to the same family."""
        self.all.append(q)
        self.families[q.kind, q.node, q.name, q.gradient.shape].append(q)

    def _uses(self) -> None:
        g, groups = self.g, defaultdict(list)
        names: dict[Any, tuple[Any, int, Any]] = {}  # variable: a set of numbers -> where it is named first
        for name, found in self.trace.leaves.items():
            for ids in found:
                names.setdefault(variable(ids), (name, 0, ids))
        for e in (e for e in self.trace.forward_events if e.kind != "write"):
            names.setdefault(variable(e.ids), (e.node, e.time, e.ids))
        for o in self.trace.forward:
            names.setdefault(variable(o.out), (o.node, o.time, o.out))
            for k, ids in enumerate(o.inputs):
                mine = o.of_input == k
                if not mine.any():
                    continue
                low, columns = int(ids.min()), o.columns[mine]
                share = np.bincount(columns - low, o.values[mine] * g[o.rows[mine]], int(ids.max()) - low + 1)
                groups[variable(ids)].append((o, low, share, ids, k))
        for key, uses in groups.items():
            place, time, ids = names.get(key, (uses[0][0].node, uses[0][0].time, uses[0][3]))
            shares, nodes = [share[ids - low] for _, low, share, _, _ in uses], [o.node for o, *_ in uses]
            n = len(uses)
            for subset in subsets(n):
                kind = "use" if len(subset) == 1 else "sum"
                gradient = np.asarray(sum(shares[k] for k in subset))
                q = Quantity(kind, place if isinstance(place, int) else -1, time, gradient, variable=key)
                q.uses, q.missing = [nodes[k] for k in subset], [nodes[k] for k in range(n) if k not in subset]
                q.name = place if isinstance(place, str) else ""
                self.all.append(q)
                which = tuple((uses[k][0].node, uses[k][4]) for k in subset)
                self.families[kind, gradient.shape, which].append(q)

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
