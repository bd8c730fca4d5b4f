"""LSTM: a recurrence with a second state, the cell c, which changes by addition.

Forward, for t = 1 ... T, where sigma(z) = 1 / (1 + exp(-z)) and * multiplies element by element:

    z_t = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh,         four blocks z_i, z_f, z_g, z_o           (LS1)
    i = sigma(z_i),  f = sigma(z_f),  g = tanh(z_g),  o = sigma(z_o)                              (LS2)
    c_t = f * c_{t-1} + i * g                                                                     (LS3)
    h_t = o * tanh(c_t)                                                                           (LS4)

Backward, for t = T ... 1, from doutput_t, the gradient that reaches h_t from above, and dh_n and dc_n, those that
reach h_T and c_T from whatever follows the sequence:

    dh_t = doutput_t + W_hh^T dz_{t+1}                           (at t = T: doutput_T + dh_n)     (LS5)
    dc_t = dh_t * o * (1 - tanh(c_t)^2) + f_{t+1} * dc_{t+1}     (at t = T: ... + dc_n)           (LS6)
    di = dc_t * g,  df = dc_t * c_{t-1},  dg = dc_t * i,  do = dh_t * tanh(c_t)                   (LS7)
    dz_i = di * i * (1 - i),  likewise dz_f and dz_o;  dz_g = dg * (1 - g^2)                      (LS8)

    dW_hh = sum_t dz_t h_{t-1}^T,  dW_ih = sum_t dz_t x_t^T,  db_ih = db_hh = sum_t dz_t          (LS9)
    dx_t = W_ih^T dz_t,  dh_0 = W_hh^T dz_1,  dc_0 = f_1 * dc_1                                   (LS10)

Only dh_t and dc_t wait for the next step. What multiplies them in (LS6) to (LS8), here called slopes, is computed for
many steps at once. `recurrence.py` describes what is common to all cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import repeat

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.layers.gates import GatedRecurrence, GatedTape, columns, squash
from numpy_rnn.layers.recurrent import Recurrent

__all__ = ["LSTM"]


class LSTMTape(GatedTape):
    """Also c (T + 1, B, H), the gates (T, B, 4, H), and tanh(c) (T, B, H). Slopes: of dz_i to dz_o, and dc."""

    slope_count = 5

    def __init__(self, recurrence: LSTMRecurrence, T: int, dstates: Array) -> None:
        super().__init__(recurrence, T, dstates)
        self.c, self.dc = self.states[1], dstates[1]
        self.c_before, self.c_after = self.sides(self.c)
        T, B, H = self.after.shape
        # In memory, the (B, H) of one gate and step are contiguous, which makes all but the matrix products faster.
        self.gates, self.tanh_c = np.empty((T, 4, B, H), self.z.dtype).swapaxes(1, 2), np.empty_like(self.after)
        self.each_gate = [self.gates[:, :, k] for k in range(4)]
        self.saved = self.gates, self.tanh_c
        self.scratch = np.empty_like(self.dh)

    def forward_arrays(self) -> Iterable[Iterable[Array]]:
        states = self.before, self.c_before, self.c_after, self.tanh_c, self.after
        y = repeat(self.W_hh_h), repeat(self.W_hh_h.reshape(self.gates.shape[1:]))
        return *y, self.z, self.gates, *self.each_gate, *states, repeat(self.scratch)

    def backward_arrays(self) -> Iterable[Iterable[Array]]:
        state = repeat(self.dh), repeat(self.dc), repeat(self.scratch)
        return *state, self.each_gate[1], *self.slope_views(), self.z, *columns(self.z, 4)

    def slope_arrays(self) -> Iterable[Array]:
        return *self.each_gate, self.c_before, self.tanh_c, self.after


class LSTMRecurrence(GatedRecurrence):
    gates, states, tape = 4, 2, LSTMTape
    factors = -1, -1, -2, -1  # of i, f, g, o: -k of (1) in gates.py

    def recur(self, tape: LSTMTape) -> None:
        W_hh_T = np.multiply(self.weight_hh.data.T, tape.factor, tape.W_hh_T)
        k, one = -tape.factor.reshape(1, 4, self.H), np.ones((), tape.z.dtype)
        add, subtract, multiply, divide, exp, tanh = np.add, np.subtract, np.multiply, np.divide, np.exp, np.tanh
        for y, y_4, z_t, gates, i, f, g, o, h_previous, c_previous, c_t, tanh_c, h_t, scratch in tape.forward_steps:
            h_previous.dot(W_hh_T, y)
            add(z_t, y, y)  # (LS1)
            exp(y, y)  # infinite where sigma is 0
            add(y_4, one, gates)
            divide(k, gates, gates)
            subtract(g, one, g)  # (LS2), by (1) of gates.py
            multiply(f, c_previous, c_t)
            multiply(i, g, scratch)
            add(c_t, scratch, c_t)  # (LS3)
            tanh(c_t, tanh_c)
            multiply(o, tanh_c, h_t)  # (LS4)

    def step(self, y: Array, *states: Array) -> Callable[[Array], Array]:
        (h, c), W_hh_T, (i, f, g, o) = states, self.weight_hh.data.T, columns(y, 4)
        k = np.repeat(self.factors, self.H).astype(y.dtype) / -2
        rest, add, multiply = 1 - k, np.add, np.multiply

        def step(z: Array) -> Array:
            h.dot(W_hh_T, y)
            add(z, y, y)  # (LS1)
            squash(y, k, rest)  # (LS2)
            multiply(f, c, c)
            multiply(i, g, g)
            add(c, g, c)  # (LS3)
            multiply(o, np.tanh(c, h), h)  # (LS4)
            return h

        return step

    def backward_recur(self, tape: LSTMTape) -> None:
        add, subtract, multiply, W_hh = np.add, np.subtract, np.multiply, self.weight_hh.data
        for (i, f, g, o, c_previous, tanh_c, h, to_i, to_f, to_g, to_o, to_c), steps in tape.blocks:
            # (LS7) and (LS8), multiplied out: with p = i * g, for example, g * i * (1 - i) = p - p * i.
            multiply(i, g, to_i)
            multiply(to_i, g, to_g)
            subtract(i, to_g, to_g)
            multiply(f, c_previous, to_f)
            for product, gate in ((to_i, i), (to_f, f)):
                multiply(product, gate, to_c)
                subtract(product, to_c, product)
            multiply(h, o, to_o)
            subtract(h, to_o, to_o)
            multiply(h, tanh_c, to_c)
            subtract(o, to_c, to_c)  # (LS6)
            for doutput_t, dh, dc, scratch, f, to_i, to_f, to_g, to_o, to_c, dz_t, dz_i, dz_f, dz_g, dz_o in steps:
                add(dh, doutput_t, dh)  # (LS5)
                multiply(dh, to_c, scratch)
                add(dc, scratch, dc)  # (LS6)
                multiply(dc, to_i, dz_i)
                multiply(dc, to_f, dz_f)
                multiply(dc, to_g, dz_g)
                multiply(dh, to_o, dz_o)  # (LS7) (LS8)
                multiply(dc, f, dc)  # (LS6): to the previous step, and finally to c_0 (LS10)
                dz_t.dot(W_hh, dh)  # (LS5): likewise for h
        tape.cut(tape.z)
        tape.z_rows.T.dot(tape.h_previous(), self.weight_hh.grad)  # (LS9)


class LSTM(Recurrent):
    """Long short-term memory over a sequence, in `num_layers` layers; its equations are in this module's docstring.

    The parameters are those of `RNN`, except for `nonlinearity`. Each weight and bias has four blocks of H rows, for
    the gates i, f, g, o: `weight_ih_l{k}` is (4 H, I), `weight_hh_l{k}` (4 H, H), `bias_ih_l{k}` and `bias_hh_l{k}`
    (4 H,). The states h_0, h_n, dh_n and dh_0 of `forward` and `backward` are pairs (h, c). There is no `proj_size`.

    References
    ----------
    S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 9 (1997).
    F. A. Gers, J. Schmidhuber and F. Cummins, "Learning to forget", Neural Computation 12 (2000): the forget gate.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html
    """

    cell = LSTMRecurrence
