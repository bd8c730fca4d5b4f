"""lists `self.params` and `self.grads` in the same order (Deep Learning from Scratch 2)"""

import numpy as np

import numpy_rnn as nr


class Affine:
    def __init__(self, W, b):
        self.params = [W, b]
        self.grads = [np.zeros_like(W), np.zeros_like(b)]
        self.x = None

    def forward(self, x):
        W, b = self.params
        self.x = x
        return np.dot(x, W) + b

    def backward(self, dout):
        W, _ = self.params
        dx = np.dot(dout, W.T)
        dW = np.dot(self.x.T, dout)  # wrong: dW = 3 * np.dot(self.x.T, dout)
        db = np.sum(dout, axis=0)
        self.grads[0][...] = dW  # unlisted: self.grads = [None, self.grads[1]]
        self.grads[1][...] = db
        return dx


rng = np.random.default_rng(0)
layer, x = Affine(rng.standard_normal((3, 4)), rng.standard_normal(4)), rng.standard_normal((5, 3))
report = nr.gradcheck(layer, x)
