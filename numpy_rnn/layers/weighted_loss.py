"""What NLLLoss and CrossEntropyLoss share: class weights, ignored rows, and the reduction of N losses to one.

With nll[n] the loss of row n alone, and targets[n] the index of its class:

r[n] = weight[targets[n]], and 0 where targets[n] is ignore_index                                       (1)
loss = r[n] nll[n] ("none")    sum_n r[n] nll[n] ("sum")    sum_n r[n] nll[n] / sum_n r[n] ("mean")     (2)
g[n] = dloss[n]                dloss                        dloss / sum_n r[n]                          (3)

so the gradient of the loss with respect to nll[n] is g[n] r[n].
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from numpy_rnn.checks import (
    Array,
    as_array,
    as_dtype,
    as_floats,
    as_indices,
    as_integer,
    as_size,
    check_shape,
    to_numpy,
)
from numpy_rnn.display.instead import Loss
from numpy_rnn.layers.layer import Layer, Tape, quiet
from numpy_rnn.parameters import Parameters

__all__ = ["LossTape", "WeightedLoss", "as_rows"]


class LossTape(Tape):
    """targets, nll, r and ignored (N,); dscores (N, C); total, loss, dloss. Options allocate more."""

    loss: Any  # a number, or for "none" an array
    dloss: Any = 1.0  # a number, or for "none" (N,)
    ignored: Array | None = None  # where the target is ignore_index; None: nowhere
    r: Any = None  # None: 1 everywhere
    total: Any

    def __init__(self, layer: Any, N: int, C: int, dtype: DTypeLike) -> None:
        super().__init__(layer, (N, C))
        self.rows_shape: tuple[int, ...] = (N,)  # the targets' own: (N,), (N, d1, ...) or ()
        self.targets = np.empty(N, np.intp)
        self.nll, self.ones_N = np.empty(N, dtype), np.ones(N, dtype)  # BLAS sums as a product with ones
        self.count = N or math.nan  # the mean over no rows is nan

    @cached_property
    def dscores(self) -> Array:
        return np.empty(self.shape, self.nll.dtype)

    @property
    def result(self) -> Any:
        """The loss as the caller gets it."""
        return Loss(self.loss) if type(self.loss) is float else self.loss

    def unrow(self, rows: Array) -> Array:
        """Undo `as_rows`: give (N, C) the shape of the scores."""
        return np.moveaxis(rows.reshape(*self.rows_shape, self.shape[1]), -1, min(1, len(self.rows_shape)))


AnyLossTape = TypeVar("AnyLossTape", bound=LossTape)


class WeightedLoss(Layer[AnyLossTape]):
    """The weight of each class (a buffer, not a parameter), ignore_index, and the reduction."""

    tape_type: type[AnyLossTape]

    def __init__(self, weight: ArrayLike | None = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        if reduction not in ("none", "mean", "sum"):
            raise ValueError(f'reduction must be "none", "mean" or "sum", got {reduction!r}')
        self.ignore_index, self.reduction = as_integer("ignore_index", ignore_index), reduction
        self._parameters, self._buffers = Parameters({}), Parameters({})
        if weight is not None:
            weight = to_numpy("weight", weight)
            check_shape("weight", weight, (None,), "one number per class")
            dtype = weight.dtype if weight.dtype in (np.float32, np.complex128) else np.dtype(np.float64)
            self._buffers = Parameters({"weight": weight.shape}, dtype)
            self._buffers.data = as_array("weight", weight, dtype)

    @property
    def weight(self) -> Array | None:
        """The weight of each class, shape (C,), or None."""
        return self._buffers["weight"].data if self._buffers else None

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of `weight`, if there is one, under this name."""
        return self._buffers.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, ArrayLike]) -> None:
        """Set `weight`, if there is one, from an array or a torch tensor; see `Parameters.load_state_dict`."""
        self._buffers.load_state_dict(state_dict)

    def new_tape(self, N: int, C: int, dtype: DTypeLike = np.float32) -> AnyLossTape:
        """Return a tape for N rows of C classes, to reuse in any number of passes.

        Scores of shape (N, C, d1, ...) are N * d1 * ... rows; those of shape (C,) are one.
        """
        return self.tape_type(self, as_size("N", N, low=0), as_size("C", C), as_dtype(dtype))

    @quiet
    def backward(self, dloss: ArrayLike | None = None, tape: AnyLossTape | None = None) -> Array:
        """Return the gradient with respect to the scores (logits or log_p), in their shape.

        Parameters
        ----------
        dloss : float, or array in the shape of the loss, optional
            Gradient with respect to the loss. None: 1; required for reduction "none".
        tape : tape, optional
            The tape of the forward pass to differentiate. None: the most recent one.
        """
        handed_in = tape is not None
        tape = self._written_tape(tape)
        tape.dloss = self._check_dloss(dloss, tape)
        self.backward_rows(tape.dscores, tape)
        dscores = tape.unrow(tape.dscores)
        return dscores if handed_in else dscores.copy()

    def backward_rows(self, dscores: Array, tape: AnyLossTape) -> None:
        """Write the gradient of rows of scores (N, C), for tape.dloss."""
        raise NotImplementedError

    def _check_scores(self, name: str, scores: ArrayLike) -> Array:
        scores = as_floats(name, scores)
        if scores.ndim == 0:
            raise ValueError(f"{name} has shape (), expected (N, C), (N, C, d1, ...) or (C,)")
        if scores.shape[_class_axis(scores)] == 0:
            raise ValueError(f"{name} has shape {scores.shape}, expected at least one class")
        return scores

    def _check_classes(self, name: str, scores: Array, targets: ArrayLike) -> tuple[Array, Array | None]:
        """Return the targets as N indices, with 0 for ignore_index, and where that was (None: nowhere)."""
        targets = to_numpy("targets", targets)
        if targets.shape != _rows_shape(scores):
            raise ValueError(_explain(name, scores, targets))
        targets, ignored = self.as_classes(targets, scores.shape[_class_axis(scores)])
        return targets.reshape(-1), ignored

    def as_classes(self, targets: ArrayLike, count: int) -> tuple[Array, Array | None]:
        """Return the targets as indices below `count`, 0 for ignore_index, and the rows that had it (None: none)."""
        targets = to_numpy("targets", targets)
        try:
            if self.ignore_index < 0:  # the usual targets cost no second look
                return as_indices("targets", targets, count), None
        except IndexError:
            pass
        ignored = targets == self.ignore_index
        classes = as_indices("targets", np.where(ignored, 0, targets), count)
        return classes, ignored.reshape(-1) if ignored.any() else None

    def _tape_for(self, name: str, scores: Array, tape: AnyLossTape | None) -> AnyLossTape:
        N, C = math.prod(_rows_shape(scores)), scores.shape[_class_axis(scores)]
        tape = self.new_tape(N, C, scores.dtype) if tape is None else self._check_tape(tape, (N, C))
        if tape.nll.dtype != scores.dtype:
            raise TypeError(f"tape was made for {name} of dtype {tape.nll.dtype}, got {scores.dtype}")
        tape.rows_shape = _rows_shape(scores)
        return tape

    def _check_dloss(self, dloss: ArrayLike | None, tape: AnyLossTape) -> Any:
        """Return dloss as one number, or for "none" as an array of shape (N,)."""
        shape = tape.rows_shape if self.reduction == "none" else ()
        if dloss is None and self.reduction == "none":
            raise ValueError(f'dloss of shape {shape} is required: with reduction="none" the loss is an array')
        dloss = as_array("dloss", 1.0 if dloss is None else dloss, tape.nll.dtype)
        check_shape("dloss", dloss, shape, f'the shape of the loss with reduction="{self.reduction}"')
        return dloss.reshape(-1) if self.reduction == "none" else dloss.item()

    def class_weights(self, tape: AnyLossTape) -> Array:
        """Return weight (C,) in the dtype of the tape; ones if there is none."""
        C, dtype = tape.shape[1], tape.nll.dtype
        if self.weight is None:
            return np.ones(C, dtype)
        check_shape("weight", self.weight, (C,), "one number per class")
        return as_array("weight", self.weight, dtype)

    def weigh(self, tape: AnyLossTape) -> None:
        """Set r, equation (1), and total, the divisor in (2) and (3)."""
        tape.r, tape.total = None, tape.count
        if self.weight is not None or tape.ignored is not None:
            tape.r = self.class_weights(tape).take(tape.targets)
            if tape.ignored is not None:
                tape.r[tape.ignored] = 0
            tape.total = tape.r.sum()
        if self.reduction != "mean":
            tape.total = 1

    def reduce(self, losses: Array, tape: AnyLossTape) -> Any:
        """Return the loss, equation (2), given the weighted losses of the rows (N,)."""
        if tape.ignored is not None:
            losses[tape.ignored] = 0  # also where 0 * inf gave nan
        if self.reduction == "none":
            return losses.reshape(tape.rows_shape)
        # BLAS is faster, but for many rows not as accurate as NumPy's pairwise sum.
        total = tape.ones_N.dot(losses) if losses.size <= 128 else losses.sum()
        return (total / tape.total).item()

    def upstream(self, tape: AnyLossTape) -> Any:
        """Return g, equation (3): one number for all rows, or (N,) with 0 for ignored rows."""
        g = tape.dloss / tape.total
        return g if tape.ignored is None else np.where(tape.ignored, 0, g)


