"""`dx, dW, db = layer.backward(dout)`: gradients of the parameters are returned"""

import numpy as np

import numpy_rnn as nr


class Linear:
    def __init__(self, rng):
        self.W, self.b = rng.standard_normal((3, 4)), rng.standard_normal(4)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        dx = dout @ self.W.T
        dW = self.x.T @ dout  # wrong: dW = 3 * self.x.T @ dout
        db = dout.sum(axis=0)
        return dx, dW, db  # unlisted: return dx, db


rng = np.random.default_rng(0)
layer, x = Linear(rng), rng.standard_normal((5, 3))
report = nr.gradcheck(layer, x)
