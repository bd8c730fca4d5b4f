"""Leaves: the floating-point arrays in an object, their names, and what the names of their gradients are.

The steps of a path are read without those that only say "a parameter" or "a gradient", and without the `d` of `dW`.
Then a tensor and its gradient read the same: `cell.W` and `cell.dW` or `dcell.W`, `params["W"]` and `grads["W"]` or
`grads["dW"]`, `weights[0]` and `dweights[0]`, `weight.data` and `weight.grad`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from inspect import ismethod
from typing import Any

import numpy as np

from numpy_rnn.gradient_checking.subjects.state import Path, is_floating, walk

__all__ = ["GRADIENTS", "Leaf", "Steps", "follow", "is_rows", "leaves_of", "parts_of", "put", "readings", "without_d"]

Steps = tuple[Any, ...]  # the keys of a path

CONTAINERS = ("params", "parameters")
VALUES = ("data", "value", "values", "val", "v", "array", "param")  # the numbers of a parameter object
GRADIENTS = ("grads", "gradients", "grad", "gradient", "dparams", "d_params", "derivative", "d", "g")
PREFIXES = ("d", "d_", "grad_", "grad", "gradient_", "dL_d", "dLd", "dJ_d", "nabla_", "delta_", "g")
SUFFIXES = ("_grad", "_gradient", "grad")


@dataclass
class Leaf:
    """One array, or a number or a list of numbers: its name, and every path to it from the root of a subject."""

    name: str
    paths: list[Path]
    is_number: bool

    @property
    def part(self) -> Any:
        """The part of the root in which it is: "args", "self", "other", or the number of a scope of variables."""
        return self.paths[0][0][1]

    @property
    def is_inside(self) -> bool:
        """Whether it is in an argument, object or variable that holds it, rather than one itself."""
        return len(self.paths[0]) > 2

    @property
    def last(self) -> Any:
        """The last step that isn't `.data` or the like: the name proper."""
        path = self.paths[0]
        return next((key for _, key in reversed(path[1:]) if str(key).lstrip("_") not in VALUES), path[-1][1])


def leaves_of(root: Mapping[Any, Any], nameless: str | None = None) -> dict[str, Leaf]:
    """Return the floating-point arrays and numbers in a root by their names, which leave out `nameless`."""
    found: dict[Any, Leaf] = {}
    for part in parts_of(root):
        start: Path = (("[", part),)
        members = [start] if part in ("self", "other") else [(*start, ("[", name)) for name in root[part]]
        for prefix in members:
            rows: set[Path] = set()  # lists of numbers, whose numbers are no leaves of their own
            for path, value in walk(follow(root, prefix)):
                is_number = isinstance(value, float | np.floating)
                if path[:-1] in rows or (isinstance(value, list) and is_rows(value)):
                    rows.add(path)
                if path[:-1] in rows:
                    continue
                if is_floating(value) or (path and (is_number or (isinstance(value, list) and is_rows(value)))):
                    key = (*prefix, *path) if is_number else id(value)  # equal numbers may be one object
                    found.setdefault(key, Leaf("", [], is_number)).paths.append((*prefix, *path))
    leaves: dict[str, Leaf] = {}
    for leaf in found.values():
        names = [_name(leaf.paths[0], nameless, short) for short in (True, False)]
        leaf.name = next((name for name in names if name and name not in leaves), names[-1])
        while leaf.name in leaves:
            leaf.name += " (another)"
        leaves[leaf.name] = leaf
    return leaves


def parts_of(root: Mapping[Any, Any]) -> list[Any]:
    """Return the parts of a root in which tensors may be: arguments, objects, and scopes, which have numbers."""
    objects = ["self"] if root["self"] is root["other"] else ["self", "other"]
    return ["args", *objects, *(part for part in root if isinstance(part, int))]


def is_rows(value: Any) -> bool:
    """Whether a list holds floating-point numbers, or lists of them in equal lengths."""
    if isinstance(value, list):
        return bool(value) and all(map(is_rows, value)) and len({np.shape(row) for row in value}) == 1
    return isinstance(value, float | np.floating)


def _name(path: Path, nameless: str | None, short: bool) -> str:
    """Write a path as Python would; `short`: without a container of all parameters and a final `.data`."""
    is_object, steps = path[0][1] in ("self", "other"), path[1:]
    if short and len(steps) > 1 and str(steps[-1][1]).lstrip("_") in VALUES:
        steps = steps[:-1]
    name, is_left_out = "", False
    for k, (kind, key) in enumerate(steps):
        is_plain = not name or is_left_out or kind == "."  # `W` or `.W`, not `["W"]`
        is_container = str(key).lstrip("_") in CONTAINERS and isinstance(steps[k + 1 :] and steps[k + 1][1], str)
        is_left_out = (short and is_container) if k or is_object else key == nameless
        if not is_left_out:
            name += f"{'.' * bool(name)}{key}" if is_plain else f"[{key!r}]"
    return name


def follow(root: Any, path: Path) -> Any:
    """Return what is at a path, or None."""
    for _, key in path:
        root = _child(root, key)
    return root


def _child(where: Any, key: Any) -> Any:
    """Return the item or the attribute of that name, or None; of a method such as `gradients()`, its result."""
    try:
        if (key in where) if isinstance(where, Mapping) else not isinstance(key, str):
            return where[key]
        value: Any = getattr(where, key, None)
        is_method = ismethod(value) and value.__self__ is where
        return value() if is_method and key in GRADIENTS else value
    except Exception:  # too short a list, or a property that cannot be read now
        return None


def put(root: Any, path: Path, value: Any) -> None:
    """Set what is at a path."""
    (kind, key), owner = path[-1], follow(root, path[:-1])
    if kind == "[":
        owner[key] = value
    else:
        setattr(owner, key, value)


def readings(keys: Iterable[Any]) -> list[tuple[Steps, int]]:
    """Return the steps to every tensor that a path may lead to, or to the gradient of; 0 if to the tensor itself.

    For a gradient, the number is the higher, the more unusual its name is.
    """
    parts = [part for key in keys for part in (key.split(".") if isinstance(key, str) else [key])]
    return [
        (tuple(word for word, _ in words if word is not None), sum(rank for _, rank in words))
        for words in itertools.product(*map(_words, parts))
    ]


@lru_cache(maxsize=10_000)
def _words(key: Any) -> list[tuple[Any, int]]:
    """Return the names that a key may stand for, with their ranks; None if it only says that it is a parameter."""
    if not isinstance(key, str):
        return [(key, 0)]
    word = key.lstrip("_")
    underscores = key[: len(key) - len(word)]
    found: list[tuple[Any, int]] = [(key, 0)]
    if word in CONTAINERS or word in VALUES:
        found.append((None, 0))
    if word in GRADIENTS:
        found.append((None, 1))
    starts = [(rank, prefix) for rank, prefix in enumerate(PREFIXES, 1) if word.startswith(prefix) and word != prefix]
    found += [(underscores + word.removeprefix(prefix), rank) for rank, prefix in starts]
    found += [(key.removesuffix(s), 1) for s in SUFFIXES if key.endswith(s) and key != s]
    return found


def without_d(name: str) -> str:
    """Return the name of the tensor that a gradient belongs to: `dx`, `d_x` and `grad_x` belong to `x`."""
    is_other = name in ("delta", "data", "derivative")
    prefix = next((prefix for prefix in ("grad_", "d_", "d") if name.startswith(prefix) and not is_other), "")
    return name.removeprefix(prefix) or name
