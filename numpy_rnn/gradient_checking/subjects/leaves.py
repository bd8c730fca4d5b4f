"""Leaves: the floating-point arrays in an object, their names, and what the names of their gradients are.

The steps of a path are read without those that only say "a parameter" or "a gradient", and without the `d` of `dW`.
Then a tensor and its gradient read the same: `cell.W` and `cell.dW` or `dcell.W`, `params["W"]` and `grads["W"]` or
`grads["dW"]`, `weights[0]` and `dweights[0]`, `weight.data` and `weight.grad`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
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
    def is_variable(self) -> bool:
        """Whether it is in a variable outside the arguments and the object."""
        return isinstance(self.part, int)

    @property
    def last(self) -> Any:
        """The last step that isn't `.data` or the like: the name proper."""
        keys = [key for _, key in self.paths[0][1:]]
        return next((key for key in reversed(keys) if str(key).lstrip("_") not in VALUES), keys[-1])


def leaves_of(root: Mapping[Any, Any], nameless: str | None = None) -> dict[str, Leaf]:
    """Return the floating-point arrays and numbers in a root, by name; the argument `nameless` is left out of names."""
    found: dict[Any, tuple[str, Path, Leaf]] = {}
    for prefix, base, value in _bases(root):
        for path, member in walk(value):
            is_number = isinstance(member, float | np.floating)
            if is_floating(member) or (path and (is_number or (isinstance(member, list) and is_rows(member)))):
                key = (*prefix, *path) if is_number else id(member)  # equal numbers may be one object
                leaf = found.setdefault(key, (base if base != nameless else "", path, Leaf("", [], is_number)))[2]
                leaf.paths.append((*prefix, *path))
    leaves: dict[str, Leaf] = {}
    for base, path, leaf in found.values():
        leaf.name = _name(base, path, short=True)
        if not leaf.name or leaf.name in leaves:
            leaf.name = _name(base, path, short=False)
        while leaf.name in leaves:
            leaf.name += " (another)"
        leaves[leaf.name] = leaf
    return leaves


def _bases(root: Mapping[Any, Any]) -> Iterator[tuple[Path, str, Any]]:
    """Yield each argument, the objects, and each variable, with its path and name."""
    for part in parts_of(root):
        if part in ("self", "other"):
            yield (("[", part),), "", root[part]
        else:
            yield from (((("[", part), ("[", name)), name, value) for name, value in root[part].items())


def parts_of(root: Mapping[Any, Any]) -> list[Any]:
    """Return the parts of a root in which tensors may be: arguments, objects, and scopes, which have numbers."""
    return ["args", "self", "other", *(part for part in root if isinstance(part, int))]


def is_rows(value: Any) -> bool:
    """Whether a list holds floating-point numbers, or lists of them in equal lengths."""
    if isinstance(value, list):
        return bool(value) and all(map(is_rows, value)) and len({np.shape(row) for row in value}) == 1
    return isinstance(value, float | np.floating)


def _name(base: str, path: Path, short: bool) -> str:
    """Write a path as Python would; `short`: without a container of all parameters and a final `.data`."""
    if short and len(path) + bool(base) > 1 and path and str(path[-1][1]).lstrip("_") in VALUES:
        path = path[:-1]
    name, is_plain = base, not base  # `W` or `.W`, not `["W"]`
    for k, (kind, key) in enumerate(path):
        is_container = str(key).lstrip("_") in CONTAINERS and isinstance(path[k + 1 :] and path[k + 1][1], str)
        if not (short and is_container):
            name += f"[{key!r}]" if kind == "[" and not is_plain else f"{'.' * bool(name)}{key}"
        is_plain = short and is_container
    return name


def follow(root: Any, path: Path) -> Any:
    """Return what is at a path, or None."""
    for _, key in path:
        root = _child(root, key)
    return root


def _child(where: Any, key: Any) -> Any:
    """Return the item or the attribute of that name, or None; of a method such as `gradients()`, its result."""
    try:
        if isinstance(where, Mapping) and key in where:
            return where[key]
        if not isinstance(key, str):
            return None if isinstance(where, Mapping) else where[key]
        value = getattr(where, key, None)
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
    """Return the names that a key may stand for, None if it only says "a parameter" or "a gradient"; with its rank."""
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
    for prefix in ("grad_", "d_", "d"):
        if name.startswith(prefix) and len(name) > len(prefix) and name not in ("delta", "data", "derivative"):
            return name.removeprefix(prefix)
    return name
