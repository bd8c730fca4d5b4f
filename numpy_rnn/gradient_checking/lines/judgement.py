"""What each operation of backward computes, and whether that is right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.lines.quantities import Quantities, Quantity, close
from numpy_rnn.gradient_checking.lines.repair import Repair
from numpy_rnn.gradient_checking.lines.tape import Operation
from numpy_rnn.gradient_checking.lines.trace import Trace

__all__ = ["Judgement"]


class Judgement:
    """What each operation of backward computes."""

    def __init__(self, trace: Trace) -> None:
        self.trace, self.quantities = trace, Quantities(trace)
        self.repair = Repair(trace, self.quantities.g)
        self.what = {id(o): self.quantities.identify(o.value) for o in trace.backward}
        self.position = {id(o): k for k, o in enumerate(trace.backward)}
        self.depends = self._depends_on_upstream()
        self.right = self._right()
        self.families = list(self.quantities.families.values())
        self.by_place: dict[tuple[int, int], list[Operation]] = defaultdict(list)
        self.by_node: dict[int, list[Operation]] = defaultdict(list)
        for o in trace.backward:
            self.by_place[o.node, o.slot].append(o)
            self.by_node[o.node].append(o)
        self.passed_on = self._passed_on()
        self.maker = np.full(trace.count, -1)  # the node that made a number
        self.made_by = np.full(trace.count, -1)  # the position of that operation
        self.was_read = np.zeros(trace.count, bool)
        self.read_by: list[list[int]] = []  # the positions of the operations that made what an operation reads
        for k, o in enumerate(trace.backward):
            self.was_read[o.columns] = True
            self.read_by.append([p for p in np.unique(self.made_by[o.columns]).tolist() if p >= 0])
            self.maker[o.out], self.made_by[o.out] = o.node, k

    def _depends_on_upstream(self) -> Array:
        """Return for every number whether it comes from the upstream gradient, or from what is a gradient."""
        depends = np.zeros(self.trace.count, bool)
        for ids in self.trace.upstream:
            depends[ids] = True
        start = not depends.any()
        self.known_values = self._known_values()
        for o in self.trace.backward:
            depends[o.rows[depends[o.columns]]] = True
            if start and self.what[id(o)] is not None:
                depends[o.out] = True
        self.has_upstream = not start
        return depends

    def has_effect(self, o: Operation) -> bool:
        """Whether an operation, which is no value of forward, contributes to a gradient."""
        return bool(o.given) and self.repair.influences(o) and not self.is_known_value(o.value)

    def _passed_on(self) -> Array:
        """Return for every number whether it is an element of the upstream gradient, perhaps moved."""
        passed = np.zeros(self.trace.count, bool)
        for ids in self.trace.upstream:
            passed[ids] = True
        for o in self.trace.backward:
            if o.moves:
                passed[o.rows[passed[o.columns]]] = True
        return passed

    def is_gradient_like(self, o: Operation) -> bool:
        return bool(self.depends[o.out].any()) or not self.has_upstream and self.has_effect(o)

    def is_right(self, o: Operation) -> bool:
        return self.right[id(o)]

    def loses(self, o: Operation) -> bool:
        """Whether an assignment overwrites what the same line wrote before, and nobody has read."""
        if o.lost is None:
            return False
        lost = o.lost.ravel()
        return bool((self.maker[lost] == o.node).any() and not self.was_read[lost[self.maker[lost] == o.node]].all())

    def is_double(self, o: Operation) -> bool:
        """Whether another operation computes the same, and not only because it passes this value on."""
        if o.moves:
            return False
        for p in self.trace.backward:
            if p.node != o.node and not p.moves and p.value.shape == o.value.shape and close(p.value, o.value):
                is_sum = len(np.unique(p.of_input)) > 1
                if is_sum or not np.isin(p.columns, o.out).any():
                    return True
        return False

    def values_of_shape(self, shape: tuple[int, ...]) -> list[Array]:
        found = [o.value for o in self.trace.forward if o.value.shape == shape]
        return found + [e.value for e in self.trace.forward_events if e.value.shape == shape]

    def sources_of_places(self, o: Operation) -> set[int]:
        """Return the nodes of the assignments that wrote what an operation reads."""
        return {self.trace.backward[k].node for k in np.unique(self.made_by[o.columns]) if k >= 0}

    def is_unknown(self, o: Operation) -> bool:
        is_known = self.what[id(o)] is not None or not o.value.any() or self.is_multiple_of_known(o.value)
        return self.is_gradient_like(o) and not is_known

    def _right(self) -> dict[int, bool]:
        """An operation is right if its value is a gradient, or a sum that adds up such values."""
        right: dict[int, bool] = {}
        bad, made = np.zeros(self.trace.count, bool), np.zeros(self.trace.count, bool)
        for o in self.trace.backward:
            added = o.part is not None and (
                not o.part.any() or any(q.kind == "use" or q.missing for q in self.quantities.matches(o.part))
            )
            moved = o.moves and (made[o.columns]).any() and not bad[o.columns].any()
            is_sum = (added or moved) and not bad[o.columns].any() and len(np.unique(o.out)) == o.out.size
            right[id(o)] = self.what[id(o)] is not None or is_sum or not o.value.any()
            made[o.out] = True
            bad[o.out] = not right[id(o)]
        return right

    def is_visible(self, node: int) -> bool:
        """Whether another line, or the same line at another time, reads what the node computes."""
        return node in self._visible

    @property
    def _visible(self) -> set[int]:
        if not hasattr(self, "_visible_nodes"):
            maker = self.maker
            lines = [(n.filename, n.line) for n in self.trace.nodes]
            used: set[int] = {int(n) for n in np.unique(maker[self.repair.ids]) if n >= 0}
            read: set[int] = set(used)
            for o in self.trace.backward:
                for node in {int(n) for n in np.unique(maker[o.columns]) if n >= 0}:
                    read.add(node)
                    if lines[node] != lines[o.node]:
                        used.add(node)
            self._visible_nodes = used
        return self._visible_nodes

    def _known_values(self) -> dict[tuple[int, ...], Array]:
        """Return the values of forward, and the slopes of its elementwise operations, by shape."""
        found: dict[tuple[int, ...], list[Array]] = defaultdict(list)
        for o in self.trace.forward:
            found[o.value.shape].append(o.value.ravel())
            if o.out.ndim:
                found[o.out.shape] += [slope.ravel() for slope in self.slopes(o)]
        return {shape: np.array(values) for shape, values in found.items() if shape}

    def slopes(self, o: Operation) -> Iterator[Array]:
        """Yield the derivatives of an elementwise operation by each of its inputs, in the shape of its output."""
        for k in range(len(o.inputs)):
            mine = o.of_input == k
            if mine.sum() == o.out.size and len(np.unique(o.rows[mine])) == o.out.size:
                slope = np.zeros(o.out.size)
                slope[o.rows[mine] - o.out.min()] = o.values[mine]
                yield slope.reshape(o.out.shape)

    def is_known_value(self, value: Array) -> bool:
        known = self.known_values.get(value.shape)
        return known is not None and bool(
            (np.abs(known - value.ravel()).max(axis=1) <= 1e-9 * np.abs(value).max()).any()
        )

    def is_multiple_of_known(self, value: Array) -> bool:
        """Whether a value is a gradient times a value of forward (or divided by one), up to a number."""
        known, own = self.known_values.get(value.shape), self.quantities.by_shape.get(value.shape)
        if known is None or own is None or value.size < 3 or not value.all():
            return False
        with np.errstate(all="ignore"):
            for gradient in np.unique(own[0], axis=0):
                ratio = value.ravel() / gradient
                if not np.isfinite(ratio).all() or np.ptp(ratio) <= 1e-9 * np.abs(ratio).max():
                    continue
                for factor in (ratio / known, ratio * known):
                    spread = np.ptp(factor, axis=1)
                    if (spread <= 1e-8 * np.abs(factor).max(axis=1)).any():
                        return True
        return False

    def line(self, o: Operation) -> tuple[str, int]:
        node = self.trace.nodes[o.node]
        return node.filename, node.line

    def makers(self, o: Operation) -> list[Operation]:
        """Return the operations of other lines of backward that made what an operation, or its line before it, reads."""
        found, waiting, seen = [], [self.position[id(o)]], {self.position[id(o)]}
        while waiting:
            for k in self.read_by[waiting.pop()]:
                if k not in seen:
                    seen.add(k)
                    same_line = self.line(self.trace.backward[k]) == self.line(o)
                    waiting += [k] * same_line
                    found += [] if same_line else [self.trace.backward[k]]
        return found

    def sources(self, o: Operation) -> set[int]:
        """Return the positions of the operations that computed what an operation passes on, by moving it."""
        found: set[int] = set()
        waiting, seen = [self.position[id(o)]], {self.position[id(o)]}
        while waiting:
            k = waiting.pop()
            o = self.trace.backward[k]
            makers = {int(n) for n in np.unique(self.made_by[o.columns]) if n >= 0} if o.moves else set()
            found |= set() if makers else {k}
            waiting += makers - seen
            seen |= makers
        return found

    def same_sources(self, a: Operation, b: Operation) -> bool:
        def nodes(o: Operation) -> set[int]:
            every = self.by_place[o.node, o.slot]
            return {self.trace.backward[k].node for each in every for k in self.sources(each)}

        return nodes(a) == nodes(b)

    def targets(self, operations: list[Operation]) -> Iterator[list[Quantity]]:
        """Yield what the operations of one line could be meant to compute: a gradient at the same number of times."""
        k, shape = len(operations), operations[0].value.shape
        for family in self.families:
            if family[0].gradient.shape != shape or len(family) < k:
                continue
            for start in range(len(family) - k + 1):
                window = family[start : start + k]
                yield window[::-1]
                if k > 1:
                    yield window
                for calls in (
                    2,
                    3,
                ):  # a function with the loop in it, called several times: once per direction or layer
                    if k > calls and k % calls == 0:
                        parts = [window[i : i + k // calls] for i in range(0, k, k // calls)]
                        yield [q for part in parts for q in part[::-1]]
                        yield [q for part in parts[::-1] for q in part]

    def target(self, operations: list[Operation]) -> list[Quantity] | None:
        """Return the gradients that the operations should compute, if those make everything right."""
        if any(o.value.shape != operations[0].value.shape for o in operations):
            return None
        best, parts = None, {q.variable for q in self.quantities.matches(operations[0].value) if q.missing}
        nothing = Quantity("total", -1, 0, 0 * operations[0].value)
        # Nothing comes back to the last step: `dh_next = 0` before the loop.
        starts = [[], [nothing]] if len(operations) > 1 and not operations[0].value.any() else [[]]
        for start in starts:
            for window in self.targets(operations[len(start) :]):
                order = rank(window[0]), window[0].variable not in parts
                if best is not None and order >= best[0]:
                    continue
                new = {id(o): q.gradient for o, q in zip(operations, start + window, strict=True)}
                if self.repair.mended(new):
                    best = order, start + window
        return best[1] if best else None


def rank(q: Quantity) -> int:
    return ("total", "use", "sum").index(q.kind)
