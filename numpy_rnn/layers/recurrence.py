"""The Elman recurrence of one direction of one layer, and its backward pass through time.

Forward, for t = 1 ... T:

    z_t = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh                 (R1)
    h_t = tanh(z_t)                                             (R2)

Backward, for t = T ... 1, from doutput_t, the gradient that reaches h_t from above, and dh_n, the one that
reaches h_T from whatever follows the sequence:

    dh_t = doutput_t + W_hh^T dz_{t+1}     (at t = T: doutput_T + dh_n)                 (R3)
    dz_t = dh_t * (1 - h_t^2)              since tanh' = 1 - tanh^2                     (R4)

    dW_hh = sum_t dz_t h_{t-1}^T,  dW_ih = sum_t dz_t x_t^T,  db_ih = db_hh = sum_t dz_t     (R5)
    dx_t = W_ih^T dz_t,            dh_0 = W_hh^T dz_1                                        (R6)

In the code a batch of B sequences lies in rows, so that W x becomes x @ W.T. Only W_hh h_{t-1} needs the step
before it: everything else is one matrix product over all N = T * B rows, outside the loop.

Three variations:

- With relu, (R2) is h_t = max(z_t, 0), and relu' = 1 - (h_t <= 0) takes the place of tanh' = 1 - h_t^2 in (R4).
- The reverse direction runs from T to 1: what was t - 1 is t + 1.
- Sequences of different lengths lie in rows of falling length. At step t only the first rows, those of sequences that
  long, are computed on; the others keep what they have. So h_0 waits for the reverse direction where a sequence
  ends, and dh holds a sequence's dh_n until the backward pass of the forward direction reaches its last step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.parameters import Parameter

__all__ = ["Recurrence", "RecurrenceTape"]


def relu(z: Array, out: Array) -> None:
    if z.dtype.kind == "c":  # NumPy orders complex numbers by the imaginary part too
        out[...] = np.where(z.real <= 0, 0, z)
    else:
        np.maximum(z, 0, out=out)


class RecurrenceTape:
    """States, pre-activations and their gradients; doutput (T, B, H) comes from outside.

    `h` (T + 1, B, H) and `z` (T, B, H) lie in the order of the text, whatever the direction: `before[t]` is the state
    that step t starts from, `after[t]` the one that it makes.
    """

    first: Any
    last: Any
    dz_rows: Array
    backward_steps: list[tuple[Array, ...]]

    def __init__(self, recurrence: Recurrence, T: int, dh: Array) -> None:
        self.recurrence, self.reverse = recurrence, recurrence.reverse
        self.dh = dh  # (B, H), dh_t while the backward pass runs; in the end dh_0
        (B, H), dtype = dh.shape, dh.dtype
        self.h = np.zeros((T + 1, B, H), dtype)
        self.z = np.empty((T, B, H), dtype)  # backward puts the slope, tanh'(z), in its place
        self.bias = np.empty(H, dtype)  # b_ih + b_hh
        self.W_hh_h = np.empty((B, H), dtype)
        self.before, self.after = (self.h[1:], self.h[:-1]) if self.reverse else (self.h[:-1], self.h[1:])
        # The same memory as rows, N = T * B.
        self.z_rows = self.z.reshape(-1, H)
        self.h_rows = self.after.reshape(-1, H)
        # BLAS multiplies a narrow matrix up to twice as fast by W_hh^T stored as such than by a transposed W_hh:
        # worth one copy per forward. A single row (B = 1) gains nothing.
        self.W_hh_T = np.empty((H, H), dtype) if B > 1 else None
        self.set_lengths(None)

    @cached_property
    def dz(self) -> Array:
        return np.empty_like(self.z)

    @cached_property
    def dx(self) -> Array:
        return np.empty((len(self.z_rows), self.recurrence.input_size), self.z.dtype)

    def set_lengths(self, lengths: Array | None) -> None:
        """Say how long the sequence of each row is, in falling order; None: all are T long."""
        T, B, _ = self.z.shape
        self.h_previous_rows = self.before.reshape(self.z_rows.shape)
        self.running = None if lengths is None else np.arange(T)[:, None] < lengths  # (T, B)
        end = T if lengths is None else (lengths, np.arange(B))  # where in h each sequence ends
        self.first, self.last = (end, 0) if self.reverse else (0, end)  # where h_0 and h_n are
        self.forward_steps = self._steps(self.before, self.z, self.after, repeat(self.W_hh_h))

    def set_doutput(self, doutput: Array, dz: Array) -> None:
        """Say where doutput (T, B, H) is, and where dz shall be: the same memory, if doutput may be overwritten."""
        if self.running is not None:
            dz[~self.running] = 0
            self.h_previous_rows = np.where(self.running[:, :, None], self.before, 0).reshape(self.z_rows.shape)
        self.dz_rows = dz.reshape(-1, dz.shape[-1])
        self.backward_steps = self._steps(repeat(self.dh), doutput, self.z, dz)[::-1]

    def _steps(self, *arrays: Iterable[Array]) -> list[tuple[Array, ...]]:
        """Return the views of each time step, cut to the rows that run at that step, in the direction's order."""
        steps: list[tuple[Array, ...]] = list(zip(*arrays, strict=False))
        if self.running is not None:
            rows = self.running.sum(axis=1).tolist()
            steps = [tuple(view[:n] for view in step) for step, n in zip(steps, rows, strict=True)]
        return steps[::-1] if self.reverse else steps


