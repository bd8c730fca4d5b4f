"""GRU: a recurrence whose state is a weighted mean of the previous state and a candidate n.

Forward, for t = 1 ... T, where sigma(z) = 1 / (1 + exp(-z)) and * multiplies element by element:

    z_r = W_ir x_t + b_ir + W_hr h_{t-1} + b_hr,  likewise z_u;  r = sigma(z_r),  u = sigma(z_u)  (GR1)
    m = W_hn h_{t-1} + b_hn                                                                       (GR2)
    n = tanh(W_in x_t + b_in + r * m)                                                             (GR3)
    h_t = (1 - u) * n + u * h_{t-1}                                                               (GR4)

torch calls u, the update gate, z. Since r multiplies all of m, b_in and b_hn do not merge.

Backward, for t = T ... 1, from doutput_t, the gradient that reaches h_t from above, and dh_n, the one that reaches
h_T from whatever follows the sequence; dz_n is the gradient of what tanh is taken of:

    dh_t = doutput_t + u_{t+1} * dh_{t+1} + W_hh^T [dz_r, dz_u, dm]_{t+1}    (at t = T: doutput_T + dh_n)     (GR5)
    dz_n = dh_t * (1 - u) * (1 - n^2)                                                             (GR6)
    dm = dz_n * r                                                                                 (GR7)
    dz_r = dz_n * m * r * (1 - r),  dz_u = dh_t * (h_{t-1} - n) * u * (1 - u)                     (GR8)

    dW_hh = sum_t [dz_r, dz_u, dm] h_{t-1}^T,    dW_ih = sum_t [dz_r, dz_u, dz_n] x_t^T           (GR9)
    db_hh and db_ih: the same sums without h and x;    dx_t = W_ih^T [dz_r, dz_u, dz_n]           (GR10)

All of (GR6) to (GR8) is dh_t times something, here called slopes, that is computed for many steps at once.
`recurrence.py` describes what is common to all cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import repeat

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.layers.gates import GatedRecurrence, GatedTape, columns, sigmoid
from numpy_rnn.layers.linear import affine_backward
from numpy_rnn.layers.recurrent import Recurrent

__all__ = ["GRU"]


class GRUTape(GatedTape):
    """Also r and u (T, B, 2 H), n, m, dh_t and the slope of n (T, B, H)."""

    def __init__(self, recurrence: GRURecurrence, T: int, dstates: Array) -> None:
        super().__init__(recurrence, T, dstates)
        H = self.dh.shape[-1]
        self.ru = np.empty_like(self.z[..., : 2 * H], order="C")
        self.n, self.m, self.dh_t, self.slope_n = (np.empty_like(self.after) for _ in range(4))
        self.saved = self.ru, self.n, self.m, self.dh_t
        self.scratch = np.empty_like(self.dh)

    def forward_arrays(self) -> tuple[Iterable[Array], ...]:
        H, y = self.dh.shape[-1], self.W_hh_h
        products = repeat(y), repeat(y[:, : 2 * H]), repeat(y[:, 2 * H :])
        inputs = self.z[..., : 2 * H], self.z[..., 2 * H :]
        return *products, *inputs, self.ru, *columns(self.ru, 2), self.m, self.n, self.before, self.after

    def backward_arrays(self, doutput: Array) -> tuple[Iterable[Array], ...]:
        _, u = columns(self.ru, 2)
        return repeat(self.dh), doutput, self.dh_t, u, repeat(self.scratch), self.z, *columns(self.z, 3)

    def slope_arrays(self) -> Iterable[Array]:
        return *columns(self.ru, 2), self.n, self.m, self.before, *columns(self.z, 3), self.slope_n


class GRURecurrence(GatedRecurrence):
    """Equations (GR1) to (GR10); W_hh alone is used here, W_ih in `Recurrence`."""

    gates, tape = 3, GRUTape
    factors = -1, -1, 1  # of r, u, n

    def bias(self, out: Array | None = None) -> Array | None:
        total = super().bias(out)
        if total is not None and self.bias_ih is not None:
            total[-self.H :] = self.bias_ih.data[-self.H :]  # b_hn is in m
        return total

    @np.errstate(over="ignore")  # where exp(-z) is infinite, sigma is 0
    def recur(self, tape: GRUTape) -> None:
        W_hh_T, one = self.scaled_W_hh_T(tape), np.ones((), tape.z.dtype)
        b_hn = np.zeros_like(tape.dh[:1, :]) if self.bias_hh is None else self.bias_hh.data[None, -self.H :]
        add, subtract, multiply, divide, exp, tanh = np.add, np.subtract, np.multiply, np.divide, np.exp, np.tanh
        for y, y_ru, y_n, z_ru, z_n, ru, r, u, m, n, h_previous, h_t in tape.forward_steps:
            h_previous.dot(W_hh_T, y)
            add(z_ru, y_ru, ru)
            exp(ru, ru)
            add(ru, one, ru)
            divide(one, ru, ru)  # (GR1)
            add(y_n, b_hn, m)  # (GR2)
            multiply(r, m, n)
            add(n, z_n, n)
            tanh(n, n)  # (GR3)
            subtract(h_previous, n, h_t)
            multiply(u, h_t, h_t)
            add(n, h_t, h_t)  # (GR4)

    def step(self, y: Array, *states: Array) -> Callable[[Array], Array]:
        (h,), W_hh_T, H = states, self.weight_hh.data.T, self.H
        b_hn = 0 if self.bias_hh is None else self.bias_hh.data[2 * H :]

        def step(z: Array) -> Array:
            h.dot(W_hh_T, y)
            m = y[..., 2 * H :] + b_hn  # (GR2)
            ru = z[..., : 2 * H] + y[..., : 2 * H]
            r, u = columns(sigmoid(ru, ru), 2)  # (GR1)
            n = np.tanh(z[..., 2 * H :] + r * m)  # (GR3)
            np.add(n, u * (h - n), h)  # (GR4)
            return h

        return step

    def backward_recur(self, tape: GRUTape) -> None:
        add, subtract, multiply, W_hh = np.add, np.subtract, np.multiply, self.weight_hh.data
        for (r, u, n, m, h_previous, to_r, to_u, to_m, slope_n), steps in tape.blocks:
            subtract(1, u, to_m)
            subtract(h_previous, n, to_u)
            multiply(to_u, u, to_u)
            multiply(to_u, to_m, to_u)  # (GR8)
            multiply(n, n, slope_n)
            subtract(1, slope_n, slope_n)
            multiply(slope_n, to_m, slope_n)  # (GR6)
            multiply(slope_n, r, to_m)  # (GR7)
            subtract(1, r, to_r)
            multiply(to_r, m, to_r)
            multiply(to_r, to_m, to_r)  # (GR8)
            for dh, doutput_t, dh_t, u_t, scratch, dz_t, dz_r, dz_u, dm in steps:
                add(dh, doutput_t, dh_t)  # (GR5)
                multiply(dh_t, dz_r, dz_r)
                multiply(dh_t, dz_u, dz_u)
                multiply(dh_t, dm, dm)  # (GR6) (GR7) (GR8): the slopes become gradients
                multiply(dh_t, u_t, scratch)
                dz_t.dot(W_hh, dh)
                add(dh, scratch, dh)  # (GR5): to the previous step, and finally to h_0
        tape.cut(tape.z)
        tape.z_rows.T.dot(tape.h_previous(), self.weight_hh.grad)  # (GR9)
        if self.bias_hh is not None:
            self.bias_hh.grad[...] = tape.ones.dot(tape.z_rows, tape.bias)  # (GR10)
        dz_n = columns(tape.z, 3)[2]
        multiply(tape.dh_t, tape.slope_n, dz_n)  # (GR6): dz_n takes the place of dm
        tape.cut(tape.z)

    def backward_project(self, dz: Array, x: Array, dx: Array, ones: Array) -> None:
        db_ih = None if self.bias_ih is None else self.bias_ih.grad  # db_hh differs: `backward_recur` has summed it
        affine_backward(dz, x, self.weight_ih.data, dx, self.weight_ih.grad, db_ih, ones)  # (GR9) (GR10)


class GRU(Recurrent):
    """Gated recurrent unit over a sequence, in `num_layers` layers; its equations are in this module's docstring.

    The parameters are those of `RNN`, except for `nonlinearity`. Each weight and bias has three blocks of H rows, for
    the gates r, u (torch's z) and n: `weight_ih_l{k}` is (3 H, I), `weight_hh_l{k}` (3 H, H), `bias_ih_l{k}` and
    `bias_hh_l{k}` (3 H,).

    References
    ----------
    K. Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014, with r applied after W_hn.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html
    """

    cell = GRURecurrence
