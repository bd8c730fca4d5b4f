"""What one line of backward may have been meant to compute: small changes of one operation."""

from __future__ import annotations

import ast
import itertools
import operator
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.lines.judgement import Judgement
from numpy_rnn.gradient_checking.lines.quantities import Quantity
from numpy_rnn.gradient_checking.lines.replay import Change, Item, Now, Replay
from numpy_rnn.gradient_checking.lines.tape import Event, Group, Operation

__all__ = ["Correction", "Corrections"]

OPERATORS = {"add": ("+", "sub"), "sub": ("-", "add"), "mul": ("*", "truediv"), "truediv": ("/", "mul")}
MOST = 20_000  # changes of one line, times the number of its steps
REDUCTIONS = ("sum", "mean", "max", "min", "prod")
COST = {"total": 2.0, "use": 3.0, "sum": 3.5}


@dataclass
class Series:
    """What may be used at each of the operations of a line."""

    words: str
    items: list[Item]
    near: bool  # it has a name in the same function
    always: bool = True  # before the first of the operations too
    is_named: bool = False  # in forward


@dataclass
class Correction:
    cost: float
    words: str  # {0} stands for the first operand
    change: Change
    target: list[Quantity] | None = None  # the gradients that the operations should compute
    operand: int | None = None  # the operand that is to blame
    is_order: bool = False  # the elements are right, in another order
    is_operator: bool = False  # another operator
    becomes: Quantity | None = None  # what the value is with the change


