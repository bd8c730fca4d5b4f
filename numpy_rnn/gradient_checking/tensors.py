"""The comparison of one tensor's gradients."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from numpy_rnn.checks import Array

__all__ = ["TensorReport"]

_EMPTY = np.zeros(0)


@dataclass
class TensorReport:
    """The comparison for one tensor.

    Attributes
    ----------
    verdict : str
        "ok", "WRONG", "CLOSE" (errors as of an epsilon or float32), "SHAPE" (the gradient has another shape than the
        tensor), "NO GRADIENT", "KINKS" (forward is not differentiable wherever its derivative is not zero),
        "COARSE" (forward computes in float16) or "NOT FINITE" (some numerical derivatives are not).
    analytic : ndarray
        The gradient from backward.
    numeric : ndarray
        The numerical gradient; nan for elements that were not checked one by one.
    coordinates : ndarray or None
        Flat indices of the elements that were compared; None: a few random directions were compared.
    max_absolute_error, max_relative_error : float
        Largest difference between the two, and relative to the larger of the two (at least 1/100 of the tensor's
        largest), at the points where the function is differentiable.
    worst_index : tuple of int, or None
        The index of the largest error.
    diagnosis : str or None
        What the numbers show: a factor, another order of the elements, the place of the errors.
    """

    name: str
    shape: tuple[int, ...]
    verdict: str
    analytic: Array | None = None
    coordinates: Array | None = None
    checked_analytic: Array = field(default_factory=lambda: _EMPTY)
    checked_numeric: Array = field(default_factory=lambda: _EMPTY)
    absolute_error: Array = field(default_factory=lambda: _EMPTY)
    relative_error: Array = field(default_factory=lambda: _EMPTY)
    tolerance: Array = field(default_factory=lambda: _EMPTY)  # including that of the user
    precision: Array = field(default_factory=lambda: _EMPTY)  # that of the comparison itself
    kinks: Array = field(default_factory=lambda: np.zeros(0, bool))
    diagnosis: str | None = None
    time_axis: int | None = None

    @property
    def ok(self) -> bool:
        return self.verdict == "ok"

    @property
    def is_full(self) -> bool:
        """Whether every element was compared."""
        return self.coordinates is not None and len(self.coordinates) == math.prod(self.shape)

    @property
    def limit(self) -> float:
        """The smallest relative error that shows, in the largest element."""
        k = int(np.argmax(np.abs(self.checked_numeric)))
        return float(self.precision[k] / np.abs(self.checked_numeric[k]))

    @property
    def digits(self) -> int:
        """The number of digits in which the two gradients agree."""
        return round(-math.log10(max(self.max_relative_error, 1e-16)))

    @property
    def is_tiny(self) -> bool:
        """Whether the gradient is not zero but within its tolerance everywhere, so that nothing was checked."""
        size = np.maximum(np.abs(self.checked_analytic), np.abs(self.checked_numeric))
        return self.verdict == "ok" and bool(size.any() and (size <= self.precision).all())

    @property
    def numeric(self) -> Array:
        return self.spread(self.checked_numeric)

    @property
    def max_absolute_error(self) -> float:
        return float(np.maximum.reduce(self.absolute_error, initial=0))

    @property
    def max_relative_error(self) -> float:
        return float(np.maximum.reduce(self.relative_error, initial=0))

    @property
    def worst(self) -> int | None:
        """The position of the largest error, among the errors beyond their tolerance if there are any."""
        if not self.absolute_error.size:
            return None
        error = np.where(np.isnan(self.absolute_error), np.inf, self.absolute_error)
        beyond = error > self.tolerance
        return int(np.argmax(np.where(beyond, error, 0) if beyond.any() else error))

    @property
    def worst_index(self) -> tuple[int, ...] | None:
        if self.worst is None or self.coordinates is None:
            return None
        return tuple(int(i) for i in np.unravel_index(self.coordinates[self.worst], self.shape))

    def spread(self, values: Array) -> Array:
        """Return values at the compared coordinates as an array of the tensor's shape, nan elsewhere."""
        result = np.full(math.prod(self.shape), np.nan)
        if self.coordinates is not None:
            result[self.coordinates] = values
        return result.reshape(self.shape)

    def error_by_time_step(self) -> Array | None:
        """Return the largest relative error at each time step; None if the tensor has no time axis."""
        if self.time_axis is None or not self.is_full:
            return None
        steps = np.moveaxis(self.spread(self.relative_error), self.time_axis, 0)
        return np.asarray(steps.reshape(len(steps), -1).max(axis=1, initial=0))
