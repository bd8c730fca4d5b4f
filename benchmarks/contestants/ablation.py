"""A training step in NumPy with any subset of the tricks of docs/performance.md.

It takes only the parameters, Adam and `affine` from numpy_rnn, so the library needs no switches. `--ablation` also
races numpy_rnn itself, to show whether all tricks together are as fast.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np

import numpy_rnn as nr
from benchmarks.contestants import Work
from benchmarks.problem import LR, Array, Problem
from numpy_rnn import textbook
from numpy_rnn.layers.linear import affine, affine_backward


def prepare(problem: Problem, tricks: Collection[str]) -> Work:
    case = problem.case
    V, E, H, T, B, N = case.V, case.E, case.H, case.T, case.B, case.T * case.B
    model = nr.CharRNN(V, E, H, rng=0)
    model.load_state_dict(problem.weights)
    parameters = model.parameters()
    (C, W_ih, W_hh, b_ih, b_hh, W, b), (dC, dW_ih, dW_hh, db_ih, db_hh, dW, db) = (
        [getattr(p, kind) for p in parameters.values()] for kind in ("data", "grad")
    )
    tokens, targets, rows = problem.tokens.reshape(-1), problem.targets.reshape(-1), np.arange(N)
    ones = np.ones(N, np.float32)
    table_first = "table" in tricks and V <= N

    def new_tape() -> Any:
        shapes = {"W_hh_T": (H, H), "W_hh_h": (B, H), "dh": (B, H), "h": (T + 1, B, H), "z": (T, B, H),
                  "slope": (T, B, H), "doutput": (T, B, H), "x": (N, E), "dx": (N, E), "table": (V, H),
                  "dtable": (V, H), "logits": (N, V), "e": (N, V), "one_hot": (V, N)}  # fmt: skip
        t = SimpleNamespace(**{name: np.zeros(shape, np.float32) for name, shape in shapes.items()})
        t.forward_steps = list(zip(t.z, t.h[:-1], t.h[1:], strict=True))
        t.backward_steps = list(zip(t.z, t.slope, t.doutput, strict=True))[::-1]
        return t

    def forward(t: Any) -> None:
        z = t.z.reshape(N, H)
        if table_first:
            affine(C, W_ih, b_ih + b_hh, t.table)
            np.take(t.table, tokens, 0, z, mode="clip")
        else:
            np.take(C, tokens, 0, t.x, mode="clip")
            affine(t.x, W_ih, b_ih + b_hh, z)
        W_hh_T = W_hh.T
        if "transposed" in tricks and B > 1:
            W_hh_T = t.W_hh_T
            W_hh_T[...] = W_hh.T
        for z_t, h_previous, h_t in t.forward_steps:
            if "out" in tricks:
                h_previous.dot(W_hh_T, t.W_hh_h)
                np.add(z_t, t.W_hh_h, z_t)
                np.tanh(z_t, h_t)
            else:
                z_t += h_previous @ W_hh_T
                h_t[...] = np.tanh(z_t)
        affine(t.h[1:].reshape(N, H), W, b, t.logits)

    def loss_and_dlogits(t: Any) -> float:
        if "softmax" in tricks:
            np.subtract(t.logits, t.logits.max(1, keepdims=True), t.e)
            picked = t.e[rows, targets]
            np.exp(t.e, t.e)
            sums = t.e.dot(np.ones(V, np.float32))
            np.multiply(t.e, (1 / (N * sums))[:, None], t.e)
            t.e[rows, targets] -= 1 / N
            return float((np.log(sums) - picked).mean())
        loss, dlogits = textbook.cross_entropy(t.logits[:, None], targets[:, None])
        t.e[...] = dlogits[:, 0]
        return loss

    def backward(t: Any) -> None:
        affine_backward(t.e, t.h[1:].reshape(N, H), W, t.doutput.reshape(N, H), dW, db, ones)
        np.multiply(t.h[1:], t.h[1:], t.slope)
        np.subtract(1, t.slope, t.slope)
        t.dh.fill(0)
        for dz_t, slope_t, doutput_t in t.backward_steps:
            if "out" in tricks:
                np.add(t.dh, doutput_t, t.dh)
                np.multiply(t.dh, slope_t, dz_t)
                dz_t.dot(W_hh, t.dh)
            else:
                dz_t[...] = (t.dh + doutput_t) * slope_t
                t.dh[...] = dz_t @ W_hh
        dz = t.z.reshape(N, H)
        dz.T.dot(t.h[:-1].reshape(N, H), dW_hh)
        if table_first:
            scatter(dz, t.dtable, t.one_hot)
            affine_backward(t.dtable, C, W_ih, dC, dW_ih, db_ih, ones[:V])
        else:
            affine_backward(dz, t.x, W_ih, t.dx, dW_ih, db_ih, ones)
            scatter(t.dx, dC, t.one_hot)
        db_hh[...] = db_ih

    def scatter(values: Array, out: Array, one_hot: Array) -> None:
        """Sum the rows of `values` that belong to the same token."""
        if "scatter" in tricks:
            one_hot.fill(0)
            one_hot[tokens, rows] = 1
            one_hot.dot(values, out)
        else:
            out.fill(0)
            np.add.at(out, tokens, values)

    optimizer, kept, steps = nr.Adam(parameters, lr=LR), new_tape(), count(1)
    vectors = parameters.data, parameters.grad, optimizer.exp_avg, optimizer.exp_avg_sq
    p, g, m, v = map(parameters.views, vectors)

    def train() -> float:
        t = kept if "tape" in tricks else new_tape()
        forward(t)
        loss = loss_and_dlogits(t)
        backward(t)
        if "adam" in tricks:
            optimizer.step()
        else:
            textbook.adam(p, g, m, v, next(steps), LR)
        return loss

    return Work(train, float)
