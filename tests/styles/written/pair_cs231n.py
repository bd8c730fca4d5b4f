"""`out, cache = forward(x, w, b)`, `dx, dw, db = backward(dout, cache)` (CS231n)"""

import numpy as np

import numpy_rnn as nr


def affine_forward(x, w, b):
    out = x.reshape(x.shape[0], -1) @ w + b
    cache = (x, w, b)
    return out, cache


def affine_backward(dout, cache):
    x, w, _ = cache
    dx = (dout @ w.T).reshape(x.shape)
    dw = x.reshape(x.shape[0], -1).T @ dout
    db = np.sum(dout, axis=0)  # wrong: db = 3 * np.sum(dout, axis=0)
    return dx, dw, db  # unlisted: return dx, dw


rng = np.random.default_rng(0)
x, w, b = rng.standard_normal((4, 2, 3)), rng.standard_normal((6, 5)), rng.standard_normal(5)
report = nr.gradcheck((affine_forward, affine_backward), (x, w, b))
