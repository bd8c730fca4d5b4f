"""Where the gradients are after a backward pass: in what it returned, or in attributes and variables.

What backward returns is in the order of forward's arguments, or has names, or is nested as the arguments are, and the
gradients of parameters may follow those of the arguments. What it leaves behind is found by name; see leaves.py.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from inspect import getattr_static
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.subjects.calls import returned_names
from numpy_rnn.gradient_checking.subjects.leaves import (
    GRADIENTS,
    Steps,
    follow,
    is_rows,
    parts_of,
    readings,
    without_d,
)
from numpy_rnn.gradient_checking.subjects.state import Path, walk

if TYPE_CHECKING:
    from numpy_rnn.gradient_checking.subjects.subject import Subject

__all__ = ["as_gradient", "gradient_places"]

OF_THE_INPUT = ("inputs", "input", "Input", "X", "x")  # as in dinputs or grad_input, whatever the input's name is


class Found(NamedTuple):
    """Something that may be a gradient."""

    rank: int  # 0 unless its name says that it is one; the higher, the more unusual the name
    path: Path
    value: Any


Index = dict[Steps, list[Found]]  # by the steps to the tensor of which it may be the gradient
Item = tuple[Steps, Path, Any]  # something in the root: what it is called, where it is, and its value
Group = list[str]  # the tensors in one argument of forward, or in one attribute or variable


def gradient_places(subject: Subject, root: Mapping[Any, Any]) -> dict[str, Path]:
    """Return the path to the gradient of each tensor, where there is one; `root["returned"]` is backward's result.

    Raises
    ------
    ValueError
        Backward returned a sequence that fits neither by its length nor by the names in its return statement.
    """
    search = _Search(subject, root)
    places = search.returned()
    if isinstance(root["returned"], Mapping):
        known = {path[1][1] for path in places.values()} | {*subject.constants}
        if unknown := [str(key) for key in root["returned"] if not known & {key, without_d(str(key))}]:
            subject.notes.append(f"backward returns {', '.join(unknown)}, which matches no tensor being checked")
    return places | search.left_behind(places)


class _Search:
    def __init__(self, subject: Subject, root: Mapping[Any, Any]) -> None:
        self.subject, self.root, self.leaves = subject, root, subject.leaves
        self.inputs = [name for name, leaf in self.leaves.items() if leaf.part == "args"]
        self.own = [name for name in subject.depends if name not in self.inputs]
        self.counts = Counter(s for leaf in self.leaves.values() for s in {*_shortened(leaf.paths[0][1:])})

    def returned(self) -> dict[str, Path]:
        """Return the paths to the gradients in what backward returned."""
        subject, returned, start = self.subject, self.root["returned"], (("[", "returned"),)
        if _is_named(returned):
            found = self._by_name(((), start, returned))
            if found or isinstance(returned, Mapping):
                return found
        if returned is None:
            return {}
        items = _items(start, returned) if isinstance(returned, tuple | list) else [(start, returned)]
        last = items[-1][1] if items else None
        flat = [*items[:-1], *_items(*items[-1])] if isinstance(last, tuple | list) else items
        slots = self._groups(self.inputs)
        by_argument = {self.leaves[group[0]].paths[0][1][1]: group for group in slots}
        arguments = [by_argument.get(name, []) for name in self.root["args"]]
        plain = [group for group in slots if len(self.leaves[group[0]].paths[0]) == 2]  # the others may be settings
        own = self._groups([name for name in self.own if not self.leaves[name].is_number])
        more = len(items) if subject.backward_callable is None else 0  # such as a new state, after the gradients

        ways = [(arguments, items, 0), (slots, items, len(subject.further_inputs)), (plain, items, 0)]
        fitting = self._in_order(ways)
        names = returned_names(subject.backward_callable or subject.forward_callable)
        if subject.backward_callable is None:
            names = [name for k, name in enumerate(names) if k not in subject.calls.outputs]
        if len(names) == len(items):
            named = [((name,), *item) for name, item in zip(names, items, strict=True) if not _is_named(item[1])]
            fitting.append(self._by_name(*named))
        for some in (slots, plain, []):
            ways = [([*some, *own], items, more), ([*some, *own], flat, 0)]  # dx, dW, db, or dx, (dW, db)
            fitting += self._in_order(ways + [(some, items, 1)] * _is_named(last))  # dx, {"W": dW}
        if not fitting and (more or len(items) < len(slots)):
            fitting = self._in_order([(slots[: len(items)], items, more)])
        if slots and not any(fitting) and any(value is not None for _, value in items):
            raise ValueError(
                f"backward of {subject.label} returned {len(items)} gradients, expected {len(slots)}: "
                f"{', '.join(by_argument)} (or a dictionary by name)"
            )
        best = max(fitting, key=self._score, default={})
        for path, value in items:
            if _is_named(value):
                best = self._by_name(((), path, value)) | best
        return best

    def left_behind(self, found: Mapping[str, Path]) -> dict[str, Path]:
        """Return the paths to the gradients in attributes and variables, of the tensors that have none yet."""
        left: dict[str, Path] = {}
        indexes = {part: _indexed(*self._holders(part)) for part in parts_of(self.root)}
        taken = {id(follow(self.root, self.leaves[name].paths[0])) for name in self.subject.depends}

        def look(name: str, part: Any, spellings: Iterable[Steps]) -> Found | None:
            called_so = [f for f in _called(indexes[part], spellings) if f.rank and id(f.value) not in taken]
            best = self._best(name, called_so)
            return best if best and (isinstance(best.value, np.ndarray) or self._fits(name, best.value)) else None

        def take(name: str, best: Found | None) -> None:
            if best:
                left[name] = best.path
                taken.add(id(best.value))

        for place in (None, *list(indexes)[1:]):  # first where the tensor is, then in the objects and variables
            for name, leaf in self.leaves.items():
                if name not in found and name not in left:
                    take(name, look(name, leaf.part if place is None else place, self._spellings(name)))
        inputs: list[Steps] = [(word,) for word in OF_THE_INPUT]
        for names, spellings in ((self.inputs, inputs), (self.own, [()])):  # dinputs, grad
            without = [name for name in names if name not in found and name not in left]
            fitting = [(n, f) for n in without if (f := look(n, "self", spellings)) and self._fits(n, f.value)]
            if len(fitting) == 1:
                take(*fitting[0])
        return left

    def _holders(self, part: Any) -> Iterator[Item]:
        """Yield a part of the root, and what the classes there offer: attributes, properties, methods like `grads()`."""
        start: Path = (("[", part),)
        yield (), start, self.root[part]
        paths = [path for leaf in self.leaves.values() for path in leaf.paths if path[0] == start[0]]
        for place in dict.fromkeys([start, *(path[:k] for path in paths for k in range(1, len(path)))]):
            owner = follow(self.root, place)
            cls = owner if isinstance(owner, type) else type(owner)
            for name in dir(cls) if cls.__module__ != "builtins" else ():
                if name in GRADIENTS or not (name.startswith("__") or callable(getattr_static(cls, name))):
                    path = (*place, (".", name))
                    yield tuple(key for _, key in path[1:]), path, follow(self.root, path)

    def _groups(self, names: list[str]) -> list[Group]:
        """Return the tensors by the argument, attribute or variable in which they are."""
        return [[*group] for _, group in itertools.groupby(names, lambda name: self.leaves[name].paths[0][:2])]

    def _in_order(self, ways: list[tuple[list[Group], list[tuple[Path, Any]], int]]) -> list[dict[str, Path]]:
        """Read the items in each of the orders that has as many groups, or so many fewer."""
        found = []
        for order, items, more in ways:
            if 0 <= len(items) - len(order) <= more:
                pairs = zip(order, items, strict=False)
                found.append({n: p for group, item in pairs for n in group if (p := self._within(n, *item))})
        return found

    def _within(self, name: str, path: Path, value: Any) -> Path | None:
        """Return the path to a tensor's gradient in that of its argument, which is nested in the same way."""
        rest = self.leaves[name].paths[0][2:]
        if not rest:
            return None if value is None or isinstance(value, Mapping) else path
        best = self._best(name, _called(_indexed(((), path, value)), _exact(rest)))
        return best.path if best else None

    def _by_name(self, *items: Item) -> dict[str, Path]:
        """Look each tensor up under its steps."""
        index = _indexed(*items)
        found = {name: self._best(name, _called(index, self._spellings(name))) for name in [*self.inputs, *self.own]}
        return {name: best.path for name, best in found.items() if best}

    def _spellings(self, name: str) -> list[Steps]:
        """Return the steps by which a tensor may be called: all, or fewer of them if no other tensor has these."""
        paths = [path[1:] for path in self.leaves[name].paths if path[0] == self.leaves[name].paths[0][0]]
        exact = [steps for path in paths for steps in _exact(path)]
        return exact + [short for short in _shortened(paths[0]) if self.counts[short] == 1]

    def _best(self, name: str, found: list[Found]) -> Found | None:
        return next((f for f in found if self._fits(name, f.value)), found[0] if found else None)

    def _fits(self, name: str, value: Any) -> bool:
        try:
            return np.shape(value) == self.subject.shapes[name]
        except ValueError:  # rows of several lengths
            return False

    def _score(self, reading: dict[str, Path]) -> int:
        return sum(self._fits(name, follow(self.root, path)) for name, path in reading.items())