class Corrections:
    def __init__(self, j: Judgement) -> None:
        self.j, self.trace, self.replay = j, j.trace, Replay(j)
        self.environment: dict[tuple[str, str], list[Event]] = defaultdict(list)
        for e in self.trace.backward_events:
            node = self.trace.nodes[e.node]
            if e.kind in ("note", "read"):
                self.environment[node.function, node.text].append(e)
        self.of_forward = np.zeros(self.trace.count, bool)
        for e in self.trace.forward_events:
            self.of_forward[e.ids] = True
        for o in self.trace.forward:
            for ids in (o.out, *o.inputs):
                self.of_forward[ids] = True
        self.families: dict[tuple[str, int], list[Item]] = defaultdict(list)
        for e in self.trace.forward_events:
            if e.kind in ("note", "read"):
                self.families[e.kind, e.node].append((e.value, e.ids))
        for o in self.trace.forward:
            self.families["value", o.node].append((o.value, o.out))
            for k, slope in enumerate(j.slopes(o)):
                self.families[f"slope {k}", o.node].append((slope, np.zeros(slope.shape, int)))
        shapes = [o.value.shape for o in self.trace.forward] + list(self.trace.shapes.values())
        found = {n for shape in shapes for n in shape} | {int(np.prod(shape[:2])) for shape in shapes}
        self.sizes = sorted(n for n in found if n > 2)[:12]

    def of(self, operations: list[Operation], every: list[Operation]) -> list[Correction]:
        """Return the changes that make every gradient right: of those operations of one place that have an effect."""
        o = operations[0]
        found = self._mended(every, list(self._accumulations(every)))
        if all(p.value.shape == o.value.shape and len(p.given) == len(o.given) for p in operations):
            changes = sorted(self._changes(operations), key=lambda c: c.cost)[: MOST // len(operations)]
            found += self._mended(operations, [*self._targets(operations), *changes])
        return found

    def _mended(self, operations: list[Operation], corrections: list[Correction]) -> list[Correction]:
        found = []
        for k in self.replay.mended(operations, [c.change for c in corrections]) if corrections else []:
            o, c = operations[0], corrections[k]
            c.words = c.words.format(*(self._input(o, k) for k in range(len(o.given))))
            new = c.change(self.replay.now(0, o))
            c.becomes = self.j.quantities.identify(np.asarray(new))
            found.append(c)
        return found

    def _accumulations(self, operations: list[Operation]) -> Iterator[Correction]:
        """`+=` in place of `=`."""
        name = self._assigned(operations[0])
        words = "`+=` belongs here: `=` overwrites what "
        before = [(p.before, p.lost) if p.before is not None else None for p in operations]
        if len(operations) > 1 and sum(b is not None for b in before) >= len(before) - 3:
            yield Correction(1, words + "was there before", lambda now: now.value + (now.look(before[now.index]) if before[now.index] else 0))
        if name:
            for s in self._every_series(*self._where(operations)):
                if s.words == f"`{name}`" and s.always:
                    yield Correction(1, f"{words}{s.words} has accumulated before", lambda now, s=s: now.value + now.look(s.items[now.index]))

    def _targets(self, operations: list[Operation]) -> Iterator[Correction]:
        o = operations[0]
        nothing = Quantity("total", -1, 0, np.zeros(o.value.shape))  # nothing comes back to the last step
        for start in [[], [nothing]] if len(operations) > 1 and not o.value.any() else [[]]:
            is_zero = not any(p.value.any() for p in operations)
            for window in self.j.targets(operations[len(start) :]) if is_zero or self.j.is_gradient_like(o) else ():
                qs = start + window
                yield Correction(1.1 if is_zero else COST[window[0].kind], "", lambda now, qs=qs: qs[now.index].gradient, qs)

    def _changes(self, operations: list[Operation]) -> Iterator[Correction]:
        o, shape = operations[0], operations[0].value.shape
        every = list(self._series(*self._where(operations)))
        if len(operations) > 1:
            every.append(Series("the value of another step", [(p.value, p.out) for p in reversed(operations)], False))
        for s in [s for s in every if s.near and 1 < s.items[0][0].ndim < 5]:
            for axes in (a for r in (1, 2) for a in itertools.combinations(range(s.items[0][0].ndim), r)):
                if s.items[0][0].sum(axis=axes).shape == shape:
                    words = f"{s.words} summed over axis {' and '.join(map(str, axes))}"
                    for k in range(len(o.given) if o.f else 0):
                        if np.shape(o.given[k]) == shape:
                            yield Correction(2, f"{words} belongs in place of {{{k}}}", lambda now, k=k, s=s, axes=axes: self._with(now, k, now.look(s.items[now.index]).sum(axis=axes)))
        uses_gradients = self.j.is_gradient_like(o)
        for cost, words, f in self._of_value(shape, every if uses_gradients else []):
            yield Correction(cost, words, lambda now, f=f: f(now, now.value), is_order=" axis " in words)
        if o.name in OPERATORS and len(o.given) == 2:
            symbol, other = OPERATORS[o.name]
            words = f"`{OPERATORS[other][0]}` belongs in place of `{symbol}`"
            change = lambda now: getattr(operator, other)(*now.inputs)  # noqa: E731
            yield Correction(0.9, words, change, is_operator=symbol in "+-")
        for s in every:
            if s.items[0][0].shape == shape:
                look, cost = self._look(s), 2 if s.near else 3
                yield Correction(cost, f"{s.words} belongs here", lambda now, look=look: look(now))
                if not uses_gradients:
                    continue
                words = f"the path through {s.words} is missing"
                cost -= 0.3 * s.near
                yield Correction(cost, words, lambda now, look=look: now.value + look(now))
                yield Correction(cost + 0.5, words, lambda now, look=look: now.value - look(now))
        for i, k in itertools.combinations(range(len(o.given)), 2):
            if np.shape(o.given[i]) == np.shape(o.given[k]):
                order = list(range(len(o.given)))
                order[i], order[k] = k, i
                yield Correction(1.5, f"{{{i}}} and {{{k}}} are exchanged", lambda now, order=order: now.operation.f([now.inputs[m] for m in order])[0])
        for k, x in enumerate(o.given):
            if np.shape(x) == shape and len(o.given) > 1:
                rest = " and ".join(f"{{{i}}}" for i in range(len(o.given)) if i != k)
                yield Correction(2, f"{rest} does not belong here", lambda now, k=k: now.inputs[k])
            if o.f is None:
                continue
            for cost, words, f in self._of_value(np.shape(x), every if uses_gradients else [], shape):
                yield Correction(cost + 0.2, f"{words}: {{{k}}}", lambda now, k=k, f=f: self._with(now, k, f(now, now.inputs[k])), operand=k)
            if len(operations) > 1:
                order = [(p.given[k], p.inputs[k]) for p in reversed(operations)]
                yield Correction(2, "the order of {%d} over the steps should be reversed" % k, lambda now, k=k, order=order: self._with(now, k, now.look(order[now.index])))
            for s in every:
                if s.items[0][0].shape == np.shape(x):
                    same = s.words.startswith(f"{self._input(o, k)} (line")
                    yield Correction(1.5 if s.near else 2 + same, f"{s.words} belongs in place of {{{k}}}", lambda now, k=k, look=self._look(s): self._with(now, k, look(now)))
            yield from self._other_reductions(operations, k)
            for axes in (a for r in range(1, np.ndim(x) + 1) for a in itertools.combinations(range(np.ndim(x)), r)):
                name = o.name if o.name in REDUCTIONS else "sum"
                words = f"the {name} of {{{k}}} over axis {' and '.join(map(str, axes))} belongs here"
                yield Correction(1.5 if name == o.name else 2, words, lambda now, k=k, axes=axes, name=name: getattr(np, name)(now.inputs[k], axis=axes).reshape(shape))

    def _other_reductions(self, operations: list[Operation], k: int) -> Iterator[Correction]:
        """Yield other axes for an operand that is a sum: the result need not have the same shape."""
        made = [self.maker(p, k) for p in operations]
        if any(m is None or m.name not in REDUCTIONS or m.f is None for m in made):
            return
        for axes in (a for r in range(1, made[0].given[0].ndim + 1) for a in itertools.combinations(range(made[0].given[0].ndim), r)):
            def change(now: Now, axes=axes) -> Any:
                m = made[now.index]
                x = now.look((m.given[0], m.inputs[0]))
                return self._with(now, k, getattr(np, m.name)(x, axis=axes, keepdims=True))
            yield Correction(1.5, f"the sum {{{k}}} should be over axis {' and '.join(map(str, axes))}", change, operand=k)

    def maker(self, o: Operation, k: int) -> Operation | None:
        """Return the operation of backward that made the whole of an operand."""
        made = np.unique(self.j.made_by[o.inputs[k]])
        found = self.trace.backward[made[0]] if len(made) == 1 and made[0] >= 0 else None
        return found

    def _assigned(self, o: Operation) -> str:
        """Return the name that the value of an operation is given on its line."""
        for e in self.trace.backward_events:
            if e.kind == "note" and e.position > self._time(o):
                same = np.array_equal(e.ids, o.out) and self.trace.nodes[e.node].line == self.trace.nodes[o.node].line
                return braced(self.trace.nodes[e.node].text) if same else ""
        return ""

    def _of_value(self, shape: tuple[int, ...], every: list[Series], result: Any = None) -> Iterator[tuple[float, str, Any]]:
        """Yield what may be wrong with a value: cost, words, and the right value as a function of the wrong one."""
        yield 1, "the sign is wrong", lambda now, v: -v
        for n in (2, *self.sizes):
            yield 2, f"the factor {n} is missing", lambda now, v, n=n: v * n
            yield 2, f"the factor 1/{n} is missing", lambda now, v, n=n: v / n
        yield 1.5, "1 minus it belongs here", lambda now, v: 1 - v
        if len(shape) == 2 and shape[0] == shape[1]:
            yield 1.5, "it should be transposed", lambda now, v: v.T
        for axis in (a for a, n in enumerate(shape) if n > 1):
            yield 2.5, f"the order along axis {axis} should be reversed", lambda now, v, axis=axis: np.flip(v, axis)
            for by in (1, -1):
                yield 2.5, f"it is shifted by one place along axis {axis}", lambda now, v, axis=axis, by=by: np.roll(v, by, axis)
        result = shape if result is None else result
        for s in every:
            try:
                if np.broadcast_shapes(s.items[0][0].shape, shape) not in (shape, result):
                    continue
            except ValueError:
                continue
            look, cost = self._look(s), 2 if s.near else 2.5
            yield cost, f"the factor {s.words} is missing", lambda now, v, look=look: v * look(now)
            yield cost, f"the factor 1 / {s.words} is missing", lambda now, v, look=look: v / look(now)

    def _look(self, s: Series) -> Any:
        return lambda now: now.look(s.items[now.index])

    def _with(self, now: Now, k: int, new: Array) -> Any:
        return now.operation.f([*now.inputs[:k], new, *now.inputs[k + 1 :]])[0]

    def _where(self, operations: list[Operation]) -> tuple[str, list[int]]:
        return self.trace.nodes[operations[0].node].function, [self._time(o) for o in operations]

    def _input(self, o: Operation, k: int) -> str:
        """Return the source of an operand."""
        texts = operands(self.trace.nodes[o.node].text)
        return f"`{texts[k]}`" if len(texts) == len(o.given) else self._name(o.inputs[k], self._time(o))

    def _name(self, ids: Array, time: int) -> str:
        """Return the name of an array with these numbers, or the expression that made it."""
        for events in (self.trace.backward_events, self.trace.forward_events):
            for e in reversed(events):
                if e.kind != "append" and e.position <= time and np.array_equal(e.ids, ids):
                    return f"`{self.trace.nodes[e.node].text}`"
        made = next((p for p in self.trace.backward + self.trace.forward if np.array_equal(p.out, ids)), None)
        return f"`{self.trace.nodes[made.node].text}`" if made else "an operand"

    def _time(self, o: Operation) -> int:
        return o.index

    def of_reading(self, groups: list[Group]) -> list[Correction]:
        """Return what should be read in place of arrays of forward."""
        shapes = [[ids.shape for _, ids in g.items] for g in groups]
        if any(shape != shapes[0] for shape in shapes):
            return []
        given = [k for k, (_, ids) in enumerate(groups[0].items) if ids.size and self.of_forward[ids].all()]
        every: list[tuple[float, str, list[list[Array]]]] = []
        old = [[v for v, _ in g.items] for g in groups]
        n, text = len(groups), self.trace.nodes[groups[0].node].text
        elements = groups[0].elements
        if given and len(elements) > 1 and all([v.shape for v in e] == shapes[0] for e in elements):
            size = len(elements)
            for step in (1, -1):
                for words, places in (("at the wrong step", [g.place + step for g in groups]), ("in the wrong order", range(n)[::step])):
                    every.append((1.6, f"`{text}` is read {words}", [groups[i].elements[p % size] for i, p in enumerate(places)]))
        for k in given:
            name = self._name(groups[0].items[k][1], groups[-1].position + 1)
            for s in self._series(self.trace.nodes[groups[0].node].function, [g.position for g in groups]):
                if s.items[0][0].shape == shapes[0][k] and (s.near or s.is_named):
                    new = [[s.items[i][0] if m == k else v for m, v in enumerate(values)] for i, values in enumerate(old)]
                    cost, words = 1.7 if s.near else 2.2, f"{s.words} belongs in place of {name}"
                    if s.words.startswith(f"`{text}` (line"):
                        cost, words = 1.3, f"this `{text}` is not {s.words}: forward keeps another array in its place"
                    every.append((cost + 0.3 * (len(given) > 1), words, new))
        right = self.replay.mended_by_reading(groups, [new for _, _, new in every]) if given else []
        return [Correction(every[k][0], every[k][1].replace("{{", "{").replace("}}", "}"), lambda now: now.value) for k in right]

    def _series(self, function: str, times: list[int]) -> Iterator[Series]:
        seen = set()
        for s in self._every_series(function, times):
            shape = s.items[0][0].shape
            key = b"".join(np.asarray(v).tobytes() for v, _ in s.items), shape
            if any(v.shape != shape for v, _ in s.items) or key in seen:
                continue
            seen.add(key)
            yield s
            if len(shape) == 2:
                yield Series(f"{s.words}.T", [(v.T, ids.T) for v, ids in s.items], s.near)

    def _every_series(self, function: str, times: list[int]) -> Iterator[Series]:
        """Yield the named values of a function, as they are at these times, and then those of forward."""
        n = len(times)
        for (where, text), events in self.environment.items():
            positions = [e.position for e in events]
            found = [bisect_right(positions, t) - 1 for t in times]
            if where == function and max(found) >= 0:
                none = np.zeros_like(events[0].value), np.zeros_like(events[0].ids)
                items = [(events[k].value, events[k].ids) if k >= 0 else none for k in found]
                yield Series(f"`{braced(text)}`", items, True, min(found) >= 0)
        for (kind, number), family in self.families.items():
            node = self.trace.nodes[number]
            words = f"`{braced(node.text)}` (line {node.line})"
            words = f"the derivative of {words}" if kind.startswith("slope") else words
            if len(family) == 1:
                yield Series(words, family * n, False, is_named=kind == "note")
            elif kind in ("note", "read") or len(family) == n:
                for start in range(-1, len(family) - n + 2) if kind == "note" else range(max(1, len(family) - n + 1)):
                    window = [family[k % len(family)] for k in range(start, start + n)]
                    at = "" if len(family) == n and start == 0 else " of another step"
                    yield Series(words + at, window[::-1], False, is_named=kind == "note")
                    if n > 1:
                        yield Series(words + at, window, False, is_named=kind == "note")


def operands(text: str) -> list[str]:
    """Return the operands of an operation, in order."""
    statement = ast.parse(text).body[0]
    if isinstance(statement, ast.AugAssign):
        return [ast.unparse(statement.target), ast.unparse(statement.value)]
    node = statement.value if isinstance(statement, ast.Expr) else statement
    if isinstance(node, ast.BinOp):
        return [ast.unparse(node.left), ast.unparse(node.right)]
    if isinstance(node, ast.UnaryOp):
        return [ast.unparse(node.operand)]
    if isinstance(node, ast.Call):
        return [ast.unparse(a) for a in node.args if not isinstance(a, ast.Constant)]
    return []


def braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
