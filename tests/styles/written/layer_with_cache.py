"""`out, cache = layer.forward(x)`, `dx = layer.backward(dout, cache)`"""

import numpy as np

import numpy_rnn as nr


class Linear:
    def __init__(self, rng):
        self.W = rng.standard_normal((3, 4))

    def forward(self, x):
        out = np.tanh(x @ self.W)
        return out, (x, out)

    def backward(self, dout, cache):
        x, out = cache
        dz = dout * (1 - out**2)
        self.dW = x.T @ dz  # wrong: self.dW = 3 * x.T @ dz  # unlisted: pass
        return dz @ self.W.T


rng = np.random.default_rng(0)
layer, x = Linear(rng), rng.standard_normal((5, 3))
report = nr.gradcheck(layer, x)
