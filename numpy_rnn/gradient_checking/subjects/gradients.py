"""Where the gradients are after a backward pass: in what it returned, or in attributes and variables.

What backward returns has names, or gets those of forward's arguments in their order, perhaps followed by those of the
parameters. What it leaves behind has names too. Which names belong to which tensor is said in leaves.py.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from inspect import getattr_static
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.subjects.leaves import (
    GRADIENTS,
    Steps,
    follow,
    is_rows,
    parts_of,
    readings,
    without_d,
)
from numpy_rnn.gradient_checking.subjects.signatures import returned_names
from numpy_rnn.gradient_checking.subjects.state import Path, is_floating, walk

if TYPE_CHECKING:
    from numpy_rnn.gradient_checking.subjects.subject import Subject

__all__ = ["as_gradient", "gradient_places"]

OF_THE_INPUT = ("inputs", "input", "Input", "X", "x")  # as in dinputs or grad_input, whatever the input's name is


class Found(NamedTuple):
    """Something that may be a gradient."""

    rank: int  # 0 unless its name says that it is one; the higher, the more unusual the name
    path: Path
    value: Any


Index = Mapping[Steps, list[Found]]  # by the steps to the tensor of which it may be the gradient
Item = tuple[Steps, Path, Any]  # something in the root: what it is called, where it is, and its value


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
    places |= search.left_behind(places)
    if others := search.contradicted(places):
        subject.notes.append(f"another array that is called a gradient of {', '.join(others)} differs: not checked")
    return places


class _Search:
    def __init__(self, subject: Subject, root: Mapping[Any, Any]) -> None:
        self.subject, self.root, self.leaves = subject, root, subject.leaves
        self.inputs = [name for name, leaf in self.leaves.items() if leaf.part == "args"]
        self.own = [name for name in subject.depends if name not in self.inputs]
        paths = [leaf.paths[0][1:] for leaf in [*self.leaves.values(), *subject.constant_leaves]]
        self.counts = Counter(steps for path in paths for steps in {*_exact(path), *_shortened(path)})

    def returned(self) -> dict[str, Path]:
        """Return the paths to the gradients in what backward returned."""
        subject, returned, start = self.subject, self.root["returned"], (("[", "returned"),)
        if returned is None:
            return {}
        if _is_named(returned):
            found = self._by_name([((), start, returned)])
            if found or isinstance(returned, Mapping):
                return found
        items = _items(start, returned) if isinstance(returned, tuple | list) else [(start, returned)]
        last = items[-1][1] if items else None
        flat = [*items[:-1], *_items(items[-1][0], last)] if isinstance(last, tuple | list) else items
        slots, own = self._holders(self.inputs), self._holders(n for n in self.own if not self.leaves[n].is_number)
        plain = [key for key in slots if key in self.leaves]  # the others may be settings
        arrays = [key for key, value in subject.inputs.items() if is_floating(value)]  # constants among them
        more = len(items) if subject.backward_callable is None else 0  # such as a new state, after the gradients
        names = returned_names(subject.backward_callable or subject.forward_callable)
        if more:
            names = [name for k, name in enumerate(names) if k not in subject.calls.outputs]
        ways = [([*self.root["args"]], items, 0), (slots, items, len(subject.further_inputs)), (plain, items, 0)]
        ways += [(arrays, items, 0), (names if any(names) else [], items, 0)]
        ways += [(slots, [(start, returned)], 0)] * isinstance(returned, tuple | list)  # of one list of arrays
        for some in (slots, plain, []):
            ways += [([*some, *own], items, more), ([*some, *own], flat, 0)]  # dx, dW, db, or dx, (dW, db)
            ways += [(some, items, 1)] * _is_named(last)  # dx, {"W": dW}
        fitting = [(keys, row) for keys, row, extra in ways if keys and 0 <= len(row) - len(keys) <= extra]
        if not fitting and (more or len(items) < len(slots)):
            fitting = [(slots, items)]
        called = [[((key,), *item) for key, item in zip(*both, strict=False)] for both in fitting]
        named = self._by_name([((), *item) for item in items if _is_named(item[1])])
        found = max((named | self._by_name(some) for some in called), key=self._score, default=named)
        if slots and not found and any(value is not None for _, value in items):
            raise ValueError(
                f"backward of {subject.label} returned {len(items)} gradients, expected {len(slots)}: "
                f"{', '.join(slots)} (or a dictionary by name)"
            )
        return found

    def left_behind(self, found: Mapping[str, Path]) -> dict[str, Path]:
        """Return the paths to the gradients in attributes and variables, of the tensors that have none yet."""
        left: dict[str, Path] = {}
        taken = {id(follow(self.root, self.leaves[name].paths[0])) for name in self.subject.depends}
        index = cache(lambda part: _indexed(self._offered(part)))

        def look(name: str, part: Any, spellings: Iterable[Steps]) -> Found | None:
            called_so = [f for f in _called(index(part), spellings) if f.rank and id(f.value) not in taken]
            best = self._best(name, called_so)
            return best if best and (isinstance(best.value, np.ndarray) or self._fits(name, best.value)) else None

        def take(name: str, best: Found | None) -> None:
            if best:
                left[name] = best.path
                taken.add(id(best.value))

        for place in (None, *parts_of(self.root)[1:]):  # first where the tensor is, then in the objects and variables
            for name in [name for name in self.leaves if name not in found and name not in left]:
                take(name, look(name, self.leaves[name].part if place is None else place, self._spellings(name)))
        inputs: list[Steps] = [(word,) for word in OF_THE_INPUT]
        for names, spellings in ((self.inputs, inputs), (self.own, [()])):  # dinputs, grad
            without = [name for name in names if name not in found and name not in left]
            fitting = [(n, f) for n in without if (f := look(n, "self", spellings)) and self._fits(n, f.value)]
            if len(fitting) == 1:
                take(*fitting[0])
        return left

    def contradicted(self, places: Mapping[str, Path]) -> list[str]:
        """Return the tensors for which the object also holds other numbers under the name of a gradient."""
        index = _indexed(self._offered("self")) if self.root["self"] is not None else {}
        found = []
        for name, path in places.items():
            value = follow(self.root, path)
            others = [f for f in _called(index, self._spellings(name)) if f.rank and self._fits(name, f.value)]
            if any(f.path != path and not np.allclose(f.value, value, equal_nan=True) for f in others):
                found.append(name)
        return found

    def _offered(self, part: Any) -> Iterator[Item]:
        """Yield a part of the root, and what classes there offer: attributes, properties, methods like `grads()`."""
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

    def _holders(self, names: Iterable[str]) -> list[Any]:
        """Return the arguments, attributes or variables in which the tensors are."""
        return [key for _, key in dict.fromkeys(self.leaves[name].paths[0][:2][-1] for name in names)]

    def _by_name(self, items: Iterable[Item]) -> dict[str, Path]:
        """Return the paths to what is called like the tensors, or like their gradients."""
        index = _indexed(items)
        names = [*self.inputs, *self.own]
        best = {name: self._best(name, _called(index, self._spellings(name))) for name in names}
        return {name: found.path for name, found in best.items() if found}

    def _spellings(self, name: str) -> list[Steps]:
        """Return the steps by which a tensor may be called: all, or fewer of them if no other tensor has these."""
        paths = [path[1:] for path in self.leaves[name].paths if path[0] == self.leaves[name].paths[0][0]]
        exact = [steps for path in paths for steps in _exact(path)]
        return exact + [short for short in _shortened(paths[0]) if self.counts[short] == 1]

    def _best(self, name: str, found: list[Found]) -> Found | None:
        """Return what has the shape of the tensor, or else the first."""
        return next((f for f in found if self._fits(name, f.value)), found[0] if found else None)

    def _fits(self, name: str, value: Any) -> bool:
        try:
            return bool(np.shape(value) == self.subject.shapes[name])
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


def _indexed(items: Iterable[Item]) -> Index:
    """Return the numbers in some items, and the items themselves, by the steps to the tensors they may belong to."""
    index: dict[Steps, list[Found]] = defaultdict(list)
    for keys, start, item in items:
        for path, value in walk(item):
            is_item = keys and not (path or value is None or isinstance(value, Mapping))
            if is_item or isinstance(value, np.ndarray | np.number | float | int) or is_rows(value):
                for steps, rank in readings((*keys, *(key for _, key in path))):
                    index[steps].append(Found(rank, (*start, *path), value))
    return index


def _called(index: Index, spellings: Iterable[Steps]) -> list[Found]:
    return [found for steps in spellings for found in sorted(index.get(steps, ()), key=lambda found: found.rank)]


def _items(path: Path, values: Iterable[Any]) -> list[tuple[Path, Any]]:
    return [((*path, ("[", k)), value) for k, value in enumerate(values)]


def _is_named(value: Any) -> bool:
    is_record = isinstance(value, Mapping) or dataclasses.is_dataclass(value) or hasattr(value, "_fields")
    return is_record or (hasattr(value, "__dict__") and not callable(value) and not isinstance(value, np.ndarray))


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
