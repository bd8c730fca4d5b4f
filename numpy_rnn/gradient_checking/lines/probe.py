"""What the instrumented functions call: each operation is carried out as written, and put on the tape."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import GeneratorType
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.lines.local import (
    OPERATORS,
    arrays_in,
    floats_in,
    how_of,
    is_float,
    is_operation,
    substituted,
)
from numpy_rnn.gradient_checking.lines.rewrite import Node
from numpy_rnn.gradient_checking.lines.tape import Item, Tape, owner

__all__ = ["Probe"]


class At:
    """What is put in place of x in `x[index]`, so that the probe gets the index and what is written."""

    def __init__(self, get: Callable[[Any], Any], put: Callable[[Any, Any], None]) -> None:
        self.get, self.put = get, put

    def __getitem__(self, index: Any) -> Any:
        return self.get(index)

    def __setitem__(self, index: Any, value: Any) -> None:
        self.put(index, value)


class Probe:
    def __init__(self) -> None:
        self.tape = Tape()
        self.shadow, self.nodes = self.tape.shadow, list[Node]()
        self.codes: set[Any] = set()  # of the instrumented functions
        self.copies = False  # whether an array that gets another name is copied

    def has_ids(self, x: Any) -> bool:
        return isinstance(x, np.ndarray) or bool(self.shadow.ids(x))

    def record(
        self, node: int, f: Any, arguments: Any, keywords: Any, values: list[Array], outputs: list[Any],
        how: str, written: Any = (), **about: Any,
    ) -> None:  # fmt: skip
        """Put a call of f on the tape, as a function of the numbers and arrays among its arguments."""
        inputs = floats_in([arguments, keywords])

        def evaluate(new: list[Any]) -> list[Any]:
            table = {id(x): v for x, v in zip(inputs, new, strict=True)}
            result = f(*substituted(arguments, table), **substituted(keywords, table))
            return [np.asarray(table[id(x)]) for x in written] or floats_in(result, "fc")

        items = [(v, self.shadow.ids(x).copy()) for v, x in zip(values, inputs, strict=True)]
        self.tape.add(node, evaluate, items, outputs, how, **about)

    def op(self, node: int, name: str, *operands: Any, into: Array | None = None) -> Any:
        f = OPERATORS[name]
        result = f(*operands)
        if is_float(result) and any(map(self.has_ids, floats_in(operands))):
            operands = tuple(float(x) if type(x) is int else x for x in operands)
            values = [np.array(x) for x in floats_in(operands)]
            if into is not None:
                np.copyto(into, result, casting="same_kind")
                result = into
            how = "" if name == "matmult" else "elementwise"
            self.record(node, f, operands, {}, values, [result], how, name=f.__name__)
        return result

    def call(self, node: int, f: Any, /, *arguments: Any, **keywords: Any) -> Any:
        name, bound = getattr(f, "__name__", ""), getattr(f, "__self__", None)
        if not is_operation(f):
            if self.copies and getattr(getattr(f, "__func__", f), "__code__", None) in self.codes:
                arguments = tuple(self.alias(node, True, a, slot=k) for k, a in enumerate(arguments, 1))
            return f(*arguments, **keywords)
        arguments = tuple(list(a) if isinstance(a, GeneratorType | map) else a for a in arguments)
        given, of = (arguments, f) if not is_float(bound) else ((bound, *arguments), partial(method, name))
        inputs = floats_in([given, keywords])
        values = [np.array(x) for x in inputs]
        result = f(*arguments, **keywords)
        how = how_of(f, name)
        if how == "constant" or not any(map(self.has_ids, inputs)):
            if self.copies and type(result) is np.ndarray and is_float(result) and not name.startswith("empty"):
                value = result.copy()
                self.tape.add(node, lambda _: [value], [], [result])  # zeros may be the wrong value of something
            return result
        positional = given[f.nin :] if isinstance(f, np.ufunc) else given[:1] if name in ("copyto", "fill") else ()
        meant = set(map(id, floats_in([keywords.get("out"), positional])))
        pairs = zip(inputs, values, strict=True)
        written = [x for x, old in pairs if id(x) in meant or not np.array_equal(x, old, equal_nan=True)]
        roots = {id(owner(x)) for x in inputs if isinstance(x, np.ndarray)}
        outputs = [y for y in floats_in(result) if not (isinstance(y, np.ndarray) and id(owner(y)) in roots)]
        if outputs or written:
            self.record(node, of, given, keywords, values, written or outputs, how, written, name=name)
        return result

    def at(self, node: int, is_chosen: bool, x: Any) -> At:
        return At(partial(self.item, node, x), partial(self.set_item, node, is_chosen, x))

    def item(self, node: int, x: Any, index: Any) -> Any:
        result = x[index]
        members = arrays_in(result)
        if is_float(x) and is_float(result):
            if not isinstance(result, np.ndarray):
                self.shadow.set(result, self.shadow.ids(x)[index])
            elif not np.may_share_memory(result, x):
                self.tape.add(node, lambda v: [v[0][index]], [self.tape.item(x)], [result], "moves")
            self.events(node, "read", result)
        elif members:
            is_element, in_order = isinstance(index, int | np.integer), x
            if isinstance(x, dict) and is_element:  # a cache by time step
                in_order, index = [x[key] for key in sorted(x)], sorted(x).index(index)
            is_element = is_element and isinstance(in_order, list | tuple)
            of = {"elements": [arrays_in(e) for e in in_order], "place": int(index) % len(x)} if is_element else {}
            self.tape.event(node, "read" if is_float(result) else "members", members, is_choice=True, **of)
        elif is_float(result):
            self.events(node, "read", result)
        return result

    def set_item(self, node: int, is_chosen: bool, x: Any, index: Any, value: Any, slot: int = 0) -> None:
        """Write to a part of an array.

        All of the array counts as new if the index is an array, or may be the mistake: it is read from somewhere.
        """
        if not is_float(x):
            is_there = index in x if isinstance(x, dict) else isinstance(x, list) and index in range(len(x))
            old = x[index] if is_there else None
            if is_float(old) and is_float(value):
                value = self.alias(node, False, value, overwritten=self.tape.item(old))
            x[index] = value
            self.events(node, "note", value)
            return
        parts = index if isinstance(index, tuple) else (index,)
        old, ids = self.tape.item(x)
        new, numbers = self.tape.item(value) if is_float(value) else (np.array(value), np.zeros(np.shape(value), int))
        x[index] = value
        if is_chosen or any(isinstance(part, np.ndarray | list) for part in parts):
            here = np.zeros(x.shape, bool)
            here[index] = True
            overwritten: Item = np.where(here, old, 0), np.where(here, ids, 0)
            ids[index] = numbers
            view, new, numbers = x, x.copy(), ids
        else:
            overwritten = old[index], ids[index]
            view = x[index if any(part is ... for part in parts) else (*parts, ...)]

        def stored(v: list[Any]) -> list[Array]:
            result = np.empty(view.shape, np.asarray(v[0]).dtype)
            result[...] = v[0]
            return [result]

        about = {"slot": slot, "where": (x, index), "overwritten": overwritten}
        self.tape.add(node, stored, [(new, numbers)], [view], "moves", **about)
        if view is not x:
            self.events(node, "write", x[index])

    def add_at(self, node: int, is_chosen: bool, name: str, x: Any) -> At:
        return At(x.__getitem__, partial(self.add_to_item, node, is_chosen, name, x))

    def add_to_item(self, node: int, is_chosen: bool, name: str, x: Any, index: Any, value: Any) -> None:
        if not is_float(x):
            x[index] = self.add_to(node, name, x[index], value)
        else:
            new = self.op(node, name, self.item(node, x, index), value)
            self.set_item(node, is_chosen, x, index, new, slot=1)

    def add_to(self, node: int, name: str, x: Any, value: Any) -> Any:
        if isinstance(x, list):
            x += value
            return x
        is_array = isinstance(x, np.ndarray) and is_float(x)
        result = self.op(node, name, x, value, into=x if is_array else None)
        self.events(node, "note", [result] if is_float(result) else [])
        return result

    def alias(self, node: int, passes: bool, value: Any, **about: Any) -> Any:
        """Copy an array, so that the line that names, returns or hands it over is an operation of its own."""
        if not self.copies or type(value) is not np.ndarray or not is_float(value):
            return value
        for last in self.tape.operations[-1:] if not about else ():
            is_here = self.nodes[last.node].line == self.nodes[node].line
            if is_here and np.array_equal(last.out, self.shadow.ids(value)):
                return value
        result = value.copy()
        self.tape.add(node, lambda v: v, [self.tape.item(value)], [result], "moves", passes=passes, **about)
        return result

    def events(self, node: int, kind: str, value: Any) -> None:
        for v in floats_in(value):
            self.tape.event(node, kind, [v])

    def note(self, node: int, kind: str, value: Any) -> Any:
        if kind == "return":
            self.events(node, kind, value)
        elif is_float(value):
            self.tape.event(node, kind, [value], is_choice=isinstance(value, np.ndarray))
        elif isinstance(value, int | np.integer | np.ndarray):
            self.tape.integers.append((node, len(self.tape.operations), np.array(value)))
        return value

    def iterate(self, node: int, x: Any) -> Any:
        if is_float(x) and isinstance(x, np.ndarray) and x.ndim == 1:
            return (self.item(node, x, k) for k in range(len(x)))
        return x


def method(name: str, x: Any, *arguments: Any, **keywords: Any) -> Any:
    return getattr(np.asarray(x), name)(*arguments, **keywords)
