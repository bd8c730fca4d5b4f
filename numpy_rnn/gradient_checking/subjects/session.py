"""A session: a copy of what is checked, in one dtype, that runs. Every forward starts from the same state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.subjects.calls import RATES, arrays_in, as_list, is_number, returned_names
from numpy_rnn.gradient_checking.subjects.leaves import Leaf, follow, gradients_beside
from numpy_rnn.gradient_checking.subjects.returned import as_gradient, gradients_returned
from numpy_rnn.gradient_checking.subjects.state import converted, is_floating, restorers
from numpy_rnn.gradient_checking.subjects.variables import swapped_in

if TYPE_CHECKING:
    from numpy_rnn.gradient_checking.subjects.subject import Subject

__all__ = ["Session", "same"]


def same(a: Any, b: Any) -> bool:
    """Whether two arrays are equal, bit for bit, nan included."""
    return np.shape(a) == np.shape(b) and np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind in "fc")


class Session:
    """One copy of a subject, in one dtype."""

    def __init__(self, subject: Subject, dtype: DTypeLike) -> None:
        self.subject = subject
        kept = {id(follow(subject.root, path)) for path in subject.constant_paths}
        self.root = converted(subject.root, dtype, kept)
        for name in subject.tensors:
            for gradient in gradients_beside(self.root, subject.leaves[name], False):
                if is_floating(gradient) and gradient is not self.read(name) and gradient.flags.writeable:
                    gradient[...] = 0  # backward may add to it, as in torch
        self.restorers = restorers(self.root)
        self.returned: Any = None

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
        for name, value in values.items():
            if name in self.root["args"] or name in self.subject.further_inputs:
                self.root["args" if name in self.root["args"] else "options"][name] = value
            else:
                self.read(name)[...] = value
        with swapped_in(self.subject.scopes, self.root["variables"]):
            self.returned = self.root["forward"](*self.root["args"].values(), **self.root["options"])

    def outputs(self) -> list[Array]:
        """Return the arrays that the last forward returned, or left in an attribute."""
        self.items = self.subject.calls.items(self.returned, self.root["self"])
        return [np.asarray(y) for item in self.items for y in arrays_in(item)]

    def backward(self, upstream: list[Array]) -> dict[str, Array]:
        """Return the gradients that backward computes after the last forward; some may be missing."""
        subject, label = self.subject, self.subject.label
        before = {name: self.value(name) for name in subject.leaves}
        if subject.backward_callable is None:
            returned = self._beside_the_loss()
        else:
            if callable(zero_grad := getattr(self.root["self"], "zero_grad", None)):
                zero_grad()
            with swapped_in(subject.scopes, self.root["variables"]):
                returned = self.root["backward"](*self._arguments(upstream))
            if not any(kind == "upstream" for kind, _ in subject.calls.arguments) and upstream[0].ndim:
                returned = returned * upstream[0]  # f' of an elementwise f, such as tanh and 1 - tanh^2
        by_name = gradients_returned(
            returned, returned_names(subject.backward_callable or subject.forward_callable), list(subject.root["args"]),
            subject.slots, subject.own, subject.further_inputs, subject.leaves, subject.shapes, label,
        )  # fmt: skip
        if isinstance(returned, Mapping):
            known = [*by_name.values(), *(returned.get(name) for name in subject.constants)]
            if unknown := [str(key) for key, value in returned.items() if not any(value is other for other in known)]:
                subject.notes.append(f"backward returns {', '.join(unknown)}, which matches no tensor being checked")
        found = {name: as_gradient(name, value, label) for name, value in by_name.items()}
        lasts = [leaf.last for leaf in subject.leaves.values()]
        for name, leaf in subject.leaves.items():
            if name not in found:
                value = self._gradient_of(leaf, lasts.count(leaf.last) == 1)
                rate = self._learning_rate(leaf)
                if value is not None:
                    found[name] = as_gradient(name, value, label)
                elif rate and not same(before[name], self.value(name)):  # backward has learned: W -= rate * dW
                    found[name] = (before[name] - self.value(name)) / rate
        return found

    def _arguments(self, upstream: list[Array]) -> Iterator[Any]:
        """Yield the arguments of backward."""
        arranged = self.subject.calls.arranged(self.items, upstream)
        for kind, what in self.subject.calls.arguments:
            if kind == "upstream":
                yield arranged[what]
            elif kind == "cache":
                yield as_list(self.returned)[what]
            else:
                yield self.root["args"][what] if kind == "input" else 1.0

    def _beside_the_loss(self) -> Any:
        """Return the gradients that one function returned with its loss."""
        loss = self.subject.calls.outputs[0]
        rest = [item for k, item in enumerate(as_list(self.returned)) if k != loss]
        return rest[0] if len(rest) == 1 and not isinstance(rest[0], np.ndarray) else rest or None

    def _places(self, leaf: Leaf) -> Iterator[Leaf]:
        """Yield the leaf where it is, and where its gradient may be: in the object or among the variables."""
        yield leaf
        path = leaf.paths[0]
        steps = path[2:] if path[0][1] == "variables" else path[1:]
        for name in ("self", "other"):
            yield Leaf(leaf.name, [(("[", name), *steps)])
        for k in range(len(self.root["variables"])):
            yield Leaf(leaf.name, [(("[", "variables"), ("[", k), *steps)])

    def _gradient_of(self, leaf: Leaf, is_unique: bool) -> Any:
        """Return what backward has left as the gradient of an array; of several, one of the right shape."""
        own = self.read(leaf.name)
        found = [g for place in self._places(leaf) for g in gradients_beside(self.root, place, is_unique) if g is not own]
        fitting = (g for g in found if np.shape(g) == np.shape(own))
        return next(fitting, next((g for g in found if isinstance(g, np.ndarray)), None))

    def _learning_rate(self, leaf: Leaf) -> float:
        """Return the factor of the update that backward makes, or 0: its argument, or an attribute."""
        if any(kind == "rate" for kind, _ in self.subject.calls.arguments):
            return 1.0
        owner = follow(self.root, leaf.paths[0][:-1])
        rates = (getattr(where, name, None) for where in (owner, self.root["self"]) for name in RATES)
        return next((float(rate) for rate in rates if is_number(rate)), 0.0)
