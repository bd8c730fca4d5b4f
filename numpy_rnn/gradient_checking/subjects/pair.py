"""Pairs of plain functions. How they are called depends on whether params are given:

    outputs, cache = forward(*inputs)             gradients = backward(*upstream, cache)
    outputs, cache = forward(params, *inputs)     gradients = backward(cache, *upstream)

Several outputs are returned as `out_1, out_2, cache` or as `(out_1, out_2), cache`. The gradients are a sequence in
the order of forward's arguments, or a mapping by name. The gradient of an argument that is a dictionary of arrays is
a dictionary too. If backward returns none, the argument is a configuration, and not checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.subjects.conversion import is_floating, own_generators, restorers
from numpy_rnn.gradient_checking.subjects.layer import scalar
from numpy_rnn.gradient_checking.subjects.subject import (
    Slot,
    as_float64,
    as_list,
    name_gradients,
    positional,
)

__all__ = ["PairSubject"]


class PairSubject:
    def __init__(
        self,
        forward: Callable[..., Any],
        backward: Callable[..., Any],
        inputs: Any,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        self.functions, self.params_first = (forward, backward), params is not None
        self.label = getattr(forward, "__name__", type(forward).__name__)
        self.notes: list[str] = []
        self.unchecked: list[str] = []
        names, more, optional = positional(forward)
        names = names[self.params_first :]
        if not isinstance(inputs, Mapping):
            inputs = inputs if isinstance(inputs, tuple | list) else (inputs,)
            names += [f"input {k}" for k in range(len(names), len(inputs))]
            inputs = dict(zip(names, inputs, strict=False))
        elif set(inputs) <= set(names):
            inputs = {name: inputs[name] for name in names if name in inputs}
        elif not more:
            unknown = ", ".join(str(name) for name in inputs if name not in names)
            raise TypeError(f"{self.label} takes {', '.join(names)}, got {unknown}")
        self.further_inputs = [name for name in optional if name in names and name not in inputs]
        self.arguments = {name: as_float64(own_generators(value)) for name, value in inputs.items()}
        self.restore = restorers(self.arguments)
        self.parameters = {str(key): as_float64(value) for key, value in (params or {}).items()}
        self.inputs: dict[str, Any] = {}
        self.slots: list[Slot] = []
        for name, value in self.arguments.items():
            if isinstance(value, Mapping):
                members = {key: f"{name}[{key!r}]" for key, v in value.items() if is_floating(v)}
                self.inputs |= {members[key]: as_float64(value[key]) for key in members}
                self.slots += [Slot(name, members)] if members else []
            else:
                self.inputs[name] = value
                self.slots += [Slot(name)] if is_floating(value) else []
        if self.params_first:
            self.slots.insert(0, Slot("params", {name: name for name in self.parameters}))
        given = [*inputs.values(), *(params or {}).values()]
        if any(is_floating(value) and value.dtype.itemsize < 8 for value in given):
            self.notes.append("checked in float64: float32 rounding would hide errors and cause false alarms")

    def start(self, dtype: DTypeLike) -> PairSession:
        return PairSession(self)

    def configuration(self, gradients: Mapping[str, Array]) -> list[str]:
        members = [list(slot.members.values()) for slot in self.slots if slot.members and slot.name != "params"]
        return [name for names in members if not set(names) & set(gradients) for name in names]

    def output_names(self, outputs: list[Array]) -> list[str]:
        return ["output"] if len(outputs) == 1 else [f"output {k}" for k in range(len(outputs))]

    def upstream_count(self, outputs: list[Array]) -> int:
        return len(outputs)


class PairSession:
    def __init__(self, subject: PairSubject) -> None:
        self.subject, self.cache = subject, None

    def forward(self, values: Mapping[str, Any]) -> list[Array]:
        subject = self.subject
        now = subject.inputs | subject.parameters | dict(values)
        arguments: list[Any] = [{name: now[name] for name in subject.parameters}] if subject.params_first else []
        for name, value in subject.arguments.items():
            if isinstance(value, Mapping):
                arguments.append({key: now.get(f"{name}[{key!r}]", v) for key, v in value.items()})
            else:
                arguments.append(now[name])
        for restore in self.subject.restore:  # dropout must draw the same mask each time
            restore()
        further = {name: now[name] for name in subject.further_inputs if name in now}
        result = subject.functions[0](*arguments, **further)
        if not isinstance(result, tuple | list) or len(result) < 2:
            raise TypeError(f"{subject.label} must return its output and a cache for backward: out, cache")
        *outputs, self.cache = result
        return [np.asarray(y) for y in (as_list(outputs[0]) if len(outputs) == 1 else outputs)]

    def backward(self, upstream: list[Array]) -> dict[str, Array]:
        subject, arrays = self.subject, list(map(scalar, upstream))
        arguments = [self.cache, *arrays] if subject.params_first else [*arrays, self.cache]
        returned = subject.functions[1](*arguments)
        returned, slots = [returned] if isinstance(returned, np.ndarray) else returned, subject.slots
        if isinstance(returned, tuple | list) and len(returned) < len(slots):
            slots = [slot for slot in slots if slot.members is None or slot.name == "params"]
        return name_gradients(returned, slots, ["params"] * subject.params_first + list(subject.arguments), subject)
