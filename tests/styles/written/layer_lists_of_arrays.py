"""lists `self.weights` and `self.biases`, gradients in `self.dweights` and `self.dbiases`"""

from itertools import pairwise

import numpy as np

import numpy_rnn as nr


class MLP:
    def __init__(self, sizes, rng):
        pairs = list(pairwise(sizes))
        self.weights = [rng.standard_normal(pair) for pair in pairs]
        self.biases = [rng.standard_normal(n) for _, n in pairs]

    def forward(self, x):
        self.activations = [x]
        for w, b in zip(self.weights, self.biases, strict=True):
            x = np.tanh(x @ w + b)
            self.activations.append(x)
        return x

    def backward(self, delta):
        self.dweights, self.dbiases = [None] * len(self.weights), [None] * len(self.biases)
        for k in reversed(range(len(self.weights))):
            delta = delta * (1 - self.activations[k + 1] ** 2)
            self.dweights[k] = self.activations[k].T @ delta
            self.dbiases[k] = delta.sum(axis=0)
            delta = delta @ self.weights[k].T
        self.dweights[0] *= 1  # wrong: self.dweights[0] *= 3  # unlisted: self.dweights[0] = None
        return delta


rng = np.random.default_rng(0)
net, x = MLP([3, 4, 2], rng), rng.standard_normal((5, 3))
report = nr.gradcheck(net, x)
