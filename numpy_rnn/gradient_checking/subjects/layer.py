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
from typing import Any

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
    optional,
    positional,
    without_d,
)

__all__ = ["LayerSubject"]


class LayerSubject:
    def __init__(self, layer: Any, inputs: tuple[Any, ...], options: Mapping[str, Any]) -> None:
        self.layer, self.label, self.options = layer, type(layer).__name__, dict(options)
        self.notes: list[str] = []
        names, more = positional(layer.forward)
        if more:
            names += [f"input {k}" for k in range(len(names), len(inputs))]
        if len(inputs) > len(names):
            raise TypeError(f"forward of {self.label} takes {len(names)} inputs, got {len(inputs)}")
        given = dict(zip(names, inputs, strict=False))
        left = names[len(inputs) :]
        self.further_inputs = [name for name in optional(layer.forward) if name in left and name not in options]
        self.inputs = {name: as_float64(value) for name, value in given.items()}
        self.attributes, self.unchecked = self._attributes()
        arrays = parameter_arrays(layer, self.attributes)
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
        names = self._upstream_names() if self.upstream_count(outputs) else []
        names = [without_d(name) for name in names[: len(outputs)]]
        return names + [f"output {k}" for k in range(len(names), len(outputs))]

    def upstream_count(self, outputs: list[Array]) -> int:
        _, more = positional(self.layer.backward)
        return len(outputs) if more else min(len(outputs), len(self._upstream_names()))

    def _upstream_names(self) -> list[str]:
        return [name for name in positional(self.layer.backward)[0] if name not in ("tape", "cache")]

    def _attributes(self) -> tuple[list[str], list[str]]:
        """Return the arrays that forward reads: those for which backward sets a gradient, and the others."""
        copied = converted(self.layer, np.float64)
        before = array_attributes(copied)
        if not before:
            return [], []
        arrays = {name: getattr(*place) for name, place in before.items()}
        outputs = self._outputs(copied)
        copied.backward(*[scalar(np.zeros_like(y)) for y in outputs[: self.upstream_count(outputs)]])
        found, unchecked = [], []
        for name, (owner, attribute) in before.items():
            # An input that forward stores as `self.x` may have a `self.dx`, but it is a different array by now.
            if getattr(owner, attribute, None) is arrays[name] and _gradient_attribute(owner, attribute) is not None:
                found.append(name)
            elif self._depends_on(name, outputs):
                unchecked.append(name)
        return found, unchecked

    def _outputs(self, layer: Any) -> list[Array]:
        inputs = [value.copy() if isinstance(value, np.ndarray) else value for value in self.inputs.values()]
        return [np.array(y) for y in as_list(layer.forward(*inputs, **self.options))]

    def _depends_on(self, name: str, outputs: list[Array]) -> bool:
        copied = converted(self.layer, np.float64)
        owner, attribute = array_attributes(copied)[name]
        array = getattr(owner, attribute)
        array *= 1.01
        array += 0.01
        with np.errstate(all="ignore"):
            return any(not np.array_equal(a, b) for a, b in zip(self._outputs(copied), outputs, strict=True))


class LayerSession:
    def __init__(self, subject: LayerSubject, dtype: DTypeLike) -> None:
        self.subject, self.layer = subject, converted(subject.layer, dtype)
        self.parameters = parameter_arrays(self.layer, subject.attributes)
        self.restore = restorers(self.layer)
        if not hasattr(self.layer, "gradients"):
            for gradient in parameter_gradients(self.layer, list(self.parameters)).values():
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
        found = parameter_gradients(self.layer, list(self.parameters))
        if self.parameters and not found:
            raise TypeError(
                f"{self.subject.label} has parameters but no gradients: expected .grad of each, gradients(), grads, "
                f"or an attribute d{next(iter(self.parameters))}"
            )
        return gradients | {name: gradient.copy() for name, gradient in found.items()}


def scalar(upstream: Array) -> Any:
    """Return the gradient of a loss as a Python number, and any other as it is."""
    return upstream.item() if upstream.ndim == 0 else upstream


def _source(layer: Any) -> Any:
    if callable(getattr(layer, "parameters", None)):
        return layer.parameters()
    return getattr(layer, "params", None)


def _items(source: Any) -> dict[str, Any]:
    return dict(source) if isinstance(source, Mapping) else {f"params[{k}]": v for k, v in enumerate(source)}


def _parts(layer: Any) -> dict[str, Any]:
    """Return the layer and, if it names no parameters itself, the layers among its attributes, each by its prefix."""
    found: dict[str, Any] = {}
    waiting = [("", layer)]
    while waiting:
        prefix, part = waiting.pop(0)
        if any(part is other for other in found.values()):
            continue
        found[prefix] = part
        if _source(part) is not None:
            continue
        for name, value in getattr(part, "__dict__", {}).items():
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


def array_attributes(layer: Any) -> dict[str, tuple[Any, str]]:
    """Return owner and name of every floating-point array attribute that may be a parameter."""
    return {
        prefix + name: (part, name)
        for prefix, part in _parts(layer).items()
        if _source(part) is None
        for name, value in getattr(part, "__dict__", {}).items()
        if is_floating(value)
    }


def _gradient_attribute(owner: Any, attribute: str) -> Any:
    found = [getattr(owner, prefix + attribute, None) for prefix in PREFIXES]
    return next((value for value in found if value is not None), None)


def parameter_arrays(layer: Any, attributes: list[str]) -> dict[str, Array]:
    """Return the arrays that forward reads its parameters from."""
    places = array_attributes(layer)
    arrays = {name: getattr(*places[name]) for name in attributes}
    for prefix, part in _parts(layer).items():
        if (source := _source(part)) is not None:
            items = _items(source).items()
            arrays |= {prefix + name: p if isinstance(p, np.ndarray) else p.data for name, p in items}
    return arrays


def parameter_gradients(layer: Any, names: list[str]) -> dict[str, Array]:
    """Return the arrays in which backward stores the parameters' gradients, where there are any."""
    places = array_attributes(layer)
    found = {name: _gradient_attribute(*places[name]) for name in names if name in places}
    for prefix, part in _parts(layer).items():
        if (source := _source(part)) is not None:
            own = _gradients_of_source(part, _items(source))
            found |= {prefix + name: gradient for name, gradient in own.items()}
    return {name: value for name, value in found.items() if isinstance(value, np.ndarray)}


def _gradients_of_source(layer: Any, items: dict[str, Any]) -> dict[str, Any]:
    names, values = list(items), list(items.values())
    gradients = layer.gradients() if callable(getattr(layer, "gradients", None)) else getattr(layer, "grads", None)
    if values and not isinstance(values[0], np.ndarray):
        return {name: getattr(p, "grad", None) for name, p in items.items()}
    if gradients is None or not len(gradients):
        return {name: _gradient_attribute(layer, name) for name in names}
    if isinstance(gradients, Mapping):
        return {name: gradients.get(name) for name in names}
    return dict(zip(names, gradients, strict=False))
