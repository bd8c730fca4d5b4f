"""`(h, c), cache = forward(x, h, c, ...)`, `backward(dh, dc, cache)`"""

import numpy as np

import numpy_rnn as nr


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def lstm_step(x, h_prev, c_prev, Wx, Wh, b):
    i, f, o, g = np.split(x @ Wx + h_prev @ Wh + b, 4, axis=1)
    i, f, o, g = sigmoid(i), sigmoid(f), sigmoid(o), np.tanh(g)
    c = f * c_prev + i * g
    return (o * np.tanh(c), c), (x, h_prev, c_prev, Wx, Wh, i, f, o, g, c)


def lstm_step_backward(dh, dc, cache):
    x, h_prev, c_prev, Wx, Wh, i, f, o, g, c = cache
    dc = dc + dh * o * (1 - np.tanh(c) ** 2)
    da = [dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dh * np.tanh(c) * o * (1 - o), dc * i * (1 - g**2)]
    dz = np.concatenate(da, axis=1)
    dx, dh_prev, dc_prev = dz @ Wx.T, dz @ Wh.T, dc * f
    dWx, db = x.T @ dz, dz.sum(axis=0)
    dWh = h_prev.T @ dz  # wrong: dWh = 3 * h_prev.T @ dz
    return dx, dh_prev, dc_prev, dWx, dWh, db  # unlisted: return dx, dh_prev, dc_prev, dWx, None, db


rng = np.random.default_rng(0)
x, h_prev, c_prev = rng.standard_normal((2, 3)), rng.standard_normal((2, 4)), rng.standard_normal((2, 4))
Wx, Wh, b = rng.standard_normal((3, 16)), rng.standard_normal((4, 16)), rng.standard_normal(16)
report = nr.gradcheck((lstm_step, lstm_step_backward), (x, h_prev, c_prev, Wx, Wh, b))
