"""dropout that draws from `np.random`"""

# ruff: noqa: NPY002

import numpy as np

import numpy_rnn as nr


class Dropout:
    def __init__(self, ratio=0.5):
        self.ratio = ratio
        self.mask = None

    def forward(self, x, train=True):
        if not train:
            return x * (1 - self.ratio)
        self.mask = np.random.rand(*x.shape) > self.ratio
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask  # wrong: return 3 * dout * self.mask


x = np.random.default_rng(0).standard_normal((5, 3))
report = nr.gradcheck(Dropout(), x)
