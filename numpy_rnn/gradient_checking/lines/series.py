"""Values that could stand in a line of backward: those with a name in its function, and those of forward."""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.lines.judgement import Judgement
from numpy_rnn.gradient_checking.lines.quantities import sizes
from numpy_rnn.gradient_checking.lines.replay import Item, Now
from numpy_rnn.gradient_checking.lines.tape import Event, Operation

__all__ = ["Series", "Values", "braced", "turned"]


@dataclass
class Series:
    """One value for each time that a line runs."""

    words: str
    items: list[Item]
    is_near: bool = False  # it has a name in the same function,
    is_named: bool = False  # or in forward
    is_turned: bool = False  # transposed
    always: bool = True  # it was there when the line ran first

    @property
    def shape(self) -> tuple[int, ...]:
        return self.items[0][0].shape

    def at(self, now: Now) -> Array:
        return now.look(self.items[now.index])


class Values:
    def __init__(self, j: Judgement) -> None:
        self.j, self.trace = j, j.trace
        first_argument: dict[str, int] = {}
        self.named: dict[tuple[str, str], list[Event]] = defaultdict(list)  # of backward, by function and name
        for e in self.trace.backward_events:
            if e.kind in ("note", "read", "argument", "write"):
                name = re.split(" .?.= ", self.trace.nodes[e.node].text)[0]  # x of `x += ...`
                self.named[self.trace.nodes[e.node].function, name].append(e)
        self.families: dict[tuple[str, int], list[Item]] = defaultdict(list)  # of forward, at all times
        first: dict[tuple[str, str], int] = {}  # the line on which a name is assigned first
        self.starts: dict[str, list[int]] = {}  # when a function is called
        for e in self.trace.backward_events:
            function = self.trace.nodes[e.node].function
            if e.kind == "argument" and first_argument.setdefault(function, e.node) == e.node:
                self.starts.setdefault(function, []).append(e.position)
        self.writes: dict[int, list[Operation]] = defaultdict(list)  # to an array, by its id
        for o in (o for o in self.trace.backward if o.where is not None):
            self.writes[id(o.where[0])].append(o)
        self.of_forward = np.zeros(self.trace.count, bool)
        for e in self.trace.forward_events:
            self.of_forward[e.ids] = True
            if e.kind in ("note", "argument", "read"):
                self.families[e.kind, e.node].append((e.value, e.ids))
                node = self.trace.nodes[e.node]
                start = first.setdefault((node.function, node.text), e.node)
                self.families["name", start].append((e.value, e.ids))
        for o in self.trace.forward:
            for ids in (o.out, *o.inputs):
                self.of_forward[ids] = True
            self.families["value", o.node].append((o.value, o.out))
            for k, slope in enumerate(j.slopes(o)):
                self.families[f"slope {k}", o.node].append((slope, np.zeros(slope.shape, int)))
        self.sizes = sizes(self.trace)

    def at(self, function: str, times: list[int]) -> list[Series]:
        """Return what could be used in a function at these times; equal values once."""
        found, seen = [], set()
        for s in (*self.near(function, times), *self._far(len(times))):
            key = b"".join(np.asarray(v).tobytes() for v, _ in s.items), s.shape
            is_zero = not any(v.any() for v, _ in s.items)
            if any(v.ndim != len(s.shape) for v, _ in s.items) or key in seen or is_zero:
                continue
            seen.add(key)
            found.append(s)
            if len(s.shape) == 2:
                items = [(v.T, ids.T) for v, ids in s.items]
                found.append(replace(s, words=turned(s.words), items=items, is_turned=True))
        return found

    def near(self, function: str, times: list[int]) -> Iterator[Series]:
        """Yield what has a name in a function, from the call that is running on."""
        calls = self.starts.get(function, [0])
        starts = [calls[max(0, bisect_right(calls, t) - 1)] for t in times]
        for (where, text), events in self.named.items():
            positions = [e.position for e in events]
            found = [bisect_right(positions, t) - 1 for t in times]
            found = [k if positions[k] >= start else -1 for k, start in zip(found, starts, strict=True)]
            if where == function and max(found) >= 0:
                none = np.zeros_like(events[0].value), np.zeros_like(events[0].ids)
                items = [self._now(events[k], t) if k >= 0 else none for k, t in zip(found, times, strict=True)]
                yield Series(f"`{braced(text)}`", items, is_near=True, always=min(found) >= 0)

    def _now(self, e: Event, time: int) -> Item:
        """Return the values of an array with a name, with what was written to it until a time."""
        value, ids = e.value, e.ids
        for o in self.writes[id(e.array)]:
            if e.position <= o.index < time:
                value, ids = value.copy(), ids.copy()
                where = ... if o.value.shape == value.shape else o.where[1]
                value[where], ids[where] = o.value, o.out
        return value, ids

    def _far(self, n: int) -> Iterator[Series]:
        for (kind, number), family in self.families.items():
            node, is_named = self.trace.nodes[number], kind in ("note", "argument", "name")
            words = f"`{braced(node.text)}` (line {node.line})"
            words = f"the derivative of {words}" if kind.startswith("slope") else words
            if len(family) == 1:
                yield Series(words, family * n, is_named=is_named)
            elif n == 1 and (is_named or kind == "read") and len({v.shape for v, _ in family}) == 1:
                for join in (np.stack, np.concatenate) if family[0][0].ndim else (np.stack,):
                    together = join([v for v, _ in family]), join([ids for _, ids in family])
                    yield Series(f"{words} of all steps", [together], is_named=is_named)
            elif kind in ("note", "argument", "read", "name") or len(family) == n:
                first, last = (-1, len(family) - n + 1) if is_named else (0, max(0, len(family) - n))
                for start in range(first, last + 1):
                    window = [family[k % len(family)] for k in range(start, start + n)]
                    at = "" if len(family) == n and start == 0 else " of another step"
                    for items in (window[::-1], window)[: min(n, 2)]:
                        yield Series(words + at, items, is_named=is_named)

    def source(self, o: Operation, k: int) -> str:
        """Return the source of an operand."""
        texts = operands(self.trace.nodes[o.node].text)
        return texts[k] if len(texts) == len(o.given) else self.name(o.inputs[k], o.index)

    def name(self, ids: Array, time: int) -> str:
        """Return the name of an array with these numbers, or the expression that made it."""
        for events in (self.trace.backward_events, self.trace.forward_events):
            for e in reversed(events):
                if e.position <= time and np.array_equal(e.ids, ids):
                    return self.trace.nodes[e.node].text
        made = next((p for p in self.trace.backward + self.trace.forward if np.array_equal(p.out, ids)), None)
        return self.trace.nodes[made.node].text if made else "an operand"


def turned(words: str) -> str:
    """Return `W.T` (line 3) for `W` (line 3)."""
    head, _, tail = words.rpartition("`")
    is_name = head[head.rfind("`") + 1 :].replace(".", "").replace("_", "").isalnum()
    return f"{head}.T`{tail}" if is_name else f"{words}, transposed,"


def operands(text: str) -> list[str]:
    """Return the source of the operands of an operation, in order."""
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
    """Protect a text from str.format."""
    return text.replace("{", "{{").replace("}", "}}")
