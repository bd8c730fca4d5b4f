"""The changes of one line of backward, or of what it reads, that make every gradient right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.lines.changes import REDUCTIONS, Correction, changes, listed, on_value, plus, subsets
from numpy_rnn.gradient_checking.lines.judgement import Judgement
from numpy_rnn.gradient_checking.lines.quantities import Quantity
from numpy_rnn.gradient_checking.lines.replay import Change, Now, Replay
from numpy_rnn.gradient_checking.lines.series import Values, braced
from numpy_rnn.gradient_checking.lines.tape import Event, Operation

__all__ = ["Corrections"]

MOST = 20_000  # changes of one line, times the number of its steps
COST = {"total": 2.0, "use": 3.0, "sum": 3.5}


class Corrections:
    def __init__(self, j: Judgement) -> None:
        self.j, self.trace, self.replay, self.values = j, j.trace, Replay(j), Values(j)

    def of(self, operations: list[Operation], every: list[Operation]) -> list[Correction]:
        """Return the corrections of those operations of one place that have an effect."""
        o = operations[0]
        found = self._mended(every, list(self._accumulations(every)))
        if all(p.value.ndim == o.value.ndim and len(p.given) == len(o.given) for p in operations):
            other = [c for k in range(len(o.given)) for c in self._other_axes(operations, k)]
            other += changes(self.j, self.values, operations, self.j.assigned(o))
            tried = sorted(other, key=lambda c: c.cost)
            found += self._mended(operations, [*self._targets(operations), *tried[: MOST // len(operations)]])
        return found

    def _mended(self, operations: list[Operation], corrections: list[Correction]) -> list[Correction]:
        found = []
        for k in self.replay.mended(operations, [c.change for c in corrections]) if corrections else []:
            o, c = operations[0], corrections[k]
            c.words = c.words.format(*(self.values.source(o, i) for i in range(len(o.given))))
            c.becomes = self.j.quantities.identify(np.asarray(c.change(self.replay.now(0, o))))
            found.append(c)
        return found

    def _accumulations(self, operations: list[Operation]) -> Iterator[Correction]:
        """`+=` in place of `=`."""
        words = "`+=` belongs here: `=` overwrites what "
        before = [p.overwritten if not p.slot else None for p in operations]
        if sum(b is not None for b in before) >= max(1, len(before) - 3):

            def change(now: Now) -> Any:
                lost = before[now.index]
                return now.value if lost is None else now.value + now.look(lost)

            yield Correction(1, f"{words}was there before", change, is_sum=True)
        function, times = self.trace.nodes[operations[0].node].function, [o.index for o in operations]
        name = f"`{braced(self.j.assigned(operations[0]))}`"
        for s in (s for s in self.values.near(function, times) if s.words == name and s.always):
            yield Correction(1, f"{words}{name} has accumulated before", on_value(plus(s, 1)), is_sum=True)
        last, node = operations[-1], self.trace.nodes[operations[0].node]
        if len(operations) > 1 and not any(map(self.j.repair.influences, operations[:-1])) and node.loops():
            others = [(p.value, p.out) for p in operations[:-1]]

            def add_up(now: Now) -> Any:
                return now.value + sum(map(now.look, others)) if now.operation is last else now.value

            yield Correction(1, f"{words}the steps before have computed", add_up, is_sum=True)

    def _targets(self, operations: list[Operation]) -> Iterator[Correction]:
        """Yield gradients that the operations could be meant to compute."""
        o = operations[0]
        is_zero = not any(p.value.any() for p in operations)
        may_start = not self.j.has_upstream and self.j.repair.possible(operations)  # dlogits = p - 1
        if not is_zero and not may_start and not self.j.is_gradient_like(o):
            return
        nothing = Quantity("total", -1, 0, np.zeros(o.value.shape))  # nothing comes back to the last step
        for start in [[], [nothing]] if len(operations) > 1 and not o.value.any() else [[]]:
            for window in self.j.quantities.targets(operations[len(start) :]):
                cost = 1.1 if is_zero else COST[window[0].kind]
                yield Correction(cost, "", gradient_of(start + window), start + window)

    def _other_axes(self, operations: list[Operation], k: int) -> Iterator[Correction]:
        """Yield other axes for an operand that is a sum: the result need not have the same shape."""
        made = [m for o in operations if (m := self.maker(o, k)) is not None and m.name in REDUCTIONS]
        for axes in subsets(np.ndim(made[0].given[0])) if len(made) == len(operations) else ():
            words = f"the sum `{{{k}}}` should be over axis {listed(axes)}"
            yield Correction(1.5, words, over_other_axes(made, k, axes), operand=k)

    def maker(self, o: Operation, k: int) -> Operation | None:
        """Return the operation of backward that made the whole of an operand."""
        made = np.unique(self.j.made_by[o.inputs[k]])
        return self.trace.backward[made[0]] if len(made) == 1 and made[0] >= 0 else None

    def of_reading(self, groups: list[Event]) -> list[Correction]:
        """Return what should be read at a place in the source in place of arrays of forward."""
        first, shapes = groups[0], [ids.shape for _, ids in groups[0].items]
        given = [k for k, (_, ids) in enumerate(first.items) if ids.size and self.values.of_forward[ids].all()]
        if not given or any([ids.shape for _, ids in g.items] != shapes for g in groups):
            return []
        node, old = self.trace.nodes[first.node], [[v for v, _ in g.items] for g in groups]
        tried: list[tuple[float, str, list[list[Array]]]] = []
        if len(first.elements) > 1 and all([v.shape for v in e] == shapes for e in first.elements):
            for step in (1, -1):
                shifted, ordered = [g.place + step for g in groups], range(len(groups))[::step]
                for how, places in (("at the wrong step", shifted), ("in the wrong order", ordered)):
                    pairs = zip(groups, places, strict=True)
                    new = [g.elements[p % len(g.elements)] for g, p in pairs]
                    tried.append((1.3, f"`{node.text}` is read {how}", new))
        every = self.values.at(node.function, [g.position for g in groups])
        for k in given:
            name = self.values.name(first.items[k][1], groups[-1].position + 1)
            for s in (s for s in every if not s.is_turned and (s.is_near or s.is_named)):
                if any(v.shape != shapes[k] for v, _ in s.items):
                    continue
                cost, words = 1.7 if s.is_near else 2.2, f"{s.words} belongs in place of `{name}`"
                if s.words.startswith(f"`{node.text}` (line"):
                    cost, words = (
                        1.3,
                        f"this `{node.text}` is not {s.words}: forward keeps another array in its place",
                    )
                rows = zip(old, s.items, strict=True)
                new = [[item[0] if m == k else v for m, v in enumerate(values)] for values, item in rows]
                tried.append((cost + 0.3 * (len(given) > 1), words, new))
        return self._right(groups, tried)

    def of_exchange(self, first: list[Event], second: list[Event]) -> list[Correction]:
        """Return whether two names that one line gives to arrays of forward should be exchanged."""
        pairs = list(zip(first, second, strict=True))
        if not all(a.ids.shape == b.ids.shape and self.values.of_forward[[a.ids, b.ids]].all() for a, b in pairs):
            return []
        groups = [replace(a, items=[*a.items, *b.items]) for a, b in pairs]
        a, b = (self.trace.nodes[events[0].node].text for events in (first, second))
        return self._right(groups, [(2.2, f"`{a}` and `{b}` are exchanged", [[b.value, a.value] for a, b in pairs])])

    def _right(self, groups: list[Event], tried: list[tuple[float, str, list[list[Array]]]]) -> list[Correction]:
        right = [tried[k] for k in self.replay.mended_by_reading(groups, [new for _, _, new in tried])]
        return [Correction(cost, words.replace("{{", "{").replace("}}", "}"), unchanged) for cost, words, _ in right]


def gradient_of(qs: list[Quantity]) -> Change:
    return lambda now: qs[now.index].gradient


def over_other_axes(made: list[Operation], k: int, axes: tuple[int, ...]) -> Change:
    def change(now: Now) -> Any:
        m = made[now.index]
        new = getattr(np, m.name)(now.look((m.given[0], m.inputs[0])), axis=axes, keepdims=True)
        return now.operation.f([*now.inputs[:k], new, *now.inputs[k + 1 :]])[0]

    return change


def unchanged(now: Now) -> Array:
    return now.value
