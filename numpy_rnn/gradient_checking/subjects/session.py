"""A session: a copy of what is checked, in one dtype, that runs. Every forward starts from the same state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.subjects.calls import RATES, arrays_in, as_list, is_number
from numpy_rnn.gradient_checking.subjects.leaves import Leaf, follow, gradients_beside
from numpy_rnn.gradient_checking.subjects.returned import as_gradient, gradients_returned
from numpy_rnn.gradient_checking.subjects.state import Path, converted, is_floating, restorers
from numpy_rnn.gradient_checking.subjects.variables import swapped_in

if TYPE_CHECKING:
    from numpy_rnn.gradient_checking.subjects.subject import Subject

__all__ = ["FLUSHES", "Session", "same"]

FLUSHES = ("zero_grad", "zero_grads", "zero_gradients", "flush_gradients", "reset_gradients", "clear_grads")
OF_THE_INPUT = ("dinputs", "dinput", "grad_input", "gradInput", "dX", "dx")  # whatever the input's name is


def same(a: Any, b: Any) -> bool:
    """Whether two arrays are equal, bit for bit, nan included."""
    return np.shape(a) == np.shape(b) and np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind in "fc")


class Session:
    """One copy of a subject, in one dtype."""

    def __init__(self, subject: Subject, dtype: DTypeLike) -> None:
        self.subject = subject
        kept = {id(follow(subject.root, path)) for path in subject.constant_paths}
        self.root = converted(subject.root, dtype, kept)
        for path in subject.gradient_paths.values():
            if is_floating(gradient := follow(self.root, path)) and gradient.flags.writeable:
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
                self._write(name, value)
        for name in FLUSHES:  # as a training loop does between two steps
            if callable(flush := follow(self.root["self"], ((".", name),))):
                flush()
        args, keywords = self.root["args"], self.subject.keywords
        given = {name: args[name] for name in keywords if name in args} | self.root["options"]
        with swapped_in(self.subject.scopes, self.root["variables"]):
            self.returned = self.root["forward"](*(v for n, v in args.items() if n not in keywords), **given)

    def _write(self, name: str, value: Array) -> None:
        old, path = self.read(name), self.subject.leaves[name].paths[0]
        if isinstance(old, np.ndarray):
            old[...] = value
        else:  # a number, or a list of numbers
            (kind, key), owner = path[-1], follow(self.root, path[:-1])
            new = value.tolist() if isinstance(old, list) else value.dtype.type(value)
            if kind == "[":
                owner[key] = new
            else:
                setattr(owner, key, new)

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
            if callable(zero_grad := follow(self.root["self"], ((".", "zero_grad"),))):
                zero_grad()
            with swapped_in(subject.scopes, self.root["variables"]):
                returned = self.root["backward"](*self._arguments(upstream))
            if not any(kind == "upstream" for kind, _ in subject.calls.arguments) and upstream[0].ndim:
                returned = returned * upstream[0]  # f' of an elementwise f, such as tanh and 1 - tanh^2
        by_name = gradients_returned(
            returned, subject.returned_names, list(subject.root["args"]), subject.slots, subject.own, subject.further_inputs,
            subject.leaves, subject.shapes, label, subject.backward_callable is None,
        )  # fmt: skip
        if isinstance(returned, Mapping):
            known = [*by_name.values(), *(returned.get(name) for name in subject.constants)]
            if unknown := [str(key) for key, value in returned.items() if not any(value is other for other in known)]:
                subject.notes.append(f"backward returns {', '.join(unknown)}, which matches no tensor being checked")
        self.left_behind = self._left_behind(by_name)
        by_name |= self.left_behind
        found = {name: as_gradient(name, value, label) for name, value in by_name.items()}
        for name, leaf in subject.leaves.items():
            rate = self._learning_rate(leaf)
            if rate and name not in found and not same(before[name], self.value(name)):
                found[name] = (before[name] - self.value(name)) / rate  # backward has learned: W -= rate * dW
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

    def _left_behind(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Return the gradients that backward has left in attributes or variables, for the arrays that have none yet."""
        leaves = self.subject.leaves
        lasts = [leaf.last for leaf in leaves.values()]
        at = {
            name: follow(self.root, path) for name, path in self.subject.gradient_paths.items() if name not in found
        }
        left = {name: value for name, value in at.items() if value is not None}
        without = [name for name in self.subject.searched if name not in found and name not in left]
        for place in range(3 + len(self.root["variables"])):
            for name in [name for name in without if name not in left]:
                leaf = leaves[name]
                taken = {id(value) for value in left.values()} | {
                    id(self.read(other)) for other in self.subject.depends
                }
                candidates = gradients_beside(self.root, self._moved(leaf, place), lasts.count(leaf.last) == 1)
                free = [value for value in candidates if id(value) not in taken]
                fitting = (value for value in free if np.shape(value) == self.subject.shapes[name])
                arrays = (value for value in free if isinstance(value, np.ndarray))
                if (value := next(fitting, next(arrays, None))) is not None:
                    left[name] = value
        inputs = [name for slot in self.subject.slots for name in slot.leaves]
        own = [name for name in self.subject.depends if name not in inputs]
        for some, names in ((inputs, OF_THE_INPUT), (own, ("grad", "gradient"))):
            general = [follow(self.root["self"], ((".", name),)) for name in names]
            for value in (value for value in general if is_floating(value)):
                without = [n for n in some if not (n in found or n in left) and self.subject.shapes[n] == value.shape]
                if len(without) == 1:
                    left[without[0]] = value
        return left

    def _moved(self, leaf: Leaf, place: int) -> Leaf:
        """Return the leaf where it is (0), or as if it were in the object (1, 2) or among the variables."""
        path = leaf.paths[0]
        steps = path[2:] if path[0][1] == "variables" else path[1:]
        if place == 0:
            return leaf
        base: Path = (("[", ("self", "other")[place - 1]),) if place < 3 else (("[", "variables"), ("[", place - 3))
        return Leaf(leaf.name, [base + steps])

    def _learning_rate(self, leaf: Leaf) -> float:
        """Return the factor of the update that backward makes, or 0: its argument, or an attribute."""
        if any(kind == "rate" for kind, _ in self.subject.calls.arguments):
            return 1.0
        owner = follow(self.root, leaf.paths[0][:-1])
        rates = (follow(where, ((".", name),)) for where in (owner, self.root["self"]) for name in RATES)
        return next((float(rate) for rate in rates if is_number(rate)), 0.0)
