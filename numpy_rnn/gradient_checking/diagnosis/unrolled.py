"""Unrolled recurrences: the Jacobians of the single steps, and backward passes with one mistake in them.

If forward over T steps equals T forwards over one step, each from the state that the one before it left, then with
the Jacobians of the steps, y_t and s_t by x_t, s_{t-1} and the parameters p, backpropagation through time is

    d[x_t, s_{t-1}, p]_t = (dy_t/d[...])^T u_t + (ds_t/d[...])^T ds_t ,       dp = sum_t dp_t

and each known mistake is a variation of this (`unrolled_mistakes.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.derivatives import complex_step, one_hot, richardson
from numpy_rnn.gradient_checking.experiment import METHODS, Experiment
from numpy_rnn.gradient_checking.subjects.state import is_floating

__all__ = ["Gradients", "Recurrence", "take_apart"]

FORWARDS = 30_000  # at most this many evaluations of a single step

Gradients = dict[str, Array]


def take_apart(experiment: Experiment) -> Recurrence | None:
    """Return the subject as a recurrence, or None if it is not one."""
    outputs, subject = experiment.outputs, experiment.subject
    for axis in (0, 1):
        if outputs[0].ndim < axis + 2 or outputs[0].shape[axis] < 1:
            continue
        states = {name: subject.inputs[name] for name in subject.inputs if is_floating(subject.inputs[name])}
        if len(outputs) > 1:  # an initial state that was not given, presumably zeros
            states |= dict.fromkeys(subject.further_inputs, np.zeros_like(outputs[1]))
        for state, start in reversed(states.items()):  # the first input is the sequence
            sequences = [
                name
                for name, value in subject.inputs.items()
                if name != state and isinstance(value, np.ndarray) and value.shape[:2] == outputs[0].shape[:2]
            ]
            after = [j for j, y in enumerate(outputs[1:], 1) if y.shape == start.shape]
            last = outputs[0].take(-1, axis)
            if sequences and (after or last.shape == start.shape):
                recurrence = Recurrence(experiment, axis, sequences, state, start, after[0] if after else None)
                if recurrence.is_one():
                    return recurrence if recurrence.differentiate() else None
    return None


class Recurrence:
    """T steps along `axis` of the inputs `sequences`, carrying `state`, which output `after` returns."""

    def __init__(
        self, experiment: Experiment, axis: int, sequences: list[str], state: str, start: Array, after: int | None
    ) -> None:
        self.experiment, self.axis, self.sequences = experiment, axis, sequences
        self.state, self.start, self.after = state, start, after
        self.T, self.S = experiment.outputs[0].shape[axis], start.size
        self.Y = experiment.outputs[0].size // self.T
        self.moving = [name for name in sequences if name in experiment.point]
        self.parameters = [name for name in experiment.point if name not in (*sequences, state)]

    def step(self, session: Any, values: Mapping[str, Any]) -> tuple[Array, Array]:
        outputs = session.forward({name: np.array(value) for name, value in values.items()})
        y = outputs[0]
        return y, y.take(-1, self.axis) if self.after is None else outputs[self.after]

    def at(self, t: int) -> dict[str, Any]:
        """Return the values of all tensors for step t."""
        inputs = self.experiment.subject.inputs
        sliced = {name: inputs[name].take([t], self.axis) for name in self.sequences}
        return self.experiment.point | sliced | {self.state: self.states[t]}

    def is_one(self) -> bool:
        """Whether single steps, one after another, give the result of forward."""
        if len(self.experiment.outputs) > 2:
            return False
        session = self.experiment.subject.start(np.float64)
        self.states, ys = [self.start], []
        try:
            for t in range(self.T):
                y, s = self.step(session, self.at(t))
                ys.append(y.copy())
                self.states.append(s.copy())
            whole = np.concatenate(ys, self.axis)
        except Exception:  # forward cannot run a single step, so this is no recurrence
            return False
        outputs = self.experiment.outputs
        ends = outputs[0].take(-1, self.axis) if self.after is None else outputs[self.after]
        pairs = ((whole, outputs[0]), (self.states[-1], ends))
        return all(a.shape == b.shape and np.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in pairs)

    def differentiate(self) -> bool:
        """Compute the Jacobians of all steps, Y + S rows each, unless that would take too long."""
        sizes = [self.at(0)[name].size for name in [*self.moving, self.state, *self.parameters]]
        if self.T * sum(sizes) * (1 if self.experiment.method == METHODS[0] else 12) > FORWARDS:
            return False
        # One more step, which a shift by one step would read.
        session = self.experiment.subject.start(np.float64)
        self.states.append(self.step(session, self.at(self.T - 1) | {self.state: self.states[self.T]})[1].copy())
        self.steps = [self._jacobians(min(t, self.T - 1), self.states[t]) for t in range(self.T + 1)]
        y = self.experiment.outputs[0]
        self.output_is_state = all(
            np.array_equal(y.take(t, self.axis).ravel(), self.states[t + 1].ravel()) for t in range(self.T)
        )
        return True

    def _jacobians(self, t: int, state: Array) -> Gradients:
        by_complex = self.experiment.method == METHODS[0]
        session = self.experiment.subject.start(np.complex128 if by_complex else np.float64)
        values = self.at(t) | {self.state: state}
        names = [*self.moving, self.state, *self.parameters]
        others = {name: value for name, value in values.items() if name not in names}
        point = {name: values[name] for name in names}

        def f(tensors: Mapping[str, Any]) -> Array:
            y, s = self.step(session, {**others, **tensors})
            return np.concatenate([y.ravel(), s.ravel()])

        jacobians = {}
        for name in names:
            vectors = [one_hot(point[name].shape, k) for k in range(point[name].size)]
            rows = [
                complex_step(f, point, name, v) if by_complex else richardson(f, point, name, v)[0] for v in vectors
            ]
            jacobians[name] = np.reshape(rows, (len(rows), self.Y + self.S)).T
        return jacobians

    def upstream(self) -> tuple[Array, Array]:
        """Return the upstream gradients of y_1 ... y_T, (T, Y), and of s_T, (S,)."""
        u = self.experiment.upstream
        rows = np.moveaxis(u[0], self.axis, 0).reshape(self.T, -1)
        return rows, np.zeros(self.S) if self.after is None else u[self.after].ravel()

    def backward(
        self,
        u_y: Array,
        u_s: Array,
        *,
        carry: float = 1.0,
        cut: int | None = None,
        again: bool = False,
        local: list[Gradients] | None = None,
        carried: list[Gradients] | None = None,
        forwards: bool = False,
    ) -> dict[str, list[Array]]:
        """Return the gradient of each tensor, one array per step: of a right backward, or one with a mistake.

        carry: what the state's gradient is multiplied by from step to step. cut: the step that it is not handed to.
        again: u_s enters at each step. local, carried: other Jacobians for the tensors, and for the state.
        """
        local, carried = local or self.steps, carried or self.steps
        ds = u_s
        found: dict[str, list[Array]] = {name: [np.zeros(0)] * self.T for name in [*self.moving, *self.parameters]}
        found |= {self.state: [], "ds": [np.zeros(0)] * self.T}
        for n, t in enumerate(range(self.T) if forwards else reversed(range(self.T))):
            if n:
                ds = carry * ds if t != cut else 0 * ds
            rows = np.concatenate([u_y[t], ds + u_s if again and n else ds])
            found["ds"][t] = rows[-self.S :] + (rows[: self.Y] if self.output_is_state else 0)
            for name in [*self.moving, *self.parameters]:
                found[name][t] = rows @ local[t][name]
            ds = rows @ carried[t][self.state]
        found[self.state] = [ds]
        return found

    def whole(self, found: dict[str, list[Array]], steps: slice = slice(None)) -> Gradients:
        """Put sequences together, and sum the parameters over `steps`."""
        gradients = {self.state: found[self.state][0]}
        for name in self.moving:
            x_t = self.at(0)[name].shape
            gradients[name] = np.concatenate([part.reshape(x_t) for part in found[name]], self.axis).ravel()
        return gradients | {name: np.sum(found[name][steps], axis=0) for name in self.parameters}
