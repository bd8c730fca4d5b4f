"""`self.W` and `self.grad_W`"""

import numpy as np

import numpy_rnn as nr


class RNNCell:
    def __init__(self, rng):
        self.W_x, self.W_h = rng.standard_normal((3, 4)), rng.standard_normal((4, 4))

    def forward(self, x, h):
        self.x, self.h = x, h
        self.h_next = np.tanh(x @ self.W_x + h @ self.W_h)
        return self.h_next

    def backward(self, grad_h_next):
        grad_z = grad_h_next * (1 - self.h_next**2)
        self.grad_W_x = self.x.T @ grad_z
        self.grad_W_h = self.h.T @ grad_z  # wrong: self.grad_W_h = 3 * self.h.T @ grad_z  # unlisted: pass
        return grad_z @ self.W_x.T, grad_z @ self.W_h.T


rng = np.random.default_rng(0)
cell, x, h = RNNCell(rng), rng.standard_normal((2, 3)), rng.standard_normal((2, 4))
report = nr.gradcheck(cell, x, h)
