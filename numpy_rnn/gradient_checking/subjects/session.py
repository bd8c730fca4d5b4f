"""A session: a copy of what is checked, in one dtype, that runs. Every forward starts from the same state."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.subjects.calls import RATES, arrays_in, as_list, is_number
from numpy_rnn.gradient_checking.subjects.gradients import as_gradient, gradient_places
from numpy_rnn.gradient_checking.subjects.leaves import follow, put
from numpy_rnn.gradient_checking.subjects.state import is_floating, restorers
from numpy_rnn.gradient_checking.subjects.variables import swapped_in

if TYPE_CHECKING:
    from numpy_rnn.gradient_checking.subjects.subject import Subject

__all__ = ["FLUSHES", "Session", "moved", "same"]

FLUSHES = ("zero_grad", "zero_grads", "zero_gradients", "flush_gradients", "reset_gradients", "clear_grads", "zero")


def same(a: Any, b: Any) -> bool:
    """Whether two arrays are equal, bit for bit, nan included."""
    return np.shape(a) == np.shape(b) and np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind in "fc")


def moved(x: Array, rng: np.random.Generator) -> Array:
    """Return other numbers, close to those of an array."""
    size = float(np.abs(x[np.isfinite(x)]).max(initial=0)) or 1.0
    return np.asarray(x + 1e-3 * size * rng.standard_normal(x.shape))


class Session:
    """One copy of a subject, in one dtype."""

    def __init__(self, subject: Subject, dtype: DTypeLike) -> None:
        self.subject = subject
        self.root = subject.original.copy(dtype)
        for path in (subject.places or {}).values():
            if is_floating(gradient := follow(self.root, path)) and gradient.flags.writeable:
                gradient[...] = 0  # backward may add to it, as in torch
        self.restorers = restorers(self.root)

    def read(self, name: str) -> Any:
        """Return the present value of an array."""
        return follow(self.root, self.subject.leaves[name].paths[0])

    def value(self, name: str) -> Any:
        """Return a copy of it."""
        return np.array(self.read(name))

    def forward(self, values: Mapping[str, Any]) -> list[Array]:
        """Return the outputs for `values`, by name, from the state at the beginning; others keep their values."""
        for restore in [*self.restorers, *self.subject.reset_generators]:
            restore()
        self.call_forward(values)
        return self.outputs()

    def call_forward(self, values: Mapping[str, Any]) -> None:
        """Call forward in the present state."""
        leaves, args = self.subject.leaves, self.root["args"]
        for name, value in values.items():
            if name not in leaves or (leaves[name].is_argument and not leaves[name].is_inside):
                args[name] = value
            elif isinstance(old := self.read(name), np.ndarray):
                old[...] = value
            else:  # a number, or a list of numbers
                new = value.tolist() if isinstance(old, list) else value.dtype.type(value)
                put(self.root, leaves[name].paths[0], new)
        for name in FLUSHES:  # as a training loop does between two steps
            if callable(flush := getattr(self.root["self"], name, None)):
                flush()
        self.returned = self._call("forward", args)

    def _call(self, name: str, given: Mapping[str, Any]) -> Any:
        """Call forward or backward; by keyword after an argument that keeps its default.

        The names of those after its named arguments, as in `*inputs`, are no identifiers.
        """
        names = self.subject.argument_names[name]
        if further := [key for key in given if not key.isidentifier()]:
            names = [key for key in given if key in names or key in further]
        first = [*itertools.takewhile(given.__contains__, names)]
        keywords = {key: value for key, value in given.items() if key not in first}
        with swapped_in(self.subject.scopes, [self.root[k] for k in range(len(self.subject.scopes))]):
            return self.root[name](*(given[key] for key in first), **keywords)

    def outputs(self) -> list[Array]:
        """Return the arrays that the last forward returned, or left in an attribute."""
        self.items = self.subject.calls.items(self.returned, self.root["self"])
        return [np.asarray(y) for item in self.items for y in arrays_in(item)]

    def backward(self, upstream: list[Array]) -> dict[str, Array]:
        """Return the gradients that backward computes after the last forward; some may be missing."""
        subject = self.subject
        before = {name: self.value(name) for name in subject.leaves if name not in (subject.places or {})}
        self.root["returned"] = self._call_backward(upstream)
        if subject.places is None:
            subject.places = gradient_places(subject, self.root)
        values = {name: follow(self.root, path) for name, path in subject.places.items()}
        found = {n: as_gradient(n, value, subject.label) for n, value in values.items() if value is not None}
        for name, old in before.items():
            rate = self._learning_rate(name)
            if rate and name not in found and not same(old, self.value(name)):
                found[name] = (old - self.value(name)) / rate  # backward has learned: W -= rate * dW
        return found

    def _call_backward(self, upstream: list[Array]) -> Any:
        calls = self.subject.calls
        if self.subject.backward_callable is None:  # the gradients are beside the loss
            rest = [item for k, item in enumerate(as_list(self.returned)) if k != calls.outputs[0]]
            return rest[0] if len(rest) == 1 and not isinstance(rest[0], np.ndarray) else rest or None
        if callable(zero_grad := getattr(self.root["self"], "zero_grad", None)):
            zero_grad()
        returned = self._call("backward", calls.given(self.returned, self.items, upstream, self.root["args"]))
        is_slope = not calls.upstreams and upstream[0].ndim  # of an elementwise function, such as 1 - tanh^2
        return returned * upstream[0] if is_slope else returned

    def _learning_rate(self, name: str) -> float:
        """Return the factor of the update that backward makes, or 0: its argument, or an attribute."""
        if any(kind == "rate" for kind, _ in self.subject.calls.arguments.values()):
            return 1.0
        owners = follow(self.root, self.subject.leaves[name].paths[0][:-1]), self.root["self"]
        rates = (follow(owner, (rate,)) for owner in owners for rate in RATES)
        return next((float(rate) for rate in rates if is_number(rate)), 0.0)