def _exact(path: Path) -> list[Steps]:
    """Return the steps to a tensor, with and without those that only say that it is one."""
    return [steps for steps, rank in readings(key for _, key in path) if not rank]


def _shortened(path: Path) -> list[Steps]:
    """Return the steps without those at the beginning or in the middle."""
    return [short for s in _exact(path) if s for short in (s[1:], *(s[:k] + s[-1:] for k in range(len(s) - 1)))]


def _indexed(*items: Item) -> Index:
    """Return everything in some items that may be a gradient, by the steps to the tensor that it may belong to."""
    index: Index = defaultdict(list)
    for keys, start, item in items:
        for path, value in walk(item):
            if isinstance(value, np.ndarray | np.number | float | int) or is_rows(value):
                for steps, rank in readings((*keys, *(key for _, key in path))):
                    index[steps].append(Found(rank, (*start, *path), value))
    return index


def _called(index: Index, spellings: Iterable[Steps]) -> list[Found]:
    return [found for steps in spellings for found in sorted(index.get(steps, ()), key=lambda found: found.rank)]


def _items(path: Path, values: Iterable[Any]) -> list[tuple[Path, Any]]:
    return [((*path, ("[", k)), value) for k, value in enumerate(values)]


def _is_named(value: Any) -> bool:
    is_record = dataclasses.is_dataclass(value) or hasattr(value, "_fields")
    is_object = hasattr(value, "__dict__") and not callable(value) and not isinstance(value, np.ndarray)
    return isinstance(value, Mapping) or is_record or is_object


def as_gradient(name: str, value: Any, label: str) -> Array:
    """Return a copy of the gradient of one tensor, which must be an array of numbers."""
    try:
        gradient = np.array(value)
    except ValueError:  # rows of several lengths
        gradient = np.array(None)
    if gradient.dtype.kind not in "biufc":
        what = f"an array of {gradient.dtype}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
        raise TypeError(
            f"backward of {label} returned {what} as the gradient of {name}: expected an array of numbers"
        )
    return gradient
