"""What the instrumented functions call: each operation is carried out as written, and put on the tape."""

from __future__ import annotations

from types import GeneratorType
from typing import Any

import numpy as np

from numpy_rnn.gradient_checking.lines.local import OPERATORS, floats_in, is_float
from numpy_rnn.gradient_checking.lines.recorder import Recorder
from numpy_rnn.gradient_checking.lines.shadow import owner
from numpy_rnn.gradient_checking.lines.tape import Group, is_leaf, is_written

__all__ = ["Probe"]

FROM_SHAPE = ("zeros_like", "ones_like", "empty_like", "shape", "ndim", "size")


class Probe(Recorder):
    def __init__(self) -> None:
        super().__init__()
        self.codes: set[Any] = set()  # of the instrumented functions
        self.copies = 0  # of arrays that get another name: 1: where this is safe, 2: everywhere

    def op(self, node: int, name: str, *operands: Any) -> Any:
        f = OPERATORS[name]
        result = f(*operands)
        if is_float(result) and any(self.has_ids(x) for x in operands):
            operands = tuple(float(x) if type(x) is int else x for x in operands)
            self.record(node, f, operands, {}, [result], elementwise=name != "matmult")
        return result

    def call(self, node: int, f: Any, /, *arguments: Any, **keywords: Any) -> Any:
        if getattr(f, "__name__", "") == "append" and isinstance(getattr(f, "__self__", None), list):
            for value in floats_in(arguments):
                self.event(node, value, "append")
        if not is_leaf(f):
            if self.copies == 2 and getattr(getattr(f, "__func__", f), "__code__", None) in self.codes:
                arguments = tuple(self.alias(node, False, True, True, a, k + 1) for k, a in enumerate(arguments))
            return f(*arguments, **keywords)
        arguments = tuple(list(a) if isinstance(a, GeneratorType | map) else a for a in arguments)
        bound = getattr(f, "__self__", None)
        given = [arguments, keywords, bound if is_float(bound) else None]
        inputs = floats_in(given)
        if not any(map(self.has_ids, inputs)) or getattr(f, "__name__", "") in FROM_SHAPE:
            return self.constant(node, f(*arguments, **keywords), getattr(f, "__name__", ""))
        before = {id(x): np.array(x) for x in inputs}
        result = f(*arguments, **keywords)
        written = [
            x for x in inputs if isinstance(x, np.ndarray) and is_written(f, arguments, keywords, x, before[id(x)])
        ]
        roots = {id(owner(x)) for x in inputs if isinstance(x, np.ndarray)}
        outputs = [y for y in floats_in(result) if not (isinstance(y, np.ndarray) and id(owner(y)) in roots)]
        outputs += written
        if outputs:
            inputs_before = [before[id(x)] for x in inputs]
            self.record(
                node, f, arguments, keywords, outputs, isinstance(f, np.ufunc) and f.signature is None,
                inputs=inputs, values=inputs_before, written=written,
            )  # fmt: skip
            if getattr(f, "__name__", "") == "at" and len(arguments) == 3 and bound is np.add and self.tape:
                self.tape[-1].part = np.array(arguments[2])
        return result

    def constant(self, node: int, result: Any, name: str) -> Any:
        """Note an array of zeros or the like: it may be the wrong value of something."""
        if self.copies and type(result) is np.ndarray and result.dtype.kind == "f" and not name.startswith("empty"):
            none = np.zeros(0, int)
            self.add(node, self.new_numbers([result]), result.copy(), [], none, none, np.zeros(0), none)
        return result

    def item(self, node: int, x: Any, index: Any) -> Any:
        result = x[index]
        if not is_float(x):
            self.read_group(node, result, x, index)
            if is_float(result):
                self.event(node, result, "read")
        if is_float(x) and is_float(result):
            if not isinstance(result, np.ndarray):
                self.shadow.set(result, self.shadow.ids(x)[index])
            elif not np.may_share_memory(result, x):
                self.move(node, [x], lambda ids: [ids[0][index]], [result])
            self.event(node, result, "read")
        return result

    def read_group(self, node: int, value: Any, owner: Any = None, index: Any = None) -> None:
        """Note the arrays in something that is read: it may be the wrong element of a list."""
        if found := arrays_in(value):
            items = [(np.array(v), self.shadow.ids(v).copy()) for v in found]
            group = Group(node, items, len(self.tape))
            if isinstance(owner, dict) and all(isinstance(key, int | np.integer) for key in owner):
                owner, index = [owner[key] for key in sorted(owner)], sorted(owner).index(index)
            if isinstance(owner, list | tuple) and isinstance(index, int | np.integer):
                group.place, group.elements = int(index) % len(owner), [arrays_in(e) for e in owner]
            self.groups.append(group)

    def alias(self, node: int, safe: bool, passes: bool, plain: bool, value: Any, slot: int = 0) -> Any:
        """A copy, so that the line that names or returns an array is an operation of its own."""
        if not isinstance(value, np.ndarray) or type(value) is not np.ndarray or not is_float(value):
            return value
        is_new = (
            not plain
            and value.base is None
            and self.tape
            and np.array_equal(self.tape[-1].out, self.shadow.ids(value))
        )
        if self.copies < (1 if safe else 2) or (
            is_new and self.nodes[self.tape[-1].node].line == self.nodes[node].line
        ):
            return value
        result = value.copy()
        self.move(node, [value], lambda ids: [ids[0]], [result])
        self.tape[-1].passes, self.tape[-1].slot = passes, slot
        return result

    def unpack(self, node: int, value: Any) -> Any:
        """Let two names for one array, out of a cache, be two arrays."""
        if not self.copies or type(value) not in (tuple, list):
            return value
        self.read_group(node, value)
        seen: set[int] = set()
        result = []
        for v in value:
            again = isinstance(v, np.ndarray) and id(v) in seen
            seen.add(id(v))
            result.append(self.alias(node, True, True, True, v) if again else v)
        return result

    def slice(self, node: int, *ends: Any) -> slice:
        return slice(*ends)

    def iterate(self, node: int, x: Any) -> Any:
        if is_float(x) and isinstance(x, np.ndarray) and x.ndim == 1:
            return (self.item(node, x, k) for k in range(len(x)))
        return x

    def set_item(self, node: int, whole: bool, x: Any, index: Any, value: Any) -> None:
        """Write to a part of an array; with `whole`, all of it counts as new: which part it is may be the mistake."""
        if not is_float(x):
            old = self.element(x, index)
            x[index] = value
            for v in floats_in(value):
                self.event(node, v, "note")
            if (
                is_float(old)
                and is_float(value)
                and self.tape
                and np.array_equal(self.tape[-1].out, self.shadow.ids(value))
            ):
                self.tape[-1].before, self.tape[-1].lost = np.array(old), self.shadow.ids(old).copy()
            return
        old, region = np.array(x[index]), self.shadow.ids(x)[index].copy()
        x[index] = value
        sources = np.broadcast_to(self.shadow.ids(value) if not isinstance(value, list) else 0, np.shape(region))
        shape = np.shape(region)
        given, f, where = np.array(value), (lambda new: [np.broadcast_to(new[0], shape)]), index
        is_whole = whole or is_fancy(index)
        if is_whole:
            ids = self.shadow.ids(x).copy()
            ids[index] = sources
            sources, given, f, where = ids, x.copy(), (lambda new: [new[0]]), ...
        numbers = self.shadow.fresh(np.shape(sources))
        self.shadow.ids(x)[where] = numbers
        moved = sources.ravel() > 0
        self.add(
            node, self.shadow.ids(x)[where].copy(), np.array(x[where]), [sources.copy()],
            numbers.ravel()[moved], sources.ravel()[moved], np.ones(moved.sum()), np.zeros(moved.sum(), int),
            moves=True,
        )  # fmt: skip
        o = self.tape[-1]
        o.where, o.f, o.given = (x, index), f, [given]
        o.lost, o.before = region, old
        if is_whole:
            o.lost, o.before = np.zeros_like(sources), np.zeros_like(given)
            o.lost[index], o.before[index] = region, old
        else:
            self.event(node, x[index], "write")

    def element(self, x: Any, index: Any) -> Any:
        try:
            return x[index]
        except (KeyError, IndexError, TypeError):
            return None

    def add_to(self, node: int, name: str, x: Any, value: Any) -> Any:
        if not (is_float(x) and isinstance(x, np.ndarray)):
            if isinstance(x, list):
                x += value
                return x
            result = self.op(node, name, x, value)
            self.event(node, result, "note")
            return result
        f = OPERATORS[name]
        old = x.copy()
        numbers = self.shadow.ids(x).copy()
        np.copyto(x, f(x, value), casting="same_kind")
        value = float(value) if type(value) is int else value
        self.record(node, f, (old, value), {}, [x], name != "matmult", ids={id(old): numbers})
        self.tape[-1].part = np.array(value) if name == "add" else None
        self.event(node, x, "note")
        return x

    def add_to_item(self, node: int, whole: bool, name: str, x: Any, index: Any, value: Any) -> None:
        if isinstance(x, np.ndarray) and not is_float(x):
            x[index] = OPERATORS[name](x[index], value)
        elif isinstance(x, np.ndarray):
            part = np.array(value) if name == "add" and self.has_ids(value) else None
            new = self.op(node, name, self.item(node, x, index), value)
            self.tape[-1].part = part
            self.set_item(node, whole, x, index, new)
            self.tape[-1].part, self.tape[-1].lost, self.tape[-1].slot = part, None, 1
        else:
            x[index] = self.add_to(node, name, x[index], value)

    def add_to_attribute(self, node: int, name: str, owner: Any, attribute: str, value: Any) -> None:
        setattr(owner, attribute, self.add_to(node, name, getattr(owner, attribute), value))

    def note(self, node: int, value: Any) -> None:
        if is_float(value):
            self.event(node, value, "note")
            self.read_group(node, value)

    def argument(self, node: int, value: Any) -> None:
        if is_float(value):
            self.event(node, value, "argument")
            self.read_group(node, value)

    def leave(self, node: int, value: Any) -> Any:
        for v in floats_in([value, getattr(value, "__dict__", None)]):
            self.event(node, v, "return")
        return value


def is_fancy(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, np.ndarray | list) for part in parts)


def arrays_in(value: Any) -> list[Any]:
    return [v for v in floats_in([value, getattr(value, "__dict__", None)]) if isinstance(v, np.ndarray)]
