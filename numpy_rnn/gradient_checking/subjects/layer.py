"""Layers: any object with `forward`, `backward` and perhaps parameters.

Parameters, and their gradients after backward, are looked up in the first of these places that exists:

    layer.parameters()     a mapping or list of objects with .data and .grad, or of arrays
    layer.params           the same
    layer.w                any array attribute for which backward sets a `layer.dw`, `d_w` or `grad_w`

Gradients of plain arrays: `layer.gradients()`, `layer.grads`, or `layer.dw`. Without the first two, attributes with
forward and backward are searched in the same way: `layer.linear.w`, `layer.layers[0].w`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.subjects.conversion import converted, is_floating, restorers
from numpy_rnn.gradient_checking.subjects.subject import (
    PREFIXES,
    Slot,
    as_float64,
    as_list,
    name_gradients,
    positional,
    without_d,
)

__all__ = ["LayerSubject"]


class LayerSubject:
    def __init__(self, layer: Any, inputs: tuple[Any, ...], options: Mapping[str, Any]) -> None:
        self.layer, self.label, self.options = layer, type(layer).__name__, dict(options)
        self.notes: list[str] = []
        names, more, optional = positional(layer.forward)
        if more:
            names += [f"input {k}" for k in range(len(names), len(inputs))]
        if len(inputs) > len(names):
            raise TypeError(f"forward of {self.label} takes {len(names)} inputs, got {len(inputs)}")
        given = dict(zip(names, inputs, strict=False))
        self.further_inputs = [name for name in optional if not (name in given or name in options)]
        self.inputs = {name: as_float64(value) for name, value in given.items()}
        attributes, self.unchecked = self._attributes()
        places = parameter_places(layer)
        declared = [name for name, place in places.items() if place.position is not None]
        arrays = {name: places[name].array for name in attributes + declared}
        self.parameters = {name: as_float64(array) for name, array in arrays.items()}
        for name in set(self.parameters) & set(self.inputs):
            raise ValueError(f"{name!r} names both an input and a parameter of {self.label}")
        if any(is_floating(value) and value.dtype.itemsize < 8 for value in [*given.values(), *arrays.values()]):
            self.notes.append("checked on a float64 copy: float32 rounding would hide errors and cause false alarms")
        self.slots = [Slot(name) for name, value in self.inputs.items() if is_floating(value)]

    def start(self, dtype: DTypeLike) -> LayerSession:
        return LayerSession(self, dtype)

    def configuration(self, gradients: Mapping[str, Array]) -> list[str]:
        return []

    def output_names(self, outputs: list[Array]) -> list[str]:
        names = [without_d(name) for name in self._upstream_names()[: len(outputs)]]
        return names + [f"output {k}" for k in range(len(names), len(outputs))]

    def upstream_count(self, outputs: list[Array]) -> int:
        _, more, _ = positional(self.layer.backward)
        return len(outputs) if more else min(len(outputs), len(self._upstream_names()))

    def _upstream_names(self) -> list[str]:
        return [name for name in positional(self.layer.backward)[0] if name not in ("tape", "cache")]

    def _attributes(self) -> tuple[list[str], list[str]]:
        """Return the arrays that forward reads: those for which backward sets a gradient, and the others."""
        copied = converted(self.layer, np.float64)
        places = {name: place for name, place in parameter_places(copied).items() if place.position is None}
        if not places:
            return [], []
        outputs = self._outputs(copied)
        copied.backward(*[scalar(np.zeros_like(y)) for y in outputs[: self.upstream_count(outputs)]])
        # An input that forward stores as `self.x` may have a `self.dx`, but it is a different array by now.
        found = [
            n for n, p in places.items() if getattr(p.owner, p.name, None) is p.value and p.gradient() is not None
        ]
        return found, [name for name in places if name not in found and self._depends_on(name, outputs)]

    def _outputs(self, layer: Any) -> list[Array]:
        inputs = [value.copy() if isinstance(value, np.ndarray) else value for value in self.inputs.values()]
        return [np.array(y) for y in as_list(layer.forward(*inputs, **self.options))]

    def _depends_on(self, name: str, outputs: list[Array]) -> bool:
        copied = converted(self.layer, np.float64)
        array = parameter_places(copied)[name].array
        array *= 1.01
        array += 0.01
        with np.errstate(all="ignore"):
            return any(not np.array_equal(a, b) for a, b in zip(self._outputs(copied), outputs, strict=True))


class LayerSession:
    def __init__(self, subject: LayerSubject, dtype: DTypeLike) -> None:
        self.subject, self.layer = subject, converted(subject.layer, dtype)
        places = parameter_places(self.layer)
        self.parameters = {name: places[name].array for name in subject.parameters}
        self.restore = restorers(self.layer)
        if not hasattr(self.layer, "gradients"):
            for gradient in self._gradients().values():
                gradient[...] = 0  # backward may add to it, as in torch

    def forward(self, values: Mapping[str, Any]) -> list[Array]:
        for restore in self.restore:  # dropout must draw the same mask each time
            restore()
        for name, array in self.parameters.items():
            array[...] = values.get(name, self.subject.parameters[name])
        arguments = [values.get(name, value) for name, value in self.subject.inputs.items()]
        further = self.subject.options | {n: values[n] for n in self.subject.further_inputs if n in values}
        return [np.asarray(y) for y in as_list(self.layer.forward(*arguments, **further))]

    def backward(self, upstream: list[Array]) -> dict[str, Array]:
        if callable(getattr(self.layer, "zero_grad", None)):
            self.layer.zero_grad()
        count = self.subject.upstream_count(upstream)
        returned = self.layer.backward(*map(scalar, upstream[:count]))
        gradients = name_gradients(returned, self.subject.slots, list(self.subject.inputs), self.subject)
        found = self._gradients()
        if self.parameters and not found:
            raise TypeError(
                f"{self.subject.label} has parameters but no gradients: expected .grad of each, gradients(), grads, "
                f"or an attribute d{next(iter(self.parameters))}"
            )
        return gradients | {name: gradient.copy() for name, gradient in found.items()}

    def _gradients(self) -> dict[str, Array]:
        """Return the arrays in which backward stores the parameters' gradients, where there are any."""
        places = parameter_places(self.layer)
        found = {name: places[name].gradient() for name in self.parameters if name in places}
        return {name: value for name, value in found.items() if isinstance(value, np.ndarray)}


