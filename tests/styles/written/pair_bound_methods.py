"""`out, cache = net.forward(x)`, `dx = net.backward(dout, cache)`, gradients in `net.dW`"""

import numpy as np

import numpy_rnn as nr


class Dense:
    def __init__(self, rng):
        self.W = rng.standard_normal((3, 4))
        self.b = rng.standard_normal(4)

    def forward(self, x):
        return x @ self.W + self.b, x

    def backward(self, dout, cache):
        x = cache
        self.dW = x.T @ dout  # wrong: self.dW = 3 * x.T @ dout  # unlisted: pass
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


rng = np.random.default_rng(0)
net, x = Dense(rng), rng.standard_normal((5, 3))
report = nr.gradcheck((net.forward, net.backward), (x,))
