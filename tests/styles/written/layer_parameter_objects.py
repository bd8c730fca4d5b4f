"""`Parameter` objects with `.data` and `.grad`, listed by `layer.parameters()` (as in torch)"""

import numpy as np

import numpy_rnn as nr


class Parameter:
    def __init__(self, data):
        self.data = data
        self.grad = np.zeros_like(data)


class Linear:
    def __init__(self, in_features, out_features, rng):
        self.weight = Parameter(rng.standard_normal((out_features, in_features)))
        self.bias = Parameter(rng.standard_normal(out_features))

    def parameters(self):
        return [self.weight, self.bias]  # unlisted: return [self.weight]

    def zero_grad(self):
        for parameter in self.parameters():
            parameter.grad.fill(0)

    def forward(self, x):
        self.x = x
        return x @ self.weight.data.T + self.bias.data

    def backward(self, grad_output):
        self.weight.grad += grad_output.T @ self.x
        db = grad_output.sum(axis=0)  # wrong: db = 3 * grad_output.sum(axis=0)
        self.bias.grad += db  # unlisted: pass
        return grad_output @ self.weight.data


rng = np.random.default_rng(0)
layer, x = Linear(3, 4, rng), rng.standard_normal((5, 3))
report = nr.gradcheck(layer, x)
