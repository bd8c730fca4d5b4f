"""The recurrence of one direction of one layer: what all cells share, and the Elman cell of `RNN`.

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

The cells of `lstm.py` and `gru.py` have G = 4 and 3 gates: z_t is (B, G H), one block of H columns for each gate.
They have their own (R2) to (R4), and share the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.layers.linear import affine, affine_backward
from numpy_rnn.layers.recurrent_tape import RecurrenceTape
from numpy_rnn.parameters import Parameter

__all__ = ["ElmanRecurrence", "Recurrence"]


class Recurrence:
    """The parameters of one direction of one layer, and what all cells compute alike; a subclass has the rest.

    `recur(tape)` computes the states step by step, given the projected input in z. `backward_recur(tape)` computes dz
    in z, dW_hh, and dh_0 in dstates, given doutput, and dh_n in dstates. `step(scratch, *states)` returns a function
    of z = `projected(x)` that overwrites the states by the next ones and returns h; scratch and z are (G H,) and the
    states (H,), or a batch, (B, G H) and (B, H).
    """

    gates, states = 1, 1  # G, S
    tape: type[Any] = RecurrenceTape
    recur: Any
    backward_recur: Any
    step: Any
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(self, parameters: Sequence[Parameter], reverse: bool) -> None:
        self.weight_ih, self.weight_hh, *biases = parameters
        self.bias_ih, self.bias_hh = biases if biases else (None, None)
        self.reverse = reverse
        self.width, self.input_size = self.weight_ih.data.shape  # G H, I
        self.H = self.weight_hh.data.shape[1]

    def bias(self, out: Array | None = None) -> Array | None:
        """Return b_ih + b_hh, in `out` unless that is None; without biases None."""
        if self.bias_ih is None or self.bias_hh is None:
            return None
        total: Array = np.add(self.bias_ih.data, self.bias_hh.data, out)
        return total

    def project(self, x: Array, z: Array, tape: RecurrenceTape) -> None:
        """Write z = W_ih x + (b_ih + b_hh), the part of (R1) that needs no other step; x (N, I), z (N, G H)."""
        affine(x, self.weight_ih.data, self.bias(tape.bias), z)  # (R1): all but W_hh h

    def projected(self, x: Array) -> Array:
        """Return W_ih x + (b_ih + b_hh) for `step`, (..., G H)."""
        z: Array = x.dot(self.weight_ih.data.T)  # (R1)
        bias = self.bias()
        return z if bias is None else z + bias

    def backward_project(self, dz: Array, x: Array, dx: Array, tape: RecurrenceTape) -> None:
        """From dz (N, G H) and x (N, I) compute dx (N, I), dW_ih, db_ih and db_hh."""
        db = None if self.bias_ih is None else self.bias_ih.grad
        affine_backward(dz, x, self.weight_ih.data, dx, self.weight_ih.grad, db, tape.ones)  # (R5) (R6)
        if self.bias_hh is not None:
            self.bias_hh.grad[...] = db


def relu(z: Array, out: Array) -> None:
    if z.dtype.kind == "c":  # NumPy orders complex numbers by the imaginary part too
        out[...] = np.where(z.real <= 0, 0, z)
    else:
        np.maximum(z, 0, out=out)


class ElmanRecurrence(Recurrence):
    """Equations (R1) to (R5)."""

    def __init__(self, parameters: Sequence[Parameter], reverse: bool, nonlinearity: str) -> None:
        super().__init__(parameters, reverse)
        self.nonlinearity = nonlinearity

    def recur(self, tape: RecurrenceTape) -> None:
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

    def step(self, W_hh_h: Array, *states: Array) -> Callable[[Array], Array]:
        (h,), W_hh_T = states, self.weight_hh.data.T
        add, nonlinear = np.add, np.tanh if self.nonlinearity == "tanh" else relu

        def step(z: Array) -> Array:
            h.dot(W_hh_T, W_hh_h)
            add(z, W_hh_h, W_hh_h)  # (R1)
            nonlinear(W_hh_h, h)  # (R2)
            return h

        return step

    def backward_recur(self, tape: RecurrenceTape) -> None:
        h, slope = tape.h_rows, tape.z_rows
        if self.nonlinearity == "tanh":
            np.multiply(h, h, slope)
        else:
            np.less_equal(h.real, 0, slope)
        np.subtract(1, slope, slope)  # tanh'(z) = 1 - h^2 or relu'(z) = 1 - (h <= 0), for all t at once
        tape.cut(tape.z)
        add, multiply, W_hh = np.add, np.multiply, self.weight_hh.data
        for doutput_t, dh, z_t in tape.backward_steps:
            add(dh, doutput_t, dh)  # (R3)
            multiply(dh, z_t, z_t)  # (R4): the slope becomes dz
            z_t.dot(W_hh, dh)  # (R3): W_hh^T dz_t goes to the previous step, and finally to h_0 (R6)
        tape.z_rows.T.dot(tape.h_previous(), self.weight_hh.grad)  # (R5)
