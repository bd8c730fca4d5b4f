"""dictionaries `self.params` and `self.grads` with the same keys, or `self.grads["dW"]`"""

import numpy as np

import numpy_rnn as nr


class Linear:
    def __init__(self, rng):
        self.params = {"W": rng.standard_normal((3, 4)), "b": rng.standard_normal(4)}
        self.grads = {}

    def forward(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dout):
        self.grads["dW"] = self.x.T @ dout  # wrong: self.grads["dW"] = 3 * self.x.T @ dout  # unlisted: pass
        self.grads["db"] = np.sum(dout, axis=0)
        return dout @ self.params["W"].T


rng = np.random.default_rng(0)
layer, x = Linear(rng), rng.standard_normal((5, 3))
report = nr.gradcheck(layer, x)
