"""Leaves: the floating-point arrays in an object, their names, and what the names of their gradients are.

The keys of a path are read without those that only say "a parameter" or "a gradient", and without the `d` of `dW`.
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

from numpy_rnn.gradient_checking.subjects.state import Attribute, Path, is_floating, is_rows, walk

__all__ = ["GRADIENTS", "Leaf", "follow", "leaves_of", "parts_of", "put", "readings", "without_d"]

CONTAINERS = ("params", "parameters")
VALUES = ("data", "value", "values", "val", "v", "array", "param")  # the numbers of a parameter object
GRADIENTS = ("grads", "gradients", "grad", "gradient", "dparams", "d_params", "derivative", "d", "g")
PREFIXES = ("d", "d_", "grad_", "grad", "gradient_", "dL_d", "dLd", "dJ_d", "nabla_", "delta_", "g")
SUFFIXES = ("_grad", "_gradient", "grad")


@dataclass
class Leaf:
    """One array, number or list of numbers: its name, and every path to it from the root of a subject.

    A path begins with a part of the root: "args", "self", "other", or the number of a scope of variables.
    """

    name: str
    paths: list[Path]
    is_number: bool

    @property
    def is_argument(self) -> bool:
        return bool(self.paths[0][0] == "args")

    @property
    def is_inside(self) -> bool:
        """Whether it is in an argument, object or variable that holds it, rather than one itself."""
        return len(self.paths[0]) > 2

    @property
    def is_own(self) -> bool:
        """Whether it is a public attribute of the object, or in one that is no object."""
        part, name, *inside = self.paths[0]
        is_public = bool(part == "self") and not str(name).startswith("_")
        return is_public and not any(isinstance(key, Attribute) for key in inside)

    @property
    def last(self) -> Any:
        """The last key that isn't `.data` or the like: the name proper."""
        path = self.paths[0]
        return next((key for key in reversed(path[1:]) if _word(key) not in VALUES), path[-1])


def parts_of(root: Mapping[Any, Any]) -> list[Any]:
    """Return the parts of a root in which tensors may be: arguments, objects, and scopes, which have numbers."""
    objects = ["self"] if root["self"] is root["other"] else ["self", "other"]
    return ["args", *objects, *(part for part in root if isinstance(part, int))]


def leaves_of(root: Mapping[Any, Any], nameless: str | None = None) -> dict[str, Leaf]:
    """Return the floating-point arrays and numbers in a root by their names, which leave out `nameless`."""
    found: dict[Any, Leaf] = {}
    for part in parts_of(root):
        members = [(part,)] if part in ("self", "other") else [(part, name) for name in root[part]]
        for start in members:
            for path, value in walk(follow(root, start)):
                if is_floating(value) or (path and is_rows(value)):
                    is_number = isinstance(value, float | np.floating)
                    key = (*start, *path) if is_number else id(value)  # equal numbers may be one object
                    found.setdefault(key, Leaf("", [], is_number)).paths.append((*start, *path))
    leaves: dict[str, Leaf] = {}
    for leaf in found.values():
        names = [_name(leaf.paths[0], nameless, short) for short in (True, False)]
        leaf.name = next((name for name in names if name and name not in leaves), names[-1])
        while leaf.name in leaves:
            leaf.name += " (another)"
        leaves[leaf.name] = leaf
    return leaves


def _name(path: Path, nameless: str | None, short: bool) -> str:
    """Write a path as Python would; `short`: without a container of all parameters and a final `.data`."""
    is_object, keys = path[0] in ("self", "other"), path[1:]
    if short and len(keys) > 1 and _word(keys[-1]) in VALUES:
        keys = keys[:-1]
    name, is_left_out = "", False
    for k, key in enumerate(keys):
        is_plain = not name or is_left_out or isinstance(key, Attribute)  # `W` or `.W`, not `["W"]`
        is_container = _word(key) in CONTAINERS and isinstance(keys[k + 1 :] and keys[k + 1], str)
        is_left_out = (short and is_container) if k or is_object else key == nameless
        if not is_left_out:
            name += f"{'.' * bool(name)}{key}" if is_plain else f"[{key!r}]"
    return name


def follow(root: Any, path: Path) -> Any:
    """Return what is at a path, or None; of a method on the way such as `gradients()`, its result."""
    for key in path:
        try:
            if (key in root) if isinstance(root, Mapping) else not isinstance(key, str):
                root = root[key]
            else:
                value = getattr(root, key, None)
                root = value() if ismethod(value) and value.__self__ is root and key in GRADIENTS else value
        except Exception:  # too short a list, or a property that cannot be read now
            return None
    return root


def put(root: Any, path: Path, value: Any) -> None:
    """Set what is at a path."""
    owner, key = follow(root, path[:-1]), path[-1]
    if isinstance(key, Attribute):
        setattr(owner, key, value)
    else:
        owner[key] = value


def readings(path: Iterable[Any]) -> list[tuple[Path, int]]:
    """Return the keys to every tensor that a path may lead to, or to the gradient of; 0 if to the tensor itself.

    For a gradient, the number is the higher, the more unusual its name is.
    """
    parts = [part for key in path for part in (key.split(".") if isinstance(key, str) else [key])]
    return [
        (tuple(word for word, _ in words if word is not None), sum(rank for _, rank in words))
        for words in itertools.product(*map(_words, parts))
    ]


@lru_cache(maxsize=10_000)
def _words(key: Any) -> list[tuple[Any, int]]:
    """Return the names that a key may stand for, with their ranks; None if it only says that it is a parameter."""
    word, found = _word(key), [(key, 0)]
    if word in CONTAINERS or word in VALUES:
        found.append((None, 0))
    if word in GRADIENTS:
        found.append((None, 1))
    if isinstance(key, str):
        start = key[: len(key) - len(word)]
        named = [
            (rank, prefix) for rank, prefix in enumerate(PREFIXES, 1) if word.startswith(prefix) and word != prefix
        ]
        found += [(start + word.removeprefix(prefix), rank) for rank, prefix in named]
        found += [(key.removesuffix(s), 1) for s in SUFFIXES if key.endswith(s) and key != s]
    return found


def _word(key: Any) -> Any:
    return key.lstrip("_") if isinstance(key, str) else key


def without_d(name: str) -> str:
    """Return the name of the tensor that a gradient belongs to: `dx`, `d_x` and `grad_x` belong to `x`."""
    is_other = name in ("delta", "data", "derivative")
    prefix = next((prefix for prefix in ("grad_", "d_", "d") if name.startswith(prefix) and not is_other), "")
    return name.removeprefix(prefix) or name
