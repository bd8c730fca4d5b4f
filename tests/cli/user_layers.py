"""A file of a user, for the tests of `numpy-rnn gradcheck`, and the command as they run it."""

from numpy_rnn.cli import main

LAYERS = """
import numpy as np
import beside
from beside import imported_loss

class Square:
    def __init__(self, power=2):
        self.w = np.array([1.5])
        self.power = power

    def _forward_naive(self):
        raise NotImplementedError

    def forward(self, x, scale=None):
        self.x = x
        return self.w * x ** self.power

    def backward(self, dy):
        self.dw = np.sum(dy * self.x ** self.power, keepdims=True).reshape(1)
        return beside.FACTOR * dy * self.w * self.power * self.x ** (self.power - 1)

class Broken(Square):
    def backward(self, dy):
        return 2 * super().backward(dy)

class Raises(Square):
    def forward(self, x):
        return x.no_such_thing

square = Square(3)

def make():
    return Nowhere()

def fwd(params, x):
    return x @ params["w"], (params, x)

def bwd(cache, dy):
    return {"w": cache[1].T @ dy, "x": dy @ cache[0]["w"].T}

def params_last(x, parameters):
    return fwd(parameters, x)

def loss_and_gradient(scores, labels, reg=0.0, weight=None):
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = shifted / shifted.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -np.log(p[rows, labels]).sum()
    p[rows, labels] -= 1
    return loss, p

class Affine:
    def __init__(self, W, bias=None):
        self.W, self.bias = W, bias

    def forward(self, x):
        self.x = x
        return x @ self.W + (0 if self.bias is None else self.bias)

    def backward(self, dy):
        self.dW = self.x.T @ dy
        if self.bias is not None:
            self.dbias = dy.sum(axis=0)
        return dy @ self.W.T

class Sized:
    def __init__(self, n_in, n_out):
        self.W = np.ones((n_in, n_out))

class Net:
    def loss(self, X, y=None):
        return loss_and_gradient(X, y)

net = Net()

def lookup(table, rows):
    return table[rows], (table, rows)

def lookup_back(dy, cache):
    table, rows = cache
    dtable = np.zeros_like(table)
    dtable[rows] += dy
    return dtable
"""


def run(capsys, *argv):
    status = main(["gradcheck", *argv])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def error(capsys, *argv):
    """Return the message of an error, which is one line."""
    status, out, err = run(capsys, *argv)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("numpy-rnn: error: ")
    return err.removeprefix("numpy-rnn: error: ")
