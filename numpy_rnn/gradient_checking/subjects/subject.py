"""The common interface of everything that is checked: named tensors, forward at any values of them, and backward.

A *subject* has the names of its inputs and parameters and their values in float64. A *session* is a copy of it, in
float64 or complex128, that runs. `LayerSubject` and `PairSubject` are the two kinds of subjects.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.subjects.conversion import is_floating

__all__ = [
    "PREFIXES", "Session", "Slot", "Subject", "as_float64", "as_list", "name_gradients", "positional", "without_d",
]  # fmt: skip

PREFIXES = ("grad_", "d_", "d")  # of names of gradients


class Session(Protocol):
    """One copy of the subject, in one dtype."""

    def forward(self, values: Mapping[str, Any]) -> list[Array]:
        """Return the outputs for `values`, by name; other inputs keep the values they were given."""

    def backward(self, upstream: list[Array]) -> dict[str, Array]:
        """Return the gradients that backward computes after the last forward; some may be missing."""


class Subject(Protocol):
    """Something to check; see `LayerSubject` and `PairSubject`."""

    label: str
    inputs: dict[str, Any]
    further_inputs: list[str]  # arguments of forward that were not given
    parameters: dict[str, Array]
    notes: list[str]
    unchecked: list[str]  # arrays that forward reads and for which backward sets no gradient

    def start(self, dtype: DTypeLike) -> Session:
        """Return a fresh session, without any state from earlier computations."""

    def configuration(self, gradients: Mapping[str, Array]) -> list[str]:
        """Name the inputs that need no gradient: dictionaries for which backward returned none."""

    def output_names(self, outputs: list[Array]) -> list[str]:
        """Name each output."""

    def upstream_count(self, outputs: list[Array]) -> int:
        """Return for how many outputs, from the first on, backward takes an upstream gradient."""


@dataclass
class Slot:
    """One argument of forward that has a gradient; a dictionary of arrays has one per member."""

    name: str
    members: dict[Any, str] | None = None  # key -> name of the tensor


def name_gradients(returned: Any, slots: list[Slot], arguments: list[str], subject: Subject) -> dict[str, Array]:
    """Name what backward returned: a mapping by name, or a sequence in the order of forward's arguments.

    A sequence has one entry per argument (those of arguments without a gradient are ignored) or one per slot. It may
    have more entries, for optional arguments that were not given.
    """
    label = subject.label
    if returned is None:
        return {}
    known = {slot.name: slot for slot in slots}
    known |= {name: Slot(name) for slot in slots for name in (slot.members or {}).values()}
    pairs: Iterable[tuple[Slot, Any]]
    if isinstance(returned, Mapping):
        by_name = {key: str(key) if key in known else without_d(str(key)) for key in returned}
        pairs = [(known[name], returned[key]) for key, name in by_name.items() if name in known]
        if by_name and not pairs:
            raise KeyError(f"backward of {label} returned gradients of {list(returned)}, expected {list(known)}")
        others = {*known, *arguments, *subject.further_inputs}
        if unknown := [str(key) for key, name in by_name.items() if name not in others]:
            subject.notes.append(f"backward returns {', '.join(unknown)}, which matches no tensor being checked")
    else:
        items = list(returned) if isinstance(returned, tuple | list) else [returned]
        if len(items) == len(arguments):
            pairs = [(slot, items[arguments.index(slot.name)]) for slot in slots]
        elif len(slots) <= len(items) <= len(slots) + len(subject.further_inputs):
            pairs = zip(slots, items, strict=False)
        else:
            names = ", ".join(slot.name for slot in slots)
            raise ValueError(f"backward of {label} returned {len(items)} gradients, expected {len(slots)}: {names}")
    named: dict[str, Any] = {}
    for slot, value in pairs:
        if slot.members is None:
            named[slot.name] = value
        elif isinstance(value, Mapping):
            named |= {slot.members[key]: v for key, v in value.items() if key in slot.members}
    return {name: as_gradient(name, value, label) for name, value in named.items() if value is not None}


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


def as_list(result: Any) -> list[Any]:
    """Return one output or several as a list."""
    return list(result) if isinstance(result, tuple | list) else [result]


def as_float64(value: Any) -> Any:
    """Return floating-point arrays, and lists of such numbers, in float64; anything else as it is."""
    if isinstance(value, list | np.floating):
        value = np.asarray(value)
    elif not isinstance(value, np.ndarray) and hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if is_floating(value):
        if value.dtype.kind == "c":
            raise TypeError(f"an array has dtype {value.dtype}, expected real numbers")
        return value.astype(np.float64)
    return value


def positional(function: Callable[..., Any]) -> tuple[list[str], bool, list[str]]:
    """Return the names of the positional arguments, and whether there are more of them, as *arguments.

    The third result has the names of those that are None unless given, such as an initial state.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # built-in functions may have no signature
        return [], True, []
    named = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    more = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return [p.name for p in named], more, [p.name for p in named if p.default is None]


def without_d(name: str) -> str:
    """Return the name of the tensor that a gradient belongs to: `dx`, `d_x` and `grad_x` belong to `x`."""
    for prefix in PREFIXES:
        if name.startswith(prefix) and len(name) > len(prefix):
            return name.removeprefix(prefix)
    return name
