"""`self.W` and `self.dW`"""

import numpy as np

import numpy_rnn as nr


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.x = None
        self.dW, self.db = None, None

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        dx = np.dot(dout, self.W.T)
        dW = np.dot(self.x.T, dout)  # wrong: dW = 3 * np.dot(self.x.T, dout)
        self.dW = dW  # unlisted: self.update = dW
        self.db = np.sum(dout, axis=0)
        return dx


rng = np.random.default_rng(0)
layer, x = Affine(rng.standard_normal((3, 4)), rng.standard_normal(4)), rng.standard_normal((5, 3))
report = nr.gradcheck(layer, x)
