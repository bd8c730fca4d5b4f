"""One subject at one point: forward as a function of vectors, its numerical derivatives, and backward."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.derivatives import (
    EPS,
    Function,
    complex_step,
    precision,
    richardson,
    scale_of,
    why_not_complex,
)
from numpy_rnn.gradient_checking.progress import Progress
from numpy_rnn.gradient_checking.subjects.state import is_floating
from numpy_rnn.gradient_checking.subjects.subject import Subject

__all__ = ["METHODS", "Experiment", "copies"]

METHODS = ("complex step", "differences")


class Experiment:
    """A subject, the values of its tensors, random upstream gradients, and the method of differentiation.

    All outputs of a forward make one vector y, (M,), and their upstream gradients the vector u; the loss that is
    differentiated is u . y.
    """

    def __init__(self, subject: Subject, method: str | None, rng: np.random.Generator) -> None:
        self.subject, self.notes = subject, subject.notes
        self.point = {name: value for name, value in subject.tensors.items() if name not in subject.missing}
        self.progress, self.rng = Progress(subject.label), rng
        self.outputs = [y.copy() for y in subject.start(np.float64).forward(copies(self.point))]
        self.upstream = self.draw_upstream(rng)
        self.eps = EPS
        if not (self.point and self.u.size):
            self.method, self.reason = METHODS[0], "there is nothing to differentiate"
        elif method == METHODS[1]:
            self.method, self.reason = method, "as requested"
        else:
            reason = why_not_complex(self.complex_function, self.function, self.point, rng)
            if reason and method:
                raise ValueError(f"method {method!r} cannot be used: {reason}")
            self.method = METHODS[0] if reason is None else METHODS[1]
            self.reason = reason or "confirmed against finite differences in one direction"
        if self.method == METHODS[1]:
            self.eps = precision(self.function, self.point, rng)

    def draw_upstream(self, rng: np.random.Generator) -> list[Array]:
        """Draw an upstream gradient for each output: random, because ones would hide sums over the wrong axis.

        That of a loss is 1, so that the numbers in the report are those that the user knows.
        """
        upstream = [rng.standard_normal(y.shape) if is_floating(y) else np.zeros(y.shape) for y in self.outputs]
        if len(upstream) == 1 and (upstream[0].ndim == 0 or self.subject.backward_callable is None):
            return [np.ones(upstream[0].shape)]
        for k in self.subject.without_upstream:
            upstream[k][...] = 0
            name = self.subject.output_names[k]
            self.notes.append(f"backward takes no upstream gradient for {name}, so that output is not checked")
        return upstream

    @property
    def u(self) -> Array:
        return self.flat(self.upstream)

    @property
    def y(self) -> Array:
        return self.flat(self.outputs)

    @cached_property
    def spread(self) -> Array:
        """How much the outputs change if all tensors change by about their size; infinite where that is unknown."""
        v = {name: scale_of(x) * self.rng.standard_normal(x.shape) for name, x in self.point.items()}
        spread = np.zeros(self.u.shape)
        for there, back in ((1, 1), (1, -1), (0, 0), (0, 1)):
            try:
                y = self.function({name: there * x + back * v[name] for name, x in self.point.items()})
            except Exception:  # forward may refuse such values
                return np.full(self.u.shape, np.inf)
            change = np.abs(y - self.y)
            spread = np.maximum(spread, np.where(np.isfinite(change), change, np.inf))
        return spread

    def flat(self, outputs: list[Array]) -> Array:
        """Return the floating-point outputs, or their gradients, as one vector."""
        kept = [np.ravel(a) for a, y in zip(outputs, self.outputs, strict=True) if is_floating(y)]
        return np.concatenate(kept) if kept else np.zeros(0)

    def output_rows(self, k: int) -> slice:
        """Return the slice of output k in the vector of all outputs."""
        sizes = [y.size if is_floating(y) else 0 for y in self.outputs]
        return slice(sum(sizes[:k]), sum(sizes[: k + 1]))

    @cached_property
    def function(self) -> Function:
        return self._function(np.float64)

    @cached_property
    def complex_function(self) -> Function:
        return self._function(np.complex128)

    def _function(self, dtype: DTypeLike) -> Function:
        session = self.subject.start(dtype)

        def f(values: Mapping[str, Any]) -> Array:
            with np.errstate(all="ignore"):  # a step may leave the domain of forward
                return self.progress.timed(lambda: self.flat(session.forward(copies(values))))

        return f

    @property
    def forwards_per_direction(self) -> int:
        """Forward passes for one column of a Jacobian: one, or those of a few central differences."""
        return 1 if self.method == METHODS[0] else 14

    def affordable(self) -> int:
        """Return how many directions take about a second."""
        return max(1, int(1 / (self.progress.seconds * self.forwards_per_direction)))

    def jacobian(self, name: str, directions: Iterable[Array]) -> tuple[Array, Array]:
        """Return dy/d`name` times each of K directions, as columns (M, K), and an estimate of their errors."""
        if self.method == METHODS[0]:
            steps = (complex_step(self.complex_function, self.point, name, v) for v in directions)
            columns = [(step, 0 * step) for step in steps]
        else:
            columns = [richardson(self.function, self.point, name, v, self.eps) for v in directions]
        J, errors = np.reshape(columns, (len(columns), 2, self.u.size)).transpose(1, 2, 0)
        return J, errors

    def backward(self, upstream: list[Array]) -> dict[str, Array]:
        """Return the gradients from backward, in a fresh session, after one forward at the point."""
        session = self.subject.start(np.float64)
        session.forward(copies(self.point))
        return session.backward([u.copy() for u in upstream])


def copies(values: Mapping[str, Any]) -> dict[str, Array]:
    """Copy every array, so that what forward or backward overwrites does not affect the next call."""
    return {name: np.array(value) for name, value in values.items()}
