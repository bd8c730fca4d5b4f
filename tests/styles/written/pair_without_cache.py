"""`out = forward(x, w)`, `dx, dw = backward(dout, x, w)`"""

import numpy as np

import numpy_rnn as nr


def linear_forward(x, w):
    return np.dot(x, w)


def linear_backward(dout, x, w):
    dx = np.dot(dout, w.T)
    dw = np.dot(x.T, dout)  # wrong: dw = 3 * np.dot(x.T, dout)
    return dx, dw  # unlisted: return dx


rng = np.random.default_rng(0)
x, w = rng.standard_normal((5, 3)), rng.standard_normal((3, 4))
report = nr.gradcheck((linear_forward, linear_backward), (x, w))
