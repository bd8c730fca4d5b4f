"""The gradients that backward returns: in the order of forward's arguments, by name, or nested as the arguments are."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.subjects.leaves import Leaf, find
from numpy_rnn.gradient_checking.subjects.state import Path

__all__ = ["Slot", "as_gradient", "gradients_returned"]


@dataclass
class Slot:
    """What may have one item among the returned gradients: an argument of forward, or an attribute with parameters."""

    name: str
    leaves: dict[str, Path]  # the names of its arrays, with the paths to them within the slot


def gradients_returned(
    returned: Any, names: Sequence[str], arguments: Sequence[str], slots: list[Slot], own: list[Slot],
    further: Sequence[str], leaves: Mapping[str, Leaf], shapes: Mapping[str, tuple[int, ...]], label: str, may_have_more: bool,
) -> dict[str, Any]:  # fmt: skip
    """Return what backward returned, by the names of the tensors.

    Parameters
    ----------
    returned : what backward returned
    names : the names in its return statement, or []
    arguments : the names of all arguments of forward that were given
    slots : those of them that hold floating-point arrays
    own : the attributes and variables that hold floating-point arrays
    further : optional arguments of forward that were not given
    leaves, shapes : every array, by name, and its shape
    label : what is checked
    may_have_more : whether other values may follow the gradients

    Raises
    ------
    ValueError
        A sequence that fits neither by its length nor by the names in the return statement.
    """
    if returned is None:
        return {}
    if not isinstance(returned, tuple | list) or hasattr(returned, "_fields"):
        if _is_named(returned):
            found = dict(_by_name(returned, slots, own, leaves))
            if found or isinstance(returned, Mapping):
                return found
    items = list(returned) if isinstance(returned, tuple | list) else [returned]
    readings: list[dict[str, Any]] = []
    by_name = {slot.name: slot for slot in slots}
    if len(items) == len(arguments):
        pairs = [(by_name[name], item) for name, item in zip(arguments, items, strict=True) if name in by_name]
        readings.append(_in_order([slot for slot, _ in pairs], [item for _, item in pairs]))
    if len(slots) <= len(items) <= len(slots) + len(further):
        readings.append(_in_order(slots, items))
    plain = [slot for slot in slots if () in slot.leaves.values()]
    if len(plain) == len(items):  # a dictionary among the arguments is a configuration
        readings.append(_in_order(plain, items))
    if len(names) == len(items):
        readings.append(dict(_by_name(dict(zip(names, items, strict=True)), slots, own, leaves)))
    for some in (slots, plain, []):
        if len(items) == len(some) + len(own) or (may_have_more and len(items) > len(some) + len(own)):
            readings.append(_in_order([*some, *own], items))
        if len(items) == len(some) + 1 > 1 and isinstance(items[-1], tuple | list):  # dx, (dW, db)
            readings.append(_in_order([*some, *own], [*items[:-1], *items[-1]]))
        if len(items) == len(some) + 1 and _is_named(items[-1]):  # dx, {"W": dW}
            readings.append(_in_order(some, items))
    if not readings and (len(items) < len(slots) or may_have_more):
        readings.append(_in_order(slots, items))
    if not any(readings) and any(item is not None for item in items) and slots:
        expected = ", ".join(slot.name for slot in slots)
        raise ValueError(
            f"backward of {label} returned {len(items)} gradients, expected {len(slots)}: {expected} (or a "
            "dictionary by name)"
        )

    def fitting(reading: dict[str, Any]) -> int:
        return sum(_shape(value) == shapes[name] for name, value in reading.items())

    best = max(readings, key=fitting, default={})
    for item in items:  # such as `return dx, {"W": dW}`
        if _is_named(item):
            best = dict(_by_name(item, slots, own, leaves)) | best
    return {name: value for name, value in best.items() if value is not None}


def _in_order(slots: Sequence[Slot], items: Sequence[Any]) -> dict[str, Any]:
    found = {}
    for slot, item in zip(slots, items, strict=False):
        for name, path in slot.leaves.items():
            value = item if not path else next(find(item, path), None)
            if value is not None and not isinstance(value, Mapping):
                found[name] = value
    return found


def _by_name(
    returned: Any, slots: list[Slot], own: list[Slot], leaves: Mapping[str, Leaf]
) -> Iterator[tuple[str, Any]]:
    """Look each tensor up under the name of its slot and its path there, its path, or, if no other has it, its name."""
    last = [leaf.last for leaf in leaves.values()]
    for slot in [*slots, *own]:
        for name, path in slot.leaves.items():
            ways = [((".", slot.name), *path), path or ((".", slot.name),), ((".", name),)]
            if last.count(leaves[name].last) == 1:
                ways.append(((".", leaves[name].last),))
            value = next((value for way in ways for value in find(returned, way)), None)
            if value is not None:
                yield name, value


def _is_named(value: Any) -> bool:
    return isinstance(value, Mapping) or dataclasses.is_dataclass(value) or hasattr(value, "_fields") or (
        hasattr(value, "__dict__") and not callable(value)
    )  # fmt: skip


def _shape(value: Any) -> tuple[int, ...] | None:
    try:
        return np.shape(value)
    except ValueError:  # rows of several lengths
        return None


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