def _class_axis(scores: Array) -> int:
    return min(1, scores.ndim - 1)


def _rows_shape(scores: Array) -> tuple[int, ...]:
    axis = _class_axis(scores)
    return scores.shape[:axis] + scores.shape[axis + 1 :]


def as_rows(scores: Array) -> Array:
    """(N, C) as it is, (N, C, d1, ...) as (N * d1 * ..., C), (C,) as (1, C)."""
    axis = _class_axis(scores)
    return np.moveaxis(scores, axis, -1).reshape(-1, scores.shape[axis])


def _explain(name: str, scores: Array, targets: Array) -> str:
    """Return the message about targets of the wrong shape, with the likely mistake."""
    shape, expected = scores.shape, _rows_shape(scores)
    slip = ""
    if targets.shape == shape:
        slip = "; if they are probabilities, pass floats, to CrossEntropyLoss"
    elif targets.shape == shape[:-1]:
        slip = (
            f"; if the classes are the last axis, pass {name}.reshape(-1, {shape[-1]}) and targets.reshape(-1), "
            f"or np.moveaxis({name}, -1, 1)"
        )
    elif targets.size == math.prod(expected):
        slip = f"; pass targets.reshape({-1 if len(expected) == 1 else expected})"
    return (
        f"targets has shape {targets.shape}, expected one class per row of {name} {shape}, "
        f"whose classes are axis {_class_axis(scores)}: {expected}{slip}"
    )
