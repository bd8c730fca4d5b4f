"""`out = layer.forward(x)` keeps nothing, `dx = layer.backward(dout, x)`"""

import numpy as np

import numpy_rnn as nr


class Dense:
    def __init__(self, rng):
        self.weights = rng.standard_normal((3, 4))

    def forward(self, x):
        return np.tanh(x @ self.weights)

    def backward(self, dout, x):
        dz = dout * (1 - np.tanh(x @ self.weights) ** 2)
        self.dweights = x.T @ dz  # wrong: self.dweights = 3 * x.T @ dz  # unlisted: pass
        return dz @ self.weights.T


rng = np.random.default_rng(0)
layer, x = Dense(rng), rng.standard_normal((5, 3))
report = nr.gradcheck(layer, x)
