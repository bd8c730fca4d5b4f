"""a network that calls the layers in a list, forwards and then backwards"""

import numpy as np

import numpy_rnn as nr


class Linear:
    def __init__(self, n, m, rng):
        self.w, self.b = rng.standard_normal((n, m)), rng.standard_normal(m)

    def forward(self, x):
        self.x = x
        return x @ self.w + self.b

    def backward(self, grad):
        self.dw = self.x.T @ grad
        self.db = grad.sum(axis=0)
        return grad @ self.w.T


class Sigmoid:
    def forward(self, x):
        self.y = 1 / (1 + np.exp(-x))
        return self.y

    def backward(self, grad):
        return grad * self.y * (1 - self.y)


class Network:
    def __init__(self, layers):
        self.layers = layers

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, grad):
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        self.layers[2].dw *= 1  # wrong: self.layers[2].dw *= 3  # unlisted: del self.layers[2].dw
        return grad


rng = np.random.default_rng(0)
network, x = Network([Linear(3, 4, rng), Sigmoid(), Linear(4, 2, rng)]), rng.standard_normal((5, 3))
report = nr.gradcheck(network, x)
