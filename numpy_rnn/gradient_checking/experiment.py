"""One subject at one point: forward as a function of vectors, its numerical derivatives, and backward."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.derivatives import (
    EPS,
    Function,
    complex_step,
    precision,
    richardson,
    why_not_complex,
)
from numpy_rnn.gradient_checking.subjects.conversion import is_floating
from numpy_rnn.gradient_checking.subjects.subject import Session, Subject

__all__ = ["METHODS", "Experiment", "copies"]

METHODS = ("complex step", "differences")


class Experiment:
    """A subject, the values of its tensors, random upstream gradients, and the method of differentiation.

    All outputs of a forward make one vector y, (M,), and their upstream gradients the vector u; the loss that is
    differentiated is u . y.
    """

    def __init__(self, subject: Subject, method: str | None, rng: np.random.Generator) -> None:
        self.subject, self.notes = subject, subject.notes
        floating = {name: value for name, value in subject.inputs.items() if is_floating(value)}
        self.point: dict[str, Array] = floating | subject.parameters
        for name, value in self.point.items():
            if len(bad := np.argwhere(~np.isfinite(value))):
                where = tuple(bad[0].tolist())
                raise ValueError(f"{name} is {value[where]} at {list(where)}, expected finite values")
        session = subject.start(np.float64)
        self.outputs = [y.copy() for y in session.forward(copies(self.point))]
        self._check_outputs()
        for name, y in zip(subject.output_names(self.outputs), self.outputs, strict=True):
            if not np.isfinite(y).all():
                self.notes.append(f"{name} is not finite at this point: its derivatives are meaningless")
        self.upstream = self.draw_upstream(rng)
        self.eps = precision(self.function, self.point, rng)
        if self.eps > EPS:
            kind = next(kind.__name__ for kind in (np.float16, np.float32) if self.eps == np.finfo(kind).eps)
            self.notes.append(f"forward computes in {kind} whatever its inputs are: its rounding limits the check")
        if not (self.point and self.u.size):
            self.method, self.reason = METHODS[0], "there is nothing to differentiate"
        elif method is None or method == METHODS[0]:
            reason = why_not_complex(self.complex_function, self.function, self.point, rng)
            if reason and method:
                raise ValueError(f"method {method!r} cannot be used: {reason}")
            self.method = METHODS[0] if reason is None else METHODS[1]
            self.reason = reason or "confirmed against finite differences in one direction"
        else:
            self.method, self.reason = method, "as requested"

    def _check_outputs(self) -> None:
        """Raise TypeError unless forward returned numbers, and floating-point ones among them."""
        label, names = self.subject.label, self.subject.output_names(self.outputs)
        for name, y in zip(names, self.outputs, strict=True):
            if y.dtype.kind not in "biufc":
                what = "None" if y.shape == () and y.item() is None else f"an array of dtype {y.dtype}"
                raise TypeError(f"forward of {label} returned {what} as its {name}: expected an array of numbers")
        if not any(map(is_floating, self.outputs)):
            kinds = ", ".join(f"{name}: {y.dtype}" for name, y in zip(names, self.outputs, strict=True))
            raise TypeError(
                f"forward of {label} returned no floating-point numbers ({kinds}): nothing to differentiate"
            )

    def draw_upstream(self, rng: np.random.Generator) -> list[Array]:
        """Draw an upstream gradient for each output: random, because ones would hide sums over the wrong axis."""
        count = self.subject.upstream_count(self.outputs)
        upstream = [rng.standard_normal(y.shape) if is_floating(y) else np.zeros(y.shape) for y in self.outputs]
        names = self.subject.output_names(self.outputs)
        self.takes_upstream = count > 0
        for k in range(count, len(upstream)):
            # A loss whose backward takes no argument starts the backward pass, with dL/dL = 1.
            starts = len(upstream) == 1 and upstream[k].ndim == 0
            upstream[k] = np.full(upstream[k].shape, float(starts))
            if not starts:
                self.notes.append(
                    f"backward takes no upstream gradient for {names[k]}, so that output is not checked"
                )
        return upstream

    @property
    def u(self) -> Array:
        """The upstream gradients as one vector."""
        return self.flat(self.upstream)

    def flat(self, outputs: list[Array]) -> Array:
        """Return the floating-point outputs, or their gradients, as one vector."""
        kept = [np.ravel(a) for a, y in zip(outputs, self.outputs, strict=True) if is_floating(y)]
        return np.concatenate(kept) if kept else np.zeros(0)

    def output_rows(self, k: int) -> slice:
        """Return the slice of output k in the vector of all outputs."""
        sizes = [y.size if is_floating(y) else 0 for y in self.outputs]
        return slice(sum(sizes[:k]), sum(sizes[: k + 1]))

    @property
    def function(self) -> Function:
        return self._function(self.subject.start(np.float64))

    @property
    def complex_function(self) -> Function:
        return self._function(self.subject.start(np.complex128))

    def _function(self, session: Session) -> Function:
        return lambda values: self.flat(session.forward(copies(values)))

    def jacobian(self, name: str, directions: Iterable[Array]) -> tuple[Array, Array]:
        """Return dy/d`name` times each of K directions, as columns (M, K), and an estimate of their errors."""
        if self.method == METHODS[0]:
            f = self.complex_function
            columns = [(column := complex_step(f, self.point, name, v), 0 * column) for v in directions]
        else:
            f = self.function
            columns = [richardson(f, self.point, name, v, self.eps) for v in directions]
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