class Recurrence:
    """The parameters of one direction of one layer, and the equations."""

    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(self, parameters: Sequence[Parameter], nonlinearity: str, reverse: bool) -> None:
        self.weight_ih, self.weight_hh, *biases = parameters
        self.bias_ih, self.bias_hh = biases if biases else (None, None)
        self.nonlinearity, self.reverse = nonlinearity, reverse
        self.hidden_size, self.input_size = self.weight_ih.data.shape

    def project(self, x: Array, z: Array, bias: Array) -> None:
        """z = W_ih x + (b_ih + b_hh), the part of (R1) that needs no other step; x (N, I), z (N, H), bias (H,)."""
        x.dot(self.weight_ih.data.T, z)  # (R1): W_ih x
        if self.bias_ih is not None and self.bias_hh is not None:
            np.add(self.bias_ih.data, self.bias_hh.data, bias)
            np.add(z, bias, z)

    def recur(self, tape: RecurrenceTape) -> None:
        """Complete z and compute h, step by step."""
        W_hh_T = self.weight_hh.data.T
        if tape.W_hh_T is not None:
            np.copyto(tape.W_hh_T, W_hh_T)
            W_hh_T = tape.W_hh_T
        # Local names: looked up faster, and that shows where arrays are small.
        add, nonlinear = np.add, np.tanh if self.nonlinearity == "tanh" else relu
        for h_previous, z_t, h_t, W_hh_h in tape.forward_steps:
            h_previous.dot(W_hh_T, W_hh_h)
            add(z_t, W_hh_h, z_t)  # (R1)
            nonlinear(z_t, h_t)  # (R2)

    def step(self, x: Array, h: Array) -> Array:
        """Put h_t in the place of h_{t-1}, for x_t (I,) and h (H,) or a batch (B, I) and (B, H), and return it."""
        z = x.dot(self.weight_ih.data.T) + h.dot(self.weight_hh.data.T)  # (R1)
        if self.bias_ih is not None and self.bias_hh is not None:
            z += self.bias_ih.data + self.bias_hh.data
        (np.tanh if self.nonlinearity == "tanh" else relu)(z, h)  # (R2)
        return h

    def backward_recur(self, tape: RecurrenceTape) -> None:
        """From doutput, and dh_n in dh, to dz, dW_hh, and dh_0 in dh."""
        h, slope = tape.h_rows, tape.z_rows
        if self.nonlinearity == "tanh":
            np.multiply(h, h, slope)
        else:
            np.less_equal(h.real, 0, slope)
        np.subtract(1, slope, slope)  # tanh'(z) = 1 - h^2 or relu'(z) = 1 - (h <= 0), for all t at once
        add, multiply, W_hh = np.add, np.multiply, self.weight_hh.data
        for dh, doutput_t, slope_t, dz_t in tape.backward_steps:
            add(dh, doutput_t, dh)  # (R3)
            multiply(dh, slope_t, dz_t)  # (R4)
            dz_t.dot(W_hh, dh)  # (R3): W_hh^T dz_t goes to the step before, and in the end to h_0 (R6)
        tape.dz_rows.T.dot(tape.h_previous_rows, self.weight_hh.grad)  # (R5)

    def backward_project(self, dz: Array, x: Array, dx: Array) -> None:
        """From dz (N, H) and x (N, I) to dx (N, I), dW_ih, db_ih and db_hh."""
        dz.T.dot(x, self.weight_ih.grad)  # (R5)
        if self.bias_ih is not None and self.bias_hh is not None:
            np.add.reduce(dz, axis=0, out=self.bias_ih.grad)  # (R5)
            self.bias_hh.grad[...] = self.bias_ih.grad
        dz.dot(self.weight_ih.data, dx)  # (R6)
