"""What the gated recurrences, LSTM and GRU, share: sigma and tanh by one formula, and backward passes in blocks.

Since tanh(z) = 2 sigma(2 z) - 1, one formula serves both, with k = 1 for sigma and k = 2 for tanh:

    y = k / (1 + exp(-k z)) + 1 - k                              (1)

So all gates of a step need one call of exp, which in float32 is twice as fast as tanh. The factor -k costs nothing
per step: once per forward pass, the weights and biases are multiplied by it. Generation, where the number of calls
counts more than the time of each, uses the same formula written with tanh, which cannot overflow (k halved):

    y = k tanh(k z) + 1 - k                                      (2)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.layers.linear import sum_rows
from numpy_rnn.layers.recurrence import Recurrence
from numpy_rnn.layers.recurrent_tape import RecurrenceTape

__all__ = ["GatedRecurrence", "GatedTape", "columns", "squash"]

BLOCK = 2**17  # elements of z: the slopes of so many fit in the cache of a core


def columns(array: Array, blocks: int) -> list[Array]:
    """Return views (..., H) of the blocks of H columns of an array (..., blocks * H)."""
    H = array.shape[-1] // blocks
    return [array[..., k * H : (k + 1) * H] for k in range(blocks)]


def squash(z: Array, k: Array, rest: Array) -> None:
    """Overwrite z by k tanh(k z) + 1 - k; `rest` is 1 - k."""
    np.multiply(k, z, z)
    np.tanh(z, z)
    np.multiply(k, z, z)
    np.add(z, rest, z)  # (2)


class GatedTape(RecurrenceTape):
    """Also the factor by which `recur` wants each column of z multiplied, (G H,), and the weights times this factor.

    Each of `blocks` is a few steps of the backward pass: their part of `slope_arrays()`, then the slopes, and their
    part of `backward_steps`. All blocks use the same memory for the slopes.
    """

    slope_count: int
    db_hh: Array | None = None  # where it differs from db_ih
    slope_arrays: Any
    blocks: list[tuple[list[Array], list[tuple[Array, ...]]]]

    def __init__(self, recurrence: GatedRecurrence, T: int, dstates: Array) -> None:
        super().__init__(recurrence, T, dstates)
        self.factor = np.repeat(recurrence.factors, recurrence.H).astype(dstates.dtype)
        self.W_ih_b = np.zeros((recurrence.width, recurrence.input_size + 1), dstates.dtype)  # and dW_ih, db_ih
        self.x_1 = np.ones((len(self.z_rows), recurrence.input_size + 1), dstates.dtype)
        self.W_hh_T = np.empty(recurrence.weight_hh.data.shape[::-1], dstates.dtype)
        self.size = min(T, max(1, BLOCK // max(1, self.W_hh_h.size)))  # steps in a block, but fewer in the last one
        self.slopes = np.empty((self.slope_count, self.size, *self.dh.shape), dstates.dtype)

    def slope_views(self) -> list[list[Array]]:
        """Return T views (B, H) of each of the slopes, one for each step."""
        first = 0 if self.reverse else -len(self.z)
        return [[slope[t % self.size] for t in range(first, first + len(self.z))] for slope in self.slopes]

    def set_doutput(self, doutput: Array) -> None:
        super().set_doutput(doutput)
        T, size, arrays = len(self.z), self.size, list(self.slope_arrays())
        self.blocks = []
        for done in range(0, T, size):
            steps = self.backward_steps[done : done + size]
            here = slice(done, done + size) if self.reverse else slice(max(0, T - done - size), T - done)
            slopes = self.slopes[:, : len(steps)] if self.reverse else self.slopes[:, size - len(steps) :]
            self.blocks.append(([*(array[here] for array in arrays), *slopes], steps))


class GatedRecurrence(Recurrence):
    factors: Sequence[float]  # of each gate, for `GatedTape.factor`

    def project(self, x: Array, z: Array, tape: GatedTape) -> None:  # type: ignore[override]
        # As one product of [x, 1] and [W_ih, b], because a pass over z to add b would be slow where z is large.
        x_1, W_ih_b = tape.x_1[: len(x)], tape.W_ih_b
        x_1[:, :-1] = x
        np.multiply(self.weight_ih.data, tape.factor[:, None], W_ih_b[:, :-1])
        bias = self.bias(tape.bias)
        np.multiply(0 if bias is None else bias, tape.factor, W_ih_b[:, -1])
        x_1.dot(W_ih_b.T, z)

    def backward_project(self, dz: Array, x: Array, dx: Array, tape: GatedTape) -> None:  # type: ignore[override]
        dz.dot(self.weight_ih.data, dx)
        dz.T.dot(tape.x_1[: len(x)], tape.W_ih_b)
        self.weight_ih.grad[...] = tape.W_ih_b[:, :-1]
        if self.bias_ih is not None and self.bias_hh is not None:
            db = sum_rows(dz, tape.ones, self.bias_ih.grad)
            self.bias_hh.grad[...] = db if tape.db_hh is None else tape.db_hh
