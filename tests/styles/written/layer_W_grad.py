"""`self.W` and `self.W_grad`"""

import numpy as np

import numpy_rnn as nr


class Embedding:
    def __init__(self, vocab_size, dim, rng):
        self.W = rng.standard_normal((vocab_size, dim))

    def forward(self, ids):
        self.ids = ids
        return self.W[ids]

    def backward(self, grad):
        W_grad = np.zeros_like(self.W)
        np.add.at(W_grad, self.ids, grad)  # wrong: np.add.at(W_grad, self.ids, 3 * grad)
        self.W_grad = W_grad  # unlisted: pass


rng = np.random.default_rng(0)
layer, ids = Embedding(6, 3, rng), rng.integers(0, 6, (4, 2))
report = nr.gradcheck(layer, ids)
