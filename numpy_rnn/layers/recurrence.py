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

In the code each sequence of a batch is a row, so W x becomes x @ W.T. Only W_hh h_{t-1} depends on the previous step;
everything else is one matrix product over all N = T * B rows, outside the loop.

Three variations:

- relu: (R2) becomes h_t = max(z_t, 0), and tanh' = 1 - h_t^2 in (R4) becomes relu' = 1 - (h_t <= 0).
- The reverse direction runs from T to 1: t - 1 becomes t + 1.
- Sequences of different lengths are sorted, longest first. Step t computes only the first rows, whose sequences are
  that long; the other rows keep their values. So in the reverse direction h_0 is stored where a sequence ends, and
  dh holds a sequence's dh_n until the backward pass reaches its last step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.layers.linear import affine, affine_backward
from numpy_rnn.parameters import Parameter

__all__ = ["Recurrence", "RecurrenceTape"]


def relu(z: Array, out: Array) -> None:
    if z.dtype.kind == "c":  # NumPy orders complex numbers by the imaginary part too
        out[...] = np.where(z.real <= 0, 0, z)
    else:
        np.maximum(z, 0, out=out)


class RecurrenceTape:
    """The states h (T + 1, B, H) and the pre-activations z (T, B, H), which backward overwrites with dz.

    Both are in the order of the text, whatever the direction: step t starts from `before[t]` and computes `after[t]`.
    """

    first: Any
    last: Any
    backward_steps: list[tuple[Array, ...]]

    def __init__(self, recurrence: Recurrence, T: int, dh: Array) -> None:
        self.recurrence, self.reverse = recurrence, recurrence.reverse
        self.dh = dh  # (B, H), dh_t during the backward pass, dh_0 after it
        (B, H), dtype = dh.shape, dh.dtype
        self.h = np.zeros((T + 1, B, H), dtype)
        self.z = np.empty((T, B, H), dtype)
        self.bias = np.empty(H, dtype) if recurrence.bias_ih is not None else None  # b_ih + b_hh
        self.W_hh_h = np.empty((B, H), dtype)
        self.ones = np.ones(T * B, dtype)
        self.before, self.after = (self.h[1:], self.h[:-1]) if self.reverse else (self.h[:-1], self.h[1:])
        # The same memory as N = T * B rows.
        self.z_rows, self.h_rows = self.z.reshape(-1, H), self.after.reshape(-1, H)
        # BLAS multiplies a narrow matrix up to twice as fast by a stored W_hh^T as by a transposed view of W_hh:
        # worth one copy per forward pass. A single row (B = 1) gains nothing.
        self.W_hh_T = np.empty((H, H), dtype) if B > 1 else None
        self.set_lengths(None)

    @cached_property
    def dx(self) -> Array:
        return np.empty((len(self.z_rows), self.recurrence.input_size), self.z.dtype)

    def set_lengths(self, lengths: Array | None) -> None:
        """Set the length of each row's sequence, in descending order; None: all are T long."""
        T, B, _ = self.z.shape
        self.running = None if lengths is None else np.arange(T)[:, None] < lengths  # (T, B)
        end = T if lengths is None else (lengths, np.arange(B))  # where in h each sequence ends
        self.first, self.last = (end, 0) if self.reverse else (0, end)  # where in h h_0 and h_n are
        self.forward_steps = self._steps(self.before, self.z, self.after, repeat(self.W_hh_h))

    def set_doutput(self, doutput: Array) -> None:
        """Set the array (T, B, H) from which backward reads doutput."""
        self.backward_steps = self._steps(repeat(self.dh), doutput, self.z)[::-1]

    def _steps(self, *arrays: Iterable[Array]) -> list[tuple[Array, ...]]:
        """Return the views of each time step, cut to the rows still running, in the order of the direction."""
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

    def project(self, x: Array, z: Array, bias: Array | None) -> None:
        """Write z = W_ih x + (b_ih + b_hh), the part of (R1) that needs no other step.

        x (N, I), z (N, H); bias (H,) receives b_ih + b_hh.
        """
        if self.bias_ih is not None and self.bias_hh is not None:
            np.add(self.bias_ih.data, self.bias_hh.data, bias)
        affine(x, self.weight_ih.data, bias, z)  # (R1): all but W_hh h

    def recur(self, tape: RecurrenceTape) -> None:
        """Complete z and compute h, step by step."""
        W_hh_T = self.weight_hh.data.T
        if tape.W_hh_T is not None:
            np.copyto(tape.W_hh_T, W_hh_T)
            W_hh_T = tape.W_hh_T
        # Local names are looked up faster, which shows where arrays are small.
        add, nonlinear = np.add, np.tanh if self.nonlinearity == "tanh" else relu
        for h_previous, z_t, h_t, W_hh_h in tape.forward_steps:
            h_previous.dot(W_hh_T, W_hh_h)
            add(z_t, W_hh_h, z_t)  # (R1)
            nonlinear(z_t, h_t)  # (R2)

    def step(self, x: Array, h: Array) -> Array:
        """Overwrite h_{t-1} with h_t and return it; x_t (I,) and h (H,), or a batch (B, I) and (B, H)."""
        z = x.dot(self.weight_ih.data.T) + h.dot(self.weight_hh.data.T)  # (R1)
        if self.bias_ih is not None and self.bias_hh is not None:
            z += self.bias_ih.data + self.bias_hh.data
        (np.tanh if self.nonlinearity == "tanh" else relu)(z, h)  # (R2)
        return h

    def backward_recur(self, tape: RecurrenceTape) -> None:
        """From doutput, and dh_n in dh, compute dz in z, dW_hh, and dh_0 in dh."""
        h, slope = tape.h_rows, tape.z_rows
        if self.nonlinearity == "tanh":
            np.multiply(h, h, slope)
        else:
            np.less_equal(h.real, 0, slope)
        np.subtract(1, slope, slope)  # tanh'(z) = 1 - h^2 or relu'(z) = 1 - (h <= 0), for all t at once
        h_previous = tape.before
        if tape.running is not None:  # nothing comes back from beyond the end of a sequence
            tape.z[~tape.running] = 0
            h_previous = np.where(tape.running[:, :, None], h_previous, 0)
        add, multiply, W_hh = np.add, np.multiply, self.weight_hh.data
        for dh, doutput_t, z_t in tape.backward_steps:
            add(dh, doutput_t, dh)  # (R3)
            multiply(dh, z_t, z_t)  # (R4): the slope becomes dz
            z_t.dot(W_hh, dh)  # (R3): W_hh^T dz_t goes to the previous step, and finally to h_0 (R6)
        tape.z_rows.T.dot(h_previous.reshape(h.shape), self.weight_hh.grad)  # (R5)

    def backward_project(self, dz: Array, x: Array, dx: Array, ones: Array) -> None:
        """From dz (N, H) and x (N, I) compute dx (N, I), dW_ih, db_ih and db_hh; `ones` has at least N of them."""
        db = None if self.bias_ih is None else self.bias_ih.grad
        affine_backward(dz, x, self.weight_ih.data, dx, self.weight_ih.grad, db, ones)  # (R5) (R6)
        if self.bias_hh is not None:
            self.bias_hh.grad[...] = db
