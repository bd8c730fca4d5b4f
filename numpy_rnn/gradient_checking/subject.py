"""What is checked, seen in one way: named tensors, a forward at any values of them, a backward.

A *subject* names its inputs and parameters and holds their values in float64; a *session* is one copy of it, in
float64 or complex128, that runs. `LayerSubject` and `PairSubject` are the two kinds.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.conversion import is_floating

__all__ = ["Session", "Slot", "Subject", "as_float64", "as_list", "name_gradients", "positional", "without_d"]


class Session(Protocol):
    """One copy of the subject, in one dtype."""

    def forward(self, values: Mapping[str, Any]) -> list[Array]:
        """Return the outputs at `values`, by name; inputs that are not named there are as they were given."""

    def backward(self, upstream: list[Array]) -> dict[str, Array]:
        """Return what backward says of each tensor after the last forward; some may be absent."""


class Subject(Protocol):
    """A label; inputs and parameters by name, tensors in float64; inputs that forward could take; notes."""

    label: str
    inputs: dict[str, Any]
    further_inputs: list[str]
    parameters: dict[str, Array]
    notes: list[str]

    def start(self, dtype: DTypeLike) -> Session:
        """Return a fresh session: nothing that was computed before is left in it."""

    def output_names(self, outputs: list[Array]) -> list[str]:
        """Name each output."""

    def upstream_count(self, outputs: list[Array]) -> int:
        """Of how many outputs, from the first on, backward takes the gradient."""


@dataclass
class Slot:
    """One argument of forward that has a gradient; a dictionary of arrays has one per member."""

    name: str
    members: dict[Any, str] | None = None  # key -> name of the tensor


def name_gradients(returned: Any, slots: list[Slot], every: int, label: str) -> dict[str, Array]:
    """Name what backward returned: a mapping by name, or a sequence in the order of forward's arguments.

    A sequence has one entry per slot, or one for each of the `every` arguments, None for those without a gradient.
    """
    if returned is None:
        return {}
    known = {slot.name: slot for slot in slots}
    known |= {name: Slot(name) for slot in slots for name in (slot.members or {}).values()}
    pairs: Iterable[tuple[Slot, Any]]
    if isinstance(returned, Mapping):
        by_name = {str(name) if name in known else without_d(str(name)): value for name, value in returned.items()}
        pairs = [(known[name], value) for name, value in by_name.items() if name in known]
        if by_name and not pairs:
            raise KeyError(f"backward of {label} returned gradients of {list(returned)}, expected {list(known)}")
    else:
        items = list(returned) if isinstance(returned, tuple | list) else [returned]
        if len(items) < len(slots):
            names = ", ".join(slot.name for slot in slots)
            raise ValueError(f"backward of {label} returned {len(items)} gradients, expected {len(slots)}: {names}")
        if len(items) == every:
            items = [item for item in items if item is not None] if len(slots) < every else items
        pairs = zip(slots, items, strict=False)
    gradients: dict[str, Array] = {}
    for slot, value in pairs:
        if slot.members is None:
            if value is not None:
                gradients[slot.name] = np.array(value)
        else:
            gradients |= {slot.members[key]: np.array(v) for key, v in value.items() if key in slot.members}
    return gradients


def as_list(result: Any) -> list[Any]:
    """Return one output or several as a list."""
    return list(result) if isinstance(result, tuple | list) else [result]


def as_float64(value: Any) -> Any:
    """Return floating-point arrays, and lists of such numbers, in float64; anything else as it is."""
    if isinstance(value, list):
        value = np.asarray(value)
    elif not isinstance(value, np.ndarray) and hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if is_floating(value):
        if value.dtype.kind == "c":
            raise TypeError(f"an array has dtype {value.dtype}: gradients are checked at real points")
        return value.astype(np.float64)
    return value


def positional(function: Callable[..., Any]) -> tuple[list[str], bool]:
    """Return the names of the positional arguments, and whether there are more of them, as *arguments."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # built in: it does not say
        return [], True
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return names, any(p.kind is p.VAR_POSITIONAL for p in parameters)


def without_d(name: str) -> str:
    """Return the name of what a gradient belongs to: `dx`, `d_x` and `grad_x` are those of `x`."""
    for prefix in ("grad_", "d_", "d"):
        if name.startswith(prefix) and len(name) > len(prefix):
            return name.removeprefix(prefix)
    return name
