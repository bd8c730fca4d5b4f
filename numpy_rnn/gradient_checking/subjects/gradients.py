"""Where the gradients are after a backward pass: in what it returned, or in attributes and variables.

What backward returned by position gets the names of forward's arguments, perhaps followed by those of the parameters.
What it left behind has names. Which names belong to which tensor is said in leaves.py.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from inspect import getattr_static
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.subjects.leaves import GRADIENTS, follow, parts_of, readings, without_d
from numpy_rnn.gradient_checking.subjects.signatures import returned_names
from numpy_rnn.gradient_checking.subjects.state import Path, is_rows, walk

if TYPE_CHECKING:
    from numpy_rnn.gradient_checking.subjects.subject import Subject

__all__ = ["as_gradient", "gradient_places"]

OF_THE_INPUT = [(word,) for word in ("inputs", "input", "Input", "X", "x")]  # as in dinputs, whatever its name is


class Found(NamedTuple):
    """Something that may be a gradient."""

    rank: int  # 0 unless its name says that it is one; the higher, the more unusual the name
    path: Path
    value: Any


Item = tuple[Path, Path, Any]  # something in the root: what it is called, where it is, and its value


def gradient_places(subject: Subject, root: Mapping[Any, Any]) -> dict[str, Path]:
    """Return the path to the gradient of each tensor, where there is one; `root["returned"]` is backward's result."""
    search = _Search(subject, root)
    places = search.returned()
    if isinstance(root["returned"], Mapping):
        known = {path[1] for path in places.values()} | {*subject.constants}
        if unknown := [str(key) for key in root["returned"] if not known & {key, without_d(str(key))}]:
            subject.notes.append(f"backward returns {', '.join(unknown)}, which matches no tensor being checked")
    places |= search.left_behind(places)
    if others := search.contradicted(places):
        subject.notes.append(f"another array that is called a gradient of {', '.join(others)} differs: not checked")
    return places


class _Search:
    def __init__(self, subject: Subject, root: Mapping[Any, Any]) -> None:
        self.subject, self.root, self.leaves = subject, root, subject.leaves
        self.inputs = [name for name, leaf in self.leaves.items() if leaf.is_argument]
        self.own = [name for name in subject.depends if name not in self.inputs]
        paths = [leaf.paths[0][1:] for leaf in [*self.leaves.values(), *subject.constant_leaves]]
        self.counts = Counter(keys for path in paths for keys in {*_exact(path), *_shortened(path)})
        self.index = _indexed(item for part in parts_of(root) for item in self._offered(part))

    def returned(self) -> dict[str, Path]:
        """Return the paths to the gradients in what backward returned: by name, or else by position."""
        subject, returned = self.subject, self.root["returned"]
        whole: list[tuple[Path, Any]] = [(("returned",), returned)]
        if returned is None:
            return {}
        if _is_named(returned):
            found = self._by_name([((), *whole[0])])
            if found or isinstance(returned, Mapping):
                return found
        items = [opened for item in whole for opened in _opened(*item)]
        flat = [*items[:-1], *(opened for item in items[-1:] for opened in _opened(*item))]  # dx, (dW, db)
        named = [((), *item) for item in items if _is_named(item[1])]  # dx, {"W": dW}
        slots, own = self._holders(self.inputs), self._holders(n for n in self.own if not self.leaves[n].is_number)
        names = returned_names(subject.backward_callable or subject.forward_callable)
        if subject.backward_callable is None:
            names = [name for k, name in enumerate(names) if k not in subject.calls.outputs]
        ways = [[*self.root["args"]], slots, names, [*slots, *own], own]
        # More values may follow: a state after the gradients, or a dictionary of those of the parameters.
        pairs = [(keys, row) for keys in ways if any(keys) for row in (items, flat, whole) if len(row) >= len(keys)]
        if not pairs:
            pairs = [(slots, items)]
        called = [[((k,), *item) for k, item in zip(*pair, strict=False)] for pair in pairs]
        best = max((self._by_name([*named, *some]) for some in called), key=self._score)
        is_odd = len(items) != len(slots) and any(value is not None for _, value in items)
        if slots and is_odd and not self._score(best):
            raise ValueError(
                f"backward of {subject.label} returned {len(items)} gradients, expected {len(slots)}: "
                f"{', '.join(slots)} (or a dictionary by name)"
            )
        return best

    def left_behind(self, found: Mapping[str, Path]) -> dict[str, Path]:
        """Return the paths to the gradients in attributes and variables, of the tensors that have none yet."""
        left: dict[str, Path] = {}
        taken = {id(follow(self.root, self.leaves[name].paths[0])) for name in self.subject.depends}

        def look(name: str, spellings: Iterable[Path]) -> Found | None:
            own = self.leaves[name].paths[0][0]  # first where the tensor is, then in the objects and variables
            called_so = [f for f in _called(self.index, spellings) if f.rank and id(f.value) not in taken]
            called_so = [f for f in called_so if f.path[0] in (own, *parts_of(self.root)[1:])]
            best = self._best(name, sorted(called_so, key=lambda f: bool(f.path[0] != own)))
            return best if best and (isinstance(best.value, np.ndarray) or self._fits(name, best.value)) else None

        def take(name: str, best: Found | None) -> None:
            if best:
                left[name] = best.path
                taken.add(id(best.value))

        for name in [name for name in self.leaves if name not in found]:
            take(name, look(name, self._spellings(name)))
        for names, spellings in ((self.inputs, OF_THE_INPUT), (self.own, [()])):  # dinputs, grad
            without = [name for name in names if name not in found and name not in left]
            fitting = [(n, f) for n in without if (f := look(n, spellings)) and self._fits(n, f.value)]
            if len(fitting) == 1:
                take(*fitting[0])
        return left

    def contradicted(self, places: Mapping[str, Path]) -> list[str]:
        """Return the tensors for which the object also holds other numbers under the name of a gradient."""
        found = []
        for name, path in places.items():
            value, called_so = follow(self.root, path), _called(self.index, self._spellings(name))
            others = [f for f in called_so if f.rank and f.path[0] == "self" and self._fits(name, f.value)]
            if not all(f.path == path or np.allclose(f.value, value, equal_nan=True) for f in others):
                found.append(name)
        return found

    def _offered(self, part: Any) -> Iterator[Item]:
        """Yield a part of the root, and what classes there offer: attributes, properties, methods like `grads()`."""
        yield (), (part,), self.root[part]
        paths = [path for leaf in self.leaves.values() for path in leaf.paths if path[0] == part]
        for place in dict.fromkeys([(part,), *(path[:k] for path in paths for k in range(1, len(path)))]):
            owner = follow(self.root, place)
            cls = owner if isinstance(owner, type) else type(owner)
            for name in dir(cls) if cls.__module__ != "builtins" else ():
                if name in GRADIENTS or not (name.startswith("__") or callable(getattr_static(cls, name))):
                    yield (*place[1:], name), (*place, name), follow(self.root, (*place, name))

    def _holders(self, names: Iterable[str]) -> list[Any]:
        """Return the arguments, attributes or variables in which the tensors are."""
        return [*dict.fromkeys(self.leaves[name].paths[0][:2][-1] for name in names)]

    def _by_name(self, items: Iterable[Item]) -> dict[str, Path]:
        """Return the paths to what is called like the tensors, or like their gradients."""
        index, names = _indexed(items), [*self.inputs, *self.own]
        best = {name: self._best(name, _called(index, self._spellings(name))) for name in names}
        return {name: found.path for name, found in best.items() if found}

    def _spellings(self, name: str) -> list[Path]:
        """Return the keys by which a tensor may be called: all, or fewer of them if no other tensor has these."""
        paths = [path[1:] for path in self.leaves[name].paths if path[0] == self.leaves[name].paths[0][0]]
        exact = [keys for path in paths for keys in _exact(path)]
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


