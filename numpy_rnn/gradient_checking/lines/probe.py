"""What the instrumented functions call: each operation is carried out as written, and put on the tape."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import partial
from types import GeneratorType
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.lines.local import ELEMENTWISE, MOVES
from numpy_rnn.gradient_checking.lines.shadow import owner
from numpy_rnn.gradient_checking.lines.tape import Tape

__all__ = ["Probe"]

OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mult": operator.mul, "div": operator.truediv, "pow": operator.pow,
    "matmult": operator.matmul, "mod": operator.mod, "floordiv": operator.floordiv, "negative": operator.neg,
    "bitand": operator.and_, "bitor": operator.or_, "bitxor": operator.xor, "lshift": operator.lshift,
    "rshift": operator.rshift,
}  # fmt: skip
BUILTINS = [sum, float, abs, max, min, pow, *(f for f in vars(math).values() if callable(f))]
FROM_SHAPE = {"zeros_like", "ones_like", "empty_like", "shape", "ndim", "size"}
MOVING = {
    "array", "asarray", "ascontiguousarray", "asanyarray", "copy", "reshape", "ravel", "flatten", "transpose",
    "swapaxes", "moveaxis", "squeeze", "expand_dims", "concatenate", "stack", "vstack", "hstack", "column_stack",
    "dstack", "row_stack", "block", "take", "repeat", "tile", "broadcast_to", "flip", "flipud", "fliplr", "roll",
    "rot90", "pad", "split", "array_split", "hsplit", "vsplit", "atleast_1d", "atleast_2d", "float", "float64",
    "item", "astype", "copyto", "diag", "triu", "tril", "take_along_axis", "compress", "delete", "insert", "append",
    "full_like",
}  # fmt: skip


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
        self.shadow, self.nodes = self.tape.shadow, self.tape.nodes
        self.codes: set[Any] = set()  # of the instrumented functions
        self.copies = False  # whether an array that gets another name is copied

    def has_ids(self, x: Any) -> bool:
        return isinstance(x, np.ndarray) or bool(self.shadow.ids(x))

    def record(
        self, node: int, f: Any, arguments: Any, keywords: Any, values: list[Array], outputs: list[Any],
        written: Any = (), how: str = "", **about: Any,
    ) -> None:  # fmt: skip
        """Put a call of f on the tape, as a function of the numbers and arrays among its arguments."""
        inputs = floats_in([arguments, keywords])

        def evaluate(new: list[Any]) -> list[Any]:
            table = {id(x): v for x, v in zip(inputs, new, strict=True)}
            result = f(*substituted(arguments, table), **substituted(keywords, table))
            return [np.asarray(table[id(x)]) for x in written] or floats_in(result, "fc")

        items = [(v, self.shadow.ids(x).copy()) for v, x in zip(values, inputs, strict=True)]
        self.tape.add(node, evaluate, items, outputs, how, name=getattr(f, "__name__", ""), **about)

    def op(self, node: int, name: str, *operands: Any, adds: bool = False) -> Any:
        f = OPERATORS[name]
        result = f(*operands)
        if is_float(result) and any(map(self.has_ids, floats_in(operands))):
            operands = tuple(float(x) if type(x) is int else x for x in operands)
            values = [np.array(x) for x in floats_in(operands)]
            how = "" if name == "matmult" else ELEMENTWISE
            self.record(node, f, operands, {}, values, [result], how=how, adds=adds)
        return result

    def call(self, node: int, f: Any, /, *arguments: Any, **keywords: Any) -> Any:
        name, bound = getattr(f, "__name__", ""), getattr(f, "__self__", None)
        if not is_leaf(f):
            if name == "append" and isinstance(bound, list):
                for value in floats_in(arguments):
                    self.tape.event(node, "append", [value])
            if self.copies and getattr(getattr(f, "__func__", f), "__code__", None) in self.codes:
                arguments = tuple(self.alias(node, True, a, slot=k) for k, a in enumerate(arguments, 1))
            return f(*arguments, **keywords)
        arguments = tuple(list(a) if isinstance(a, GeneratorType | map) else a for a in arguments)
        if is_float(bound):
            f, arguments = method(name), (bound, *arguments)
        inputs = floats_in([arguments, keywords])
        if not any(map(self.has_ids, inputs)) or name in FROM_SHAPE:
            return self.constant(node, f(*arguments, **keywords), name)
        values = [np.array(x) for x in inputs]
        result = f(*arguments, **keywords)
        arrays = [(x, old) for x, old in zip(inputs, values, strict=True) if isinstance(x, np.ndarray)]
        written = [x for x, old in arrays if is_written(f, arguments, keywords, x, old)]
        roots = {id(owner(x)) for x, _ in arrays}
        outputs = [y for y in floats_in(result) if not (isinstance(y, np.ndarray) and id(owner(y)) in roots)]
        if outputs or written:
            is_ufunc = isinstance(f, np.ufunc)
            how = ELEMENTWISE * (is_ufunc and not f.signature) or MOVES * (name in MOVING and not is_ufunc)
            adds = name == "at" and bound is np.add
            self.record(node, f, arguments, keywords, values, written or outputs, written, how, adds=adds)
        return result

    def constant(self, node: int, result: Any, name: str) -> Any:
        """Record an array of zeros or the like: it may be the wrong value of something."""
        if self.copies and type(result) is np.ndarray and is_float(result) and not name.startswith("empty"):
            value = result.copy()
            self.tape.add(node, lambda _: [value], [], [result])
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
                self.tape.add(node, lambda v: [v[0][index]], [self.tape.item(x)], [result], MOVES)
            self.tape.event(node, "read", [result])
        elif members:
            is_element = isinstance(x, list | tuple) and isinstance(index, int | np.integer)
            elements = [arrays_in(e) for e in x] if is_element else []
            place = int(index) % len(x) if is_element else 0
            self.tape.event(
                node,
                "read" if is_float(result) else "members",
                members,
                is_choice=True,
                elements=elements,
                place=place,
            )
        elif is_float(result):
            self.tape.event(node, "read", [result])
        return result

    def set_item(self, node: int, is_chosen: bool, x: Any, index: Any, value: Any, slot: int = 0) -> None:
        """Write to a part of an array.

        All of the array counts as new where the index may be the mistake: one that is read from somewhere.
        """
        parts = index if isinstance(index, tuple) else (index,)
        if not is_float(x):
            old = element(x, index)
            if is_float(old) and is_float(value):
                value = self.alias(node, False, value, overwritten=self.tape.item(old))
            x[index] = value
            for v in floats_in(value):
                self.tape.event(node, "note", [v])
            return
        old, lost = np.array(x[index]), self.shadow.ids(x)[index].copy()
        sources = self.shadow.ids(value).copy() if is_float(value) else np.zeros(np.shape(value), int)
        new = np.array(value, x.dtype)
        x[index] = value
        if is_chosen or any(isinstance(part, np.ndarray | list) for part in parts):
            all_old, numbers, all_lost = np.zeros_like(x), self.shadow.ids(x).copy(), np.zeros(x.shape, int)
            numbers[index], all_old[index], all_lost[index] = sources, old, lost
            self.store(node, (x.copy(), numbers), x, slot, (x, index), (all_old, all_lost))
        else:
            view = x[index if any(part is ... for part in parts) else (*parts, ...)]
            self.store(node, (new, sources), view, slot, (x, index), (old, lost))
            self.tape.event(node, "write", [x[index]])

    def store(self, node: int, new: Any, view: Array, slot: int, where: Any, overwritten: Any) -> None:
        def stored(v: list[Any]) -> list[Array]:
            result = np.empty(view.shape, np.asarray(v[0]).dtype)
            result[...] = v[0]
            return [result]

        about = {"slot": slot, "where": where, "overwritten": None if slot else overwritten}
        self.tape.add(node, stored, [new], [view], MOVES, **about)

    def add_at(self, node: int, is_chosen: bool, name: str, x: Any) -> At:
        return At(x.__getitem__, partial(self.add_to_item, node, is_chosen, name, x))

    def add_to_item(self, node: int, is_chosen: bool, name: str, x: Any, index: Any, value: Any) -> None:
        if not isinstance(x, np.ndarray):
            x[index] = self.add_to(node, name, x[index], value)
        elif not is_float(x):
            x[index] = OPERATORS[name](x[index], value)
        else:
            adds = name == "add" and is_float(value) and self.has_ids(value)
            new = self.op(node, name, self.item(node, x, index), value, adds=adds)
            self.set_item(node, is_chosen, x, index, new, slot=1)

    def add_to(self, node: int, name: str, x: Any, value: Any) -> Any:
        if isinstance(x, list):
            x += value
            return x
        if not (isinstance(x, np.ndarray) and is_float(x)):
            result = self.op(node, name, x, value)
            self.note(node, "note", result)
            return result
        f, arguments = OPERATORS[name], (x, float(value) if type(value) is int else value)
        values = [np.array(v) for v in floats_in(arguments)]
        np.copyto(x, f(x, value), casting="same_kind")
        how = "" if name == "matmult" else ELEMENTWISE
        self.record(node, f, arguments, {}, values, [x], how=how, adds=name == "add")
        self.tape.event(node, "note", [x])
        return x

    def alias(self, node: int, passes: bool, value: Any, **about: Any) -> Any:
        """A copy, so that the line that names, returns or hands over an array is an operation of its own."""
        if not self.copies or type(value) is not np.ndarray or not is_float(value):
            return value
        last = self.tape.operations[-1] if self.tape.operations and not about else None
        if (
            last
            and self.nodes[last.node].line == self.nodes[node].line
            and np.array_equal(last.out, self.shadow.ids(value))
        ):
            return value
        result = value.copy()
        self.tape.add(node, lambda v: v, [self.tape.item(value)], [result], MOVES, passes=passes, **about)
        return result

    def note(self, node: int, kind: str, value: Any) -> Any:
        if kind == "return":
            for v in floats_in([value, getattr(value, "__dict__", None)]):
                self.tape.event(node, kind, [v])
        elif is_float(value):
            self.tape.event(node, kind, [value], is_choice=isinstance(value, np.ndarray))
        return value

    def iterate(self, node: int, x: Any) -> Any:
        if is_float(x) and isinstance(x, np.ndarray) and x.ndim == 1:
            return (self.item(node, x, k) for k in range(len(x)))
        return x


def is_float(value: Any, kinds: str = "f") -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype.kind in kinds
    return isinstance(value, np.floating | float) or (
        kinds == "fc" and isinstance(value, np.complexfloating | complex)
    )


def floats_in(value: Any, kinds: str = "f") -> list[Any]:
    """Return the floating-point arrays and numbers in a nested structure, each object once."""
    found: dict[int, Any] = {}

    def look(v: Any) -> None:
        if is_float(v, kinds):
            found[id(v)] = v
        elif isinstance(v, list | tuple | dict):
            for member in v.values() if isinstance(v, dict) else v:
                look(member)

    look(value)
    return list(found.values())


def arrays_in(value: Any) -> list[Any]:
    return [v for v in floats_in([value, getattr(value, "__dict__", None)]) if isinstance(v, np.ndarray)]


def element(x: Any, index: Any) -> Any:
    try:
        return x[index]
    except (KeyError, IndexError, TypeError):
        return None


def substituted(value: Any, new: dict[int, Any]) -> Any:
    """Return a structure with other arrays in place of some, by their id."""
    if id(value) in new:
        return new[id(value)]
    if type(value) in (list, tuple):
        return type(value)(substituted(v, new) for v in value)
    if isinstance(value, dict):
        return {key: substituted(v, new) for key, v in value.items()}
    return value


def method(name: str) -> Callable[..., Any]:
    """Return a method of arrays as a function, for numbers too."""

    def f(x: Any, *arguments: Any, **keywords: Any) -> Any:
        return getattr(x if hasattr(x, name) else np.asarray(x), name)(*arguments, **keywords)

    f.__name__ = name
    return f


def is_leaf(f: Any) -> bool:
    """Whether f is an operation in itself: of NumPy, or a built-in function on numbers."""
    bound = getattr(f, "__self__", None)
    if (
        isinstance(f, np.ufunc)
        or isinstance(bound, np.ndarray | np.floating | np.ufunc)
        or any(f is g for g in BUILTINS)
    ):
        return True
    if isinstance(f, type):
        return issubclass(f, np.floating)
    module = getattr(f, "__module__", None) or ""
    is_random = module.startswith("numpy.random") or isinstance(bound, np.random.Generator | np.random.RandomState)
    return module.partition(".")[0] in ("numpy", "scipy") and not is_random


def is_written(f: Any, arguments: Any, keywords: Any, x: Array, before: Array) -> bool:
    """Whether a call wrote to x, even if it wrote what was there."""
    out = keywords.get("out")
    outs = [*(out if isinstance(out, tuple) else [out]), *(arguments[f.nin :] if isinstance(f, np.ufunc) else ())]
    if getattr(f, "__name__", "") in ("copyto", "fill"):
        outs.append(arguments[0])
    return any(o is x for o in outs) or not np.array_equal(x, before, equal_nan=True)
