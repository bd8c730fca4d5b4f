"""A layer as the subject of a check: any object with `forward`, `backward` and perhaps parameters.

Parameters, and their gradients after backward, are found in the first of these places:

    layer.parameters()     a mapping or list of objects with .data and .grad, or of arrays
    layer.params           the same
    layer.w                any array attribute for which backward leaves a `layer.dw`

Gradients of plain arrays: `layer.gradients()`, `layer.grads`, or `layer.dw`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.conversion import converted, is_floating, reachable
from numpy_rnn.gradient_checking.subject import Slot, as_float64, as_list, name_gradients, positional, without_d

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
        self.further_inputs = [name for name in names[len(inputs) :] if name not in options]
        self.inputs = {name: as_float64(value) for name, value in given.items()}
        self.attributes = [] if _source(layer) is not None else self._attributes_with_gradient()
        arrays = parameter_arrays(layer, self.attributes)
        self.parameters = {name: as_float64(array) for name, array in arrays.items()}
        for name in set(self.parameters) & set(self.inputs):
            raise ValueError(f"{name!r} names both an input and a parameter of {self.label}")
        if any(is_floating(value) and value.dtype.itemsize < 8 for value in [*given.values(), *arrays.values()]):
            self.notes.append("checked in a float64 copy: in float32, rounding would hide mistakes and feign others")
        self.slots = [Slot(name) for name, value in self.inputs.items() if is_floating(value)]

    def start(self, dtype: DTypeLike) -> LayerSession:
        return LayerSession(self, dtype)

    def output_names(self, outputs: list[Array]) -> list[str]:
        names = self._upstream_names() if self.upstream_count(outputs) else []
        names = [without_d(name) for name in names[: len(outputs)]]
        return names + [f"output {k}" for k in range(len(names), len(outputs))]

    def upstream_count(self, outputs: list[Array]) -> int:
        _, more = positional(self.layer.backward)
        return len(outputs) if more else min(len(outputs), len(self._upstream_names()))

    def _upstream_names(self) -> list[str]:
        return [name for name in positional(self.layer.backward)[0] if name not in ("tape", "cache")]

    def _attributes_with_gradient(self) -> list[str]:
        copied = converted(self.layer, np.float64)
        before = {name: value for name, value in vars(copied).items() if is_floating(value)}
        outputs = [np.asarray(y) for y in as_list(copied.forward(*self.inputs.values(), **self.options))]
        copied.backward(*[scalar(np.zeros_like(y)) for y in outputs[: self.upstream_count(outputs)]])
        after = vars(copied)
        # An input that forward keeps as `self.x` may have its `self.dx`, but it is another array by now.
        return [name for name, value in before.items() if after.get(name) is value and f"d{name}" in after]


class LayerSession:
    def __init__(self, subject: LayerSubject, dtype: DTypeLike) -> None:
        self.subject, self.layer = subject, converted(subject.layer, dtype)
        self.parameters = parameter_arrays(self.layer, subject.attributes)
        self.generators = [
            (value.bit_generator, value.bit_generator.state)
            for value in reachable(self.layer)
            if isinstance(value, np.random.Generator)
        ]
        if not hasattr(self.layer, "gradients"):
            for gradient in parameter_gradients(self.layer, list(self.parameters)).values():
                gradient[...] = 0  # for those who add to it, as torch does

    def forward(self, values: Mapping[str, Any]) -> list[Array]:
        for generator, state in self.generators:  # dropout draws the same mask in each evaluation
            generator.state = state
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
        gradients = name_gradients(returned, self.subject.slots, len(self.subject.inputs), self.subject.label)
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


def parameter_arrays(layer: Any, attributes: list[str]) -> dict[str, Array]:
    """Return the arrays that forward reads its parameters from."""
    source = _source(layer)
    if source is None:
        return {name: getattr(layer, name) for name in attributes}
    return {name: p if isinstance(p, np.ndarray) else p.data for name, p in _items(source).items()}


def parameter_gradients(layer: Any, names: list[str]) -> dict[str, Array]:
    """Return the arrays that backward leaves the parameters' gradients in, as far as there are any."""
    source = _source(layer)
    values = [] if source is None else list(_items(source).values())
    gradients = layer.gradients() if callable(getattr(layer, "gradients", None)) else getattr(layer, "grads", None)
    if values and not isinstance(values[0], np.ndarray):
        found = {name: getattr(p, "grad", None) for name, p in zip(names, values, strict=True)}
    elif gradients is None or not len(gradients):
        found = {name: getattr(layer, f"d{name}", None) for name in names}
    elif isinstance(gradients, Mapping):
        found = {name: gradients.get(name) for name in names}
    else:
        found = dict(zip(names, gradients, strict=False))
    return {name: value for name, value in found.items() if isinstance(value, np.ndarray)}