def scalar(upstream: Array) -> Any:
    """Return the gradient of a loss as a Python number, and any other as it is."""
    return upstream.item() if upstream.ndim == 0 else upstream


class Place(NamedTuple):
    """Where a parameter is found in a layer."""

    owner: Any
    name: str  # of an attribute of the owner, or of a parameter that the owner declares
    value: Any  # an array, or an object with .data and .grad
    position: int | None = None  # among the parameters that the owner declares; None for an attribute

    @property
    def array(self) -> Any:
        return self.value if isinstance(self.value, np.ndarray) else self.value.data

    def gradient(self) -> Any:
        """Return the gradient that backward stored, or None."""
        if not isinstance(self.value, np.ndarray):
            return getattr(self.value, "grad", None)
        if self.position is not None:
            gradients = getattr(self.owner, "gradients", None)
            gradients = gradients() if callable(gradients) else getattr(self.owner, "grads", None)
            if isinstance(gradients, Mapping) and gradients:
                return gradients.get(self.name)
            if gradients is not None and len(gradients):
                return gradients[self.position] if self.position < len(gradients) else None
        found = (getattr(self.owner, prefix + self.name, None) for prefix in PREFIXES)
        return next((value for value in found if value is not None), None)


def parameter_places(layer: Any) -> dict[str, Place]:
    """Return, by name, the parameters that a layer declares, or else every array attribute of it and of its parts.

    Parts are attributes with forward and backward, also in lists and dictionaries.
    """
    found: dict[str, Place] = {}
    waiting: list[tuple[str, Any]] = [("", layer)]
    seen: set[int] = set()
    while waiting:
        prefix, part = waiting.pop(0)
        if id(part) in seen:
            continue
        seen.add(id(part))
        parameters = getattr(part, "parameters", None)
        declared = parameters() if callable(parameters) else getattr(part, "params", None)
        if declared is not None:
            if not isinstance(declared, Mapping):
                declared = {f"params[{k}]": value for k, value in enumerate(declared)}
            found |= {prefix + name: Place(part, name, declared[name], k) for k, name in enumerate(declared)}
            continue
        for name, value in getattr(part, "__dict__", {}).items():
            if is_floating(value):
                found[prefix + name] = Place(part, name, value)
            members = {name: value}
            if isinstance(value, list | tuple):
                members = {f"{name}[{k}]": member for k, member in enumerate(value)}
            elif isinstance(value, dict):
                members = {f"{name}[{key!r}]": member for key, member in value.items()}
            waiting += [
                (f"{prefix}{path}.", member)
                for path, member in members.items()
                if not isinstance(member, type) and hasattr(member, "forward") and hasattr(member, "backward")
            ]
    return found
