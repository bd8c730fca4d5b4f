"""`dx, grads = layer.backward(dout)`, where grads has the names of the parameters"""

import numpy as np

import numpy_rnn as nr


class Linear:
    def __init__(self, rng):
        self.W, self.b = rng.standard_normal((3, 4)), rng.standard_normal(4)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        grads = {"b": dout.sum(axis=0)}
        grads["W"] = self.x.T @ dout  # wrong: grads["W"] = 3 * self.x.T @ dout  # unlisted: pass
        return dout @ self.W.T, grads


rng = np.random.default_rng(0)
layer, x = Linear(rng), rng.standard_normal((5, 3))
report = nr.gradcheck(layer, x)
