"""GRU: a recurrence whose state is a weighted mean of the previous state and a candidate n.

Forward, for t = 1 ... T, where sigma(a) = 1 / (1 + exp(-a)) and * multiplies element by element:

    a_t = W_ih x_t + b_ih,  u_t = W_hh h_{t-1} + b_hh,           three blocks each, for r, z, n   (GR1)
    r = sigma(a_r + u_r),  z = sigma(a_z + u_z)                                                   (GR2)
    n = tanh(a_n + r * u_n)                                                                       (GR3)
    h_t = (1 - z) * n + z * h_{t-1}                                                               (GR4)

Backward, for t = T ... 1, from doutput_t and dh_n as in `recurrence.py`, which describes what all cells share:

    dh_t = doutput_t + W_hh^T du_{t+1} + z_{t+1} * dh_{t+1}      (at t = T: doutput_T + dh_n)     (GR5)
    dz = dh_t * (h_{t-1} - n),  dn = dh_t * (1 - z)                                               (GR6)
    da_n = dn * (1 - n^2),  dr = da_n * u_n,  du_n = da_n * r                                     (GR7)
    da_r = du_r = dr * r * (1 - r),  da_z = du_z = dz * z * (1 - z)                               (GR8)

    dW_hh = sum_t du_t h_{t-1}^T,  db_hh = sum_t du_t;    dW_ih and db_ih likewise, with da and x (GR9)
    dx_t = W_ih^T da_t,  dh_0 = W_hh^T du_1 + z_1 * dh_1                                          (GR10)

In the code, b_hh of r and z is part of a, since only a + u counts there. The factors of dh_t in (GR7) and (GR8), here
called slopes, are computed for many steps at once. `tape.z`, z and dz of other cells, holds a, then du, then da.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import repeat

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.layers.gates import GatedRecurrence, GatedTape, columns, squash
from numpy_rnn.layers.linear import sum_rows
from numpy_rnn.layers.recurrent import Recurrent

__all__ = ["GRU"]


class GRUTape(GatedTape):
    """Also r and z (T, B, 2 H), and n, u_n, dh_t and the slope of n, (T, B, H). Slopes: of du_r, du_z, du_n."""

    slope_count = 3

    def __init__(self, recurrence: GRURecurrence, T: int, dstates: Array) -> None:
        super().__init__(recurrence, T, dstates)
        self.rz, self.scratch = np.empty((*self.z.shape[:2], 2 * recurrence.H), self.z.dtype), np.empty_like(self.dh)
        self.n, self.u_n, self.dh_t, self.slope_n = (np.empty_like(self.after) for _ in range(4))
        self.saved = self.rz, self.n, self.u_n, self.dh_t

    def forward_arrays(self) -> Iterable[Iterable[Array]]:
        H, u, a = self.recurrence.H, self.W_hh_h, self.z
        inputs = repeat(u), repeat(u[:, : 2 * H]), repeat(u[:, 2 * H :]), a[..., : 2 * H], a[..., 2 * H :]
        return *inputs, self.rz, *columns(self.rz, 2), self.u_n, self.n, self.before, self.after

    def backward_arrays(self) -> Iterable[Iterable[Array]]:
        states = repeat(self.dh), self.dh_t, columns(self.rz, 2)[1], repeat(self.scratch)
        return *states, *self.slope_views(), self.z, *columns(self.z, 3)

    def slope_arrays(self) -> Iterable[Array]:
        return *columns(self.rz, 2), self.n, self.u_n, self.before, self.slope_n


class GRURecurrence(GatedRecurrence):
    gates, tape = 3, GRUTape
    factors = -1, -1, 1  # of r, z, n

    def bias(self, out: Array | None = None) -> Array | None:
        total = super().bias(out)
        if total is not None and self.bias_ih is not None:
            total[2 * self.H :] = self.bias_ih.data[2 * self.H :]
        return total

    def recur(self, tape: GRUTape) -> None:
        W_hh_T = np.multiply(self.weight_hh.data.T, tape.factor, tape.W_hh_T)
        b_hn, one = 0 if self.bias_hh is None else self.bias_hh.data[2 * self.H :], np.ones((), tape.z.dtype)
        add, subtract, multiply, divide, exp, tanh = np.add, np.subtract, np.multiply, np.divide, np.exp, np.tanh
        for u, u_rz, W_hn_h, a_rz, a_n, rz, r, z, u_n, n, h_previous, h_t in tape.forward_steps:
            h_previous.dot(W_hh_T, u)  # (GR1): without b_hh
            add(a_rz, u_rz, rz)
            exp(rz, rz)  # infinite where sigma is 0
            add(rz, one, rz)
            divide(one, rz, rz)  # (GR2)
            add(W_hn_h, b_hn, u_n)  # (GR1)
            multiply(r, u_n, n)
            add(n, a_n, n)
            tanh(n, n)  # (GR3)
            subtract(h_previous, n, h_t)
            multiply(z, h_t, h_t)
            add(n, h_t, h_t)  # (GR4)

    def step(self, u: Array, *states: Array) -> Callable[[Array], Array]:
        (h,), W_hh_T, H, half = states, self.weight_hh.data.T, self.H, np.array(0.5, u.dtype)
        u_rz, n, rz = u[..., : 2 * H], u[..., 2 * H :], u[..., : 2 * H].copy()
        r, z = columns(rz, 2)
        b_hn = 0 if self.bias_hh is None else self.bias_hh.data[2 * H :]

        def step(a: Array) -> Array:
            h.dot(W_hh_T, u)
            np.add(n, b_hn, n)  # (GR1): u_n
            np.add(a[..., : 2 * H], u_rz, rz)
            squash(rz, half, half)  # (GR2)
            np.multiply(r, n, n)
            np.add(a[..., 2 * H :], n, n)
            np.subtract(h, np.tanh(n, n), h)  # (GR3)
            np.add(n, np.multiply(z, h, h), h)  # (GR4)
            return h

        return step

    def backward_recur(self, tape: GRUTape) -> None:
        add, subtract, multiply, W_hh = np.add, np.subtract, np.multiply, self.weight_hh.data
        for (r, z, n, u_n, h_previous, slope_n, to_r, to_z, to_n), steps in tape.blocks:
            one_minus_z = subtract(1, z, to_n)
            subtract(h_previous, n, to_z)  # (GR6)
            multiply(to_z, z, to_z)
            multiply(to_z, one_minus_z, to_z)  # (GR8)
            multiply(n, n, slope_n)
            subtract(1, slope_n, slope_n)
            multiply(slope_n, one_minus_z, slope_n)  # (GR6) (GR7)
            multiply(slope_n, r, to_n)  # (GR7)
            subtract(1, r, to_r)
            multiply(to_r, u_n, to_r)
            multiply(to_r, to_n, to_r)  # (GR7) (GR8)
            for doutput_t, dh, dh_t, z_t, scratch, to_r, to_z, to_n, du, du_r, du_z, du_n in steps:
                add(dh, doutput_t, dh_t)  # (GR5)
                multiply(dh_t, to_r, du_r)
                multiply(dh_t, to_z, du_z)
                multiply(dh_t, to_n, du_n)  # (GR6) to (GR8)
                multiply(dh_t, z_t, scratch)
                du.dot(W_hh, dh)
                add(dh, scratch, dh)  # (GR5): to the previous step, and finally to h_0 (GR10)
        tape.cut(tape.z)
        tape.z_rows.T.dot(tape.h_previous(), self.weight_hh.grad)  # (GR9)
        tape.db_hh = sum_rows(tape.z_rows, tape.ones, tape.bias)  # (GR9)
        multiply(tape.dh_t, tape.slope_n, columns(tape.z, 3)[2])  # (GR7): da_n takes the place of du_n


class GRU(Recurrent):
    """Gated recurrent unit over a sequence, in `num_layers` layers, with the parameters of `RNN` but `nonlinearity`.

    Each weight and bias has three blocks of H rows, for r, z and n: `weight_ih_l{k}` is (3 H, I), `weight_hh_l{k}`
    (3 H, H), `bias_ih_l{k}` and `bias_hh_l{k}` (3 H,).

    References
    ----------
    K. Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014 (with W_hn (r * h_{t-1})).
    https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html
    """

    cell = GRURecurrence
