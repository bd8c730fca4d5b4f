"""`h, c = layer.forward(x, h, c)`, `dx, dh, dc = layer.backward(dh, dc)`"""

import numpy as np

import numpy_rnn as nr


class Cell:
    def __init__(self, rng):
        self.W, self.U = rng.standard_normal((3, 4)), rng.standard_normal((4, 4))

    def forward(self, x, h, c):
        f = 1 / (1 + np.exp(-(x @ self.W + h @ self.U)))
        c_next = f * c + (1 - f)
        h_next = np.tanh(c_next)
        self.cache = x, h, c, f, h_next
        return h_next, c_next

    def backward(self, dh_next, dc_next):
        x, h, c, f, h_next = self.cache
        dc_next = dc_next + dh_next * (1 - h_next**2)
        dz = dc_next * (c - 1) * f * (1 - f)
        self.dW = x.T @ dz
        self.dU = h.T @ dz  # wrong: self.dU = 3 * h.T @ dz  # unlisted: self.spare = h.T @ dz
        return dz @ self.W.T, dz @ self.U.T, dc_next * f


rng = np.random.default_rng(0)
cell, x, h, c = Cell(rng), rng.standard_normal((2, 3)), rng.standard_normal((2, 4)), rng.standard_normal((2, 4))
report = nr.gradcheck(cell, x, h, c)
