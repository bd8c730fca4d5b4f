"""Minimal gated unit, with one gate for reset and update: the steps are nested functions."""

import numpy as np


def mgu_forward(x, h0, Wf, Uf, bf, Wh, Uh, bh):
    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    def step(x_t, h):
        f = sigmoid(x_t @ Wf + h @ Uf + bf)
        g = np.tanh(x_t @ Wh + (f * h) @ Uh + bh)
        return (1 - f) * h + f * g, (x_t, h, f, g)

    h, tape, outputs = h0, [], []
    for x_t in x:
        h, saved = step(x_t, h)
        tape.append(saved)
        outputs.append(h)
    return np.stack(outputs), (tape, Wf, Uf, Wh, Uh)


def mgu_backward(dout, cache):
    tape, Wf, Uf, Wh, Uh = cache
    grads = dict.fromkeys(("dWf", "dUf", "dbf", "dWh", "dUh", "dbh"), 0)

    def step_backward(dh, saved):
        x_t, h, f, g = saved
        dag = dh * f * (1 - g**2)
        dfh = dag @ Uh.T
        df = dh * (g - h)
        df += dfh * h
        daf = df * f * (1 - f)
        dh_prev = dh * (1 - f)
        dh_prev += dfh * f
        dh_prev += daf @ Uf.T
        grads["dWf"] += x_t.T @ daf
        grads["dUf"] += h.T @ daf
        grads["dbf"] += daf.sum(axis=0)
        grads["dWh"] += x_t.T @ dag
        grads["dUh"] += (f * h).T @ dag
        grads["dbh"] += dag.sum(axis=0)
        return daf @ Wf.T + dag @ Wh.T, dh_prev

    dxs, dh_next = [], 0
    for dh_t, saved in zip(dout[::-1], tape[::-1], strict=True):
        dx_t, dh_next = step_backward(dh_t + dh_next, saved)
        dxs.append(dx_t)
    return {"dx": np.stack(dxs[::-1]), "dh0": dh_next, **grads}
