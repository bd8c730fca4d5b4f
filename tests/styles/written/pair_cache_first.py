"""`backward(cache, dout)`, where `cache` is a dictionary"""

import numpy as np

import numpy_rnn as nr


def linear_tanh(x, W):
    out = np.tanh(x @ W)
    return out, {"x": x, "W": W, "out": out}


def linear_tanh_backward(cache, dout):
    dz = dout * (1 - cache["out"] ** 2)
    dx = dz @ cache["W"].T
    dW = cache["x"].T @ dz  # wrong: dW = 3 * cache["x"].T @ dz
    return {"x": dx, "W": dW}  # unlisted: return {"x": dx}


rng = np.random.default_rng(0)
x, W = rng.standard_normal((5, 3)), rng.standard_normal((3, 4))
report = nr.gradcheck((linear_tanh, linear_tanh_backward), (x, W))