def _exact(path: Path) -> list[Path]:
    """Return the keys to a tensor, with and without those that only say that it is one."""
    return [keys for keys, rank in readings(path) if not rank]


def _shortened(path: Path) -> list[Path]:
    """Return the keys without those at the beginning or in the middle."""
    return [short for s in _exact(path) if s for short in (s[1:], *(s[:k] + s[-1:] for k in range(len(s) - 1)))]


def _indexed(items: Iterable[Item]) -> dict[Path, list[Found]]:
    """Return the numbers in some items, and the items themselves, by the keys to the tensors they may belong to."""
    index: dict[Path, list[Found]] = defaultdict(list)
    for keys, start, item in items:
        for path, value in walk(item):
            is_item = keys and not (path or value is None or isinstance(value, Mapping))
            if is_item or isinstance(value, np.ndarray | np.number | float | int) or is_rows(value):
                for tensor, rank in readings((*keys, *path)):
                    index[tensor].append(Found(rank, (*start, *path), value))
    return index


def _called(index: Mapping[Path, list[Found]], spellings: Iterable[Path]) -> list[Found]:
    return [found for keys in spellings for found in sorted(index.get(keys, ()), key=lambda found: found.rank)]


def _opened(path: Path, value: Any) -> list[tuple[Path, Any]]:
    """Return what a tuple or list holds, or else the value alone."""
    return [((*path, k), v) for k, v in enumerate(value)] if isinstance(value, tuple | list) else [(path, value)]


def _is_named(value: Any) -> bool:
    is_record = isinstance(value, Mapping) or dataclasses.is_dataclass(value) or hasattr(value, "_fields")
    return is_record or (hasattr(value, "__dict__") and not callable(value) and not isinstance(value, np.ndarray))


def as_gradient(name: str, value: Any, label: str) -> Array:
    """Return a copy of the gradient of one tensor, which must be an array of numbers."""
    gradient = np.array(None)
    with suppress(ValueError):  # rows of several lengths
        gradient = np.array(value)
    if gradient.dtype.kind not in "biufc":
        what = f"an array of {gradient.dtype}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
        raise TypeError(
            f"backward of {label} returned {what} as the gradient of {name}: expected an array of numbers"
        )
    return gradient
