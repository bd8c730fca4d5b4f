"""LSTM and GRU with numpy_rnn's training step, but the plain form of what the gated cells do differently.

- `exp`: all gates of a step by one call of exp, see layers/gates.py, instead of a tanh for each
- `slopes`: what multiplies dh and dc computed for many steps at once, instead of equation by equation in the loop
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

import numpy_rnn as nr
from benchmarks.contestants import Work
from benchmarks.problem import LR, Array, Problem
from numpy_rnn.layers.gates import columns
from numpy_rnn.layers.gru import GRURecurrence
from numpy_rnn.layers.lstm import LSTMRecurrence

__all__ = ["prepare"]


def sigmoid(z: Array, out: Array) -> None:
    np.multiply(z, 0.5, out)
    np.tanh(out, out)
    np.add(out, 1, out)
    np.multiply(out, 0.5, out)


def times_slope(dz: Array, y: Array, scratch: Array) -> None:
    """Multiply dz by y (1 - y), the slope of sigmoid where it is y."""
    np.multiply(dz, y, dz)
    np.subtract(1, y, scratch)
    np.multiply(dz, scratch, dz)


class LSTMByGate(LSTMRecurrence):
    factors = 1, 1, 1, 1

    def recur(self, tape: Any) -> None:
        W_hh_T = np.multiply(self.weight_hh.data.T, 1, tape.W_hh_T)
        for y, _, z_t, _, i, f, g, o, h_previous, c_previous, c_t, tanh_c, h_t, scratch in tape.forward_steps:
            h_previous.dot(W_hh_T, y)
            np.add(z_t, y, y)  # (LS1)
            y_i, y_f, y_g, y_o = columns(y, 4)
            sigmoid(y_i, i)
            sigmoid(y_f, f)
            np.tanh(y_g, g)
            sigmoid(y_o, o)  # (LS2)
            np.multiply(f, c_previous, c_t)
            np.multiply(i, g, scratch)
            np.add(c_t, scratch, c_t)  # (LS3)
            np.tanh(c_t, tanh_c)
            np.multiply(o, tanh_c, h_t)  # (LS4)


class GRUByGate(GRURecurrence):
    factors = 1, 1, 1

    def recur(self, tape: Any) -> None:
        W_hh_T = np.multiply(self.weight_hh.data.T, 1, tape.W_hh_T)
        b_hn, H = self.bias_hh.data[2 * self.H :], self.H  # type: ignore[union-attr]
        for u, _, W_hn_h, a_rz, a_n, _, r, z, u_n, n, h_previous, h_t in tape.forward_steps:
            h_previous.dot(W_hh_T, u)  # (GR1)
            for k, gate in enumerate((r, z)):
                np.add(a_rz[..., k * H : (k + 1) * H], u[..., k * H : (k + 1) * H], gate)
                sigmoid(gate, gate)  # (GR2)
            np.add(W_hn_h, b_hn, u_n)
            np.multiply(r, u_n, n)
            np.add(n, a_n, n)
            np.tanh(n, n)  # (GR3)
            np.subtract(h_previous, n, h_t)
            np.multiply(z, h_t, h_t)
            np.add(n, h_t, h_t)  # (GR4)


def lstm_backward(self: LSTMRecurrence, tape: Any) -> None:
    """Equations (LS5) to (LS8) as they stand, step by step."""
    c_before, tanhs = (array if self.reverse else array[::-1] for array in (tape.c_before, tape.tanh_c))
    gates = [gate if self.reverse else gate[::-1] for gate in tape.each_gate]
    for t, (doutput_t, dh, dc, scratch, *_, dz_t, dz_i, dz_f, dz_g, dz_o) in enumerate(tape.backward_steps):
        i, f, g, o = (gate[t] for gate in gates)
        np.add(dh, doutput_t, dh)  # (LS5)
        np.multiply(tanhs[t], tanhs[t], scratch)
        np.subtract(1, scratch, scratch)
        np.multiply(scratch, o, scratch)
        np.multiply(scratch, dh, scratch)
        np.add(dc, scratch, dc)  # (LS6)
        for dz, other, gate in ((dz_i, g, i), (dz_f, c_before[t], f)):
            np.multiply(dc, other, dz)  # (LS7)
            times_slope(dz, gate, scratch)  # (LS8)
        np.multiply(dh, tanhs[t], dz_o)
        times_slope(dz_o, o, scratch)
        np.multiply(dc, i, dz_g)
        np.multiply(g, g, scratch)
        np.subtract(1, scratch, scratch)
        np.multiply(dz_g, scratch, dz_g)
        np.multiply(dc, f, dc)
        dz_t.dot(self.weight_hh.data, dh)
    tape.z_rows.T.dot(tape.h_previous(), self.weight_hh.grad)  # (LS9)


def gru_backward(self: GRURecurrence, tape: Any) -> None:
    """Equations (GR5) to (GR8) as they stand, step by step; da_n is kept for later in the place of its slope."""
    arrays = *columns(tape.rz, 2), tape.n, tape.u_n, tape.before, tape.slope_n
    r_, _, n_, u_, h_, da_ = (array if self.reverse else array[::-1] for array in arrays)
    for t, (doutput_t, dh, dh_t, z, scratch, *_, du, du_r, du_z, du_n) in enumerate(tape.backward_steps):
        r, n, da_n = r_[t], n_[t], da_[t]
        np.add(dh, doutput_t, dh_t)  # (GR5)
        np.subtract(h_[t], n, du_z)
        np.multiply(du_z, dh_t, du_z)  # (GR6)
        times_slope(du_z, z, scratch)  # (GR8)
        np.subtract(1, z, da_n)
        np.multiply(da_n, dh_t, da_n)  # (GR6)
        np.multiply(n, n, scratch)
        np.subtract(1, scratch, scratch)
        np.multiply(da_n, scratch, da_n)  # (GR7)
        np.multiply(da_n, u_[t], du_r)
        times_slope(du_r, r, scratch)  # (GR8)
        np.multiply(da_n, r, du_n)  # (GR7)
        np.multiply(dh_t, z, scratch)
        du.dot(self.weight_hh.data, dh)
        np.add(dh, scratch, dh)  # (GR5)
    tape.z_rows.T.dot(tape.h_previous(), self.weight_hh.grad)  # (GR9)
    tape.db_hh = tape.ones.dot(tape.z_rows, tape.bias)  # (GR9)
    columns(tape.z, 3)[2][...] = tape.slope_n


PLAIN = {"lstm": (LSTMByGate, lstm_backward), "gru": (GRUByGate, gru_backward)}


def prepare(problem: Problem, tricks: Collection[str]) -> Work:
    case = problem.case
    model = nr.CharRNN(case.V, case.E, case.H, cell=case.cell, rng=0)
    model.load_state_dict(problem.weights)
    by_gate, by_step = PLAIN[case.cell]
    (recurrence,) = model.rnn.layers[0]
    if "exp" not in tricks:
        recurrence.__class__ = by_gate
    if "slopes" not in tricks:
        recurrence.backward_recur = by_step.__get__(recurrence)
    tape, optimizer = model.new_tape(case.T, case.B), nr.Adam(model.parameters(), lr=LR)

    def train() -> float:
        loss, _ = model.loss_and_gradients(problem.tokens, problem.targets, None, tape)
        optimizer.step()
        return loss

    return Work(train, float)
