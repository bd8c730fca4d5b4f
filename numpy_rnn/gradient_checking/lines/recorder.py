"""The tape: every operation of forward and backward, with its local derivatives, and every value that has a name."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.lines.local import MOVES, derivatives, floats_in, is_float, substituted
from numpy_rnn.gradient_checking.lines.rewrite import Node
from numpy_rnn.gradient_checking.lines.shadow import Shadow
from numpy_rnn.gradient_checking.lines.tape import Event, Group, Operation, floats_or_complex

__all__ = ["Recorder", "TooLarge"]

LARGEST = 20_000_000  # derivatives of operations, times their cost, before the tape gives up


class TooLarge(Exception):
    """Following every operation would take too long."""


class Recorder:
    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.shadow = Shadow()
        self.tape: list[Operation] = []
        self.events: list[Event] = []
        self.groups: list[Group] = []
        self.times: Counter[int] = Counter()
        self.events_times: Counter[tuple[int, str]] = Counter()
        self.work = 0

    def has_ids(self, x: Any) -> bool:
        return is_float(x) and (isinstance(x, np.ndarray) or bool(self.shadow.ids(x)))

    def event(self, node: int, value: Any, kind: str) -> None:
        ids = self.shadow.ids(value).copy()
        self.events_times[node, kind] += 1
        self.events.append(
            Event(node, self.events_times[node, kind] - 1, ids, np.array(value), len(self.tape), kind, value)
        )

    def record(
        self, node: int, f: Any, arguments: Any, keywords: Any, outputs: list[Any], elementwise: bool,
        inputs: list[Any] | None = None, values: list[Any] | None = None, written: Any = (), ids: Any = None,
    ) -> None:  # fmt: skip
        inputs = floats_in(arguments) if inputs is None else inputs
        values = [np.array(x) for x in inputs] if values is None else values
        numbers = [ids[id(x)] if ids and id(x) in ids else self.shadow.ids(x).copy() for x in inputs]
        wanted = [bool(n.any()) for n in numbers]
        written_ids = [id(x) for x in written]

        def evaluate(new: list[Any]) -> list[Any]:
            table = {id(x): v for x, v in zip(inputs, new, strict=True)}
            g = f
            bound = getattr(f, "__self__", None)
            if id(bound) in table:
                g = getattr(np.asarray(table[id(bound)]), f.__name__)
            result = g(*substituted(arguments, table), **substituted(keywords, table))
            own = [np.asarray(table[key]) for key in written_ids]
            return own if written_ids and len(own) == len(outputs) else [*floats_or_complex(result), *own]

        name = getattr(f, "__name__", "")
        if name in MOVES and not isinstance(f, np.ufunc):
            self.move(node, inputs, evaluate, outputs, numbers)
            self.tape[-1].given, self.tape[-1].name = values, name
            return
        size = sum(n.size for n, want in zip(numbers, wanted, strict=True) if want)
        self.work += (len(inputs) if elementwise else size) * (200 + sum(np.size(y) for y in outputs))
        if self.work > LARGEST:
            raise TooLarge
        found = derivatives(evaluate, values, wanted, elementwise)
        out = self.new_numbers(outputs)
        parts = [
            (out.ravel()[rows], n.ravel()[columns], slopes, np.full(len(rows), k))
            for k, ((rows, columns, slopes), n) in enumerate(zip(found, numbers, strict=True))
        ]
        rows, columns, slopes, which = (np.concatenate(p) for p in zip(*parts, strict=True))
        keep = columns > 0
        value = np.array(outputs[0]) if len(outputs) == 1 else np.concatenate([np.ravel(y) for y in outputs])
        self.add(node, out, value, numbers, rows[keep], columns[keep], slopes[keep], which[keep])
        self.tape[-1].f, self.tape[-1].given, self.tape[-1].name = evaluate, values, name

    def move(self, node: int, inputs: list[Any], f: Any, outputs: list[Any], numbers: Any = None) -> None:
        numbers = [self.shadow.ids(x).copy() for x in inputs] if numbers is None else numbers
        moved = [np.asarray(y) for y in f([n[()].astype(float) if n.ndim == 0 else n.astype(float) for n in numbers])]
        sources = np.concatenate([np.ravel(y) for y in moved]).astype(int)
        out = self.new_numbers(outputs)
        value = np.array(outputs[0]) if len(outputs) == 1 else np.concatenate([np.ravel(y) for y in outputs])
        rows, columns = out.ravel()[sources > 0], sources[sources > 0]
        which = np.zeros(len(columns), int)
        for k, n in enumerate(numbers):
            which[np.isin(columns, n)] = k
        self.add(node, out, value, numbers, rows, columns, np.ones(len(columns)), which, moves=True)
        self.tape[-1].f, self.tape[-1].given = f, [np.array(x) for x in inputs]

    def new_numbers(self, outputs: list[Any]) -> Array:
        """Give the outputs new numbers, and return these: in the shape of the output if there is only one."""
        fresh = [self.shadow.fresh(np.shape(y)) for y in outputs]
        for y, n in zip(outputs, fresh, strict=True):
            self.shadow.set(y, n)
        return fresh[0] if len(fresh) == 1 else np.concatenate([n.ravel() for n in fresh])

    def add(
        self, node: int, out: Array, value: Array, inputs: list[Array], rows: Array, columns: Array, values: Array,
        of_input: Array, moves: bool = False,
    ) -> None:  # fmt: skip
        time = self.times[node]
        self.tape.append(
            Operation(node, len(self.tape), time, out, value, inputs, rows, columns, values, of_input, moves)
        )
        self.times[node] += 1
