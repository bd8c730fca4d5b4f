"""The evidence for a diagnosis: the Jacobians, the upstream gradients, and the gradients from backward."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.experiment import Experiment

__all__ = ["Case", "Evidence"]


class Evidence:
    """The Jacobian dy/dx of every tensor, where it was computed, and the gradients that backward returned."""

    def __init__(self, experiment: Experiment, gradients: dict[str, Array]) -> None:
        self.experiment, self.gradients, self.u = experiment, gradients, experiment.u
        self.coordinates: dict[str, Array] = {}
        self.jacobians: dict[str, Array] = {}
        self.output_names = experiment.subject.output_names

    def add(self, name: str, coordinates: Array, J: Array) -> None:
        """Store columns of a tensor's Jacobian, (M, K), for K of its coordinates."""
        self.coordinates[name], self.jacobians[name] = coordinates, J

    def is_full(self, name: str) -> bool:
        return name in self.jacobians and len(self.coordinates[name]) == self.experiment.point[name].size

    def coupling(self, name: str, axis: int, k: int, output_axis: int) -> Array:
        """Return max |dy[s]/dx[t]| as a matrix [t, s], t along an axis of the tensor, s along one of output k."""
        x, y = self.experiment.point[name], self.experiment.outputs[k]
        J = np.abs(self.jacobians[name][self.experiment.output_rows(k)]).reshape(*y.shape, *x.shape)
        J = np.moveaxis(J, (output_axis, y.ndim + axis), (0, 1))
        return np.asarray(J.reshape(*J.shape[:2], -1).max(axis=2, initial=0).T)

    def time_axis(self, name: str) -> int | None:
        """Return the time axis of a tensor: along it, outputs depend on earlier inputs but not on later ones.

        The last axis holds features. Along a batch axis, an output depends on its own input alone, or, in batch
        normalization, on all of them.
        """
        x = self.experiment.point[name]
        for k, y in enumerate(self.experiment.outputs):
            if not self.is_full(name) or y.dtype.kind != "f":
                continue
            for axis in range(min(x.ndim, y.ndim) - 1):
                if x.shape[axis] == y.shape[axis] > 1:
                    coupling = self.coupling(name, axis, k, axis)
                    before, after = np.tril(coupling, -1).any(), np.triu(coupling, 1).any()
                    if before != after:
                        return axis
        return None

    def axis_word(self, k: int, axis: int) -> str:
        """Name an axis of output k: "time step", "row" of a matrix, or "index of axis ..."."""
        y = self.experiment.outputs[k]
        for name, x in self.experiment.point.items():
            if x.ndim > axis and x.shape[axis] == y.shape[axis] and self.time_axis(name) == axis:
                return "time step"
        return "row" if y.ndim == 2 and axis == 0 else f"index of axis {axis}"


@dataclass
class Case:
    """One wrong tensor: backward's gradient a and the true gradient g at the coordinates that were computed."""

    evidence: Evidence
    name: str
    shape: tuple[int, ...]
    a: Array  # (K,)
    g: Array  # (K,)
    J: Array  # (M, K)
    wrong: Array  # (K,)
    full: bool

    def explained_by(self, predicted: Array) -> bool:
        """Whether a wrong backward that yields `predicted` accounts for the error to one part in a million.

        Chance does not come that close, and the precision of a and g is far better.
        """
        predicted = np.ravel(predicted)
        if predicted.shape != self.a.shape or not np.isfinite(predicted).all():
            return False
        return bool(np.abs(self.a - predicted).max() <= 1e-6 * np.abs(self.a - self.g).max())

    def under(self, upstream: list[Array]) -> Array:
        """Return the true gradient under other upstream gradients."""
        return self.evidence.experiment.flat(upstream) @ self.J
