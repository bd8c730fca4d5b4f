"""Leaves: the floating-point arrays in an object, their names, and where the gradient of each may be found.

The gradient of an array at a path is looked for at the same path with one step respelled: `cell.W` at `cell.dW` or
`dcell.W`, `params["W"]` at `grads["W"]` or `grads["dW"]`, `weights[0]` at `dweights[0]`, `weight.data` at
`weight.grad`, `W` at `grads["W"]`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numpy_rnn.gradient_checking.subjects.state import Path, is_floating, walk

__all__ = ["PREFIXES", "Leaf", "find", "follow", "gradients_beside", "is_rows", "leaves_of", "proper", "without_d"]

PREFIXES = (
    "d",
    "d_",
    "grad_",
    "grad",
    "gradient_",
    "dL_d",
    "dLd",
    "dJ_d",
    "nabla_",
    "delta_",
    "g",
)  # of names of gradients
SUFFIXES = ("_grad", "_gradient", "grad")
VALUES = (
    "data",
    "value",
    "values",
    "val",
    "v",
    "array",
    "param",
)  # attributes that hold the numbers of a parameter object
BESIDE_VALUES = ("grad", "grads", "gradient", "derivative", "d", "g")
PARAMETERS = ("params", "parameters", "_params", "_parameters")
GRADIENTS = ("grads", "gradients", "grad", "gradient", "_grads", "_gradients", "dparams", "d_params")


@dataclass
class Leaf:
    """One array, or a number or a list of numbers: its name, and every path to it."""

    name: str
    paths: list[Path]
    is_number: bool = False

    @property
    def last(self) -> Any:
        """The last step that isn't `.data` or the like: the name proper."""
        return proper(self.paths[0])[-1][1]


def proper(path: Path) -> Path:
    """Return a path without a final `.data` or the like."""
    least = 3 if path[0][1] == "variables" else 2
    return path[:-1] if len(path) > least and str(path[-1][1]).lstrip("_") in VALUES else path


def leaves_of(parts: Sequence[tuple[Path, str, Any]]) -> dict[str, Leaf]:
    """Return the floating-point arrays and numbers in some parts, by name; each part has a path, a name and a value."""
    by_id: dict[Any, tuple[str, Path, list[Path], bool]] = {}
    kept = []
    for prefix, base, part in parts:
        for path, value in walk(part):
            is_number = isinstance(value, float | np.floating)
            if is_floating(value) or (path and (is_number or (isinstance(value, list) and is_rows(value)))):
                kept.append(value)
                key = (*prefix, *path) if is_number else id(value)  # equal numbers may be one object
                by_id.setdefault(key, (base, path, [], is_number))[2].append((*prefix, *path))
    leaves: dict[str, Leaf] = {}
    for base, path, paths, is_number in by_id.values():
        name = _name(base, path, True)
        if not name or name in leaves:
            name = _name(base, path, False)
        while name in leaves:
            name += " (another)"
        leaves[name] = Leaf(name, paths, is_number)
    return leaves


def is_rows(value: Any) -> bool:
    """Whether a list holds floating-point numbers, or lists of them in equal lengths."""
    if isinstance(value, list):
        return bool(value) and all(map(is_rows, value)) and len({np.shape(row) for row in value}) == 1
    return isinstance(value, float | np.floating)


def _name(base: str, path: Path, short: bool) -> str:
    """Write a path as Python would; `short`: without a container of all parameters and a final `.data`."""
    name = base
    steps = path[:-1] if short and path[1 - bool(base) :] and str(path[-1][1]).lstrip("_") in VALUES else path
    for k, (kind, key) in enumerate(steps):
        after = steps[k + 1][1] if k + 1 < len(steps) else None
        if short and key in PARAMETERS and isinstance(after, str):
            continue
        held = k > 0 and steps[k - 1][1] in PARAMETERS and isinstance(key, str) and short
        name += f"[{key!r}]" if kind == "[" and not held and name else f"{'.' * bool(name)}{key}"
    return name


def follow(root: Any, path: Path) -> Any:
    """Return what is at a path, or None."""
    for _, key in path:
        root = _child(root, key)
    return root


def _child(where: Any, key: Any) -> Any:
    """Return the item or the attribute of that name, or None."""
    if isinstance(where, Mapping):
        try:
            if key in where:
                return where[key]
        except TypeError:
            return None
    if isinstance(key, int) and isinstance(where, list | tuple | deque):
        return where[key] if -len(where) <= key < len(where) else None
    if isinstance(key, tuple) and isinstance(where, np.ndarray) and where.dtype == object:
        return where[key]
    try:
        return getattr(where, key, None) if isinstance(key, str) else None
    except Exception:  # a property that cannot be read now
        return None


def spellings(key: Any) -> Iterator[Any]:
    """Yield the usual names of the gradient of something called `key`."""
    if not isinstance(key, str):
        return
    yield from (prefix + key for prefix in PREFIXES)
    yield from (key + suffix for suffix in SUFFIXES)
    proper = key.lstrip("_")
    underscores = key[: len(key) - len(proper)]
    yield from (f"{underscores}d{proper}", f"{underscores}grad_{proper}")
    if proper in VALUES:
        yield from (underscores + name for name in BESIDE_VALUES)
    if key in PARAMETERS:
        yield from GRADIENTS


def find(where: Any, path: Path, changed: bool = True) -> Iterator[Any]:
    """Yield what is found in `where` at the path, with steps spelled as they are or as gradients.

    Until `changed`, at least one step must be respelled.
    """
    if where is None:
        return
    if not path:
        if changed and (isinstance(where, np.ndarray | np.number | float | int) or is_rows(where)):
            yield where
        return
    (_, key), rest = path[0], path[1:]
    yield from find(_child(where, key), rest, changed)
    for other in spellings(key):
        yield from find(_child(where, other), rest, True)


def gradients_beside(root: Any, leaf: Leaf, is_unique: bool) -> Iterator[Any]:
    """Yield the candidates for a leaf's gradient in the object that holds it; see the head of this file."""
    for path in leaf.paths:
        yield from find(root, path, changed=False)
        yield from find(root, (*path, (".", "data")), changed=False)  # an array with an attribute `grad`
        for k in reversed(range(len(path))):
            owner = follow(root, path[:k])
            for name in GRADIENTS:
                container = _called(_child(owner, name), name)
                if container is None or isinstance(container, np.ndarray):
                    continue
                yield from find(container, proper(path[k:]))
                if is_unique:
                    yield from find(container, proper(path)[-1:])


def _called(container: Any, name: str) -> Any:
    """Return the result of a method such as `gradients()`, and anything else as it is."""
    if isinstance(container, Callable):  # type: ignore[arg-type]
        try:
            return container()
        except Exception:
            return None
    return container


def without_d(name: str) -> str:
    """Return the name of the tensor that a gradient belongs to: `dx`, `d_x` and `grad_x` belong to `x`."""
    for prefix in ("grad_", "d_", "d"):
        if name.startswith(prefix) and len(name) > len(prefix) and name not in ("delta", "data", "derivative"):
            return name.removeprefix(prefix)
    return name
