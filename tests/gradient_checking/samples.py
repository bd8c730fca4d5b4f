"""Correct and wrong backward passes that the tests of the gradient checker share."""

import numpy as np

import numpy_rnn as nr


def assert_right(*arguments, **options):
    report = nr.gradcheck(*arguments, **options)
    assert report.ok, str(report)
    assert "WRONG" not in str(report)
    return report


def elementwise(f, slope):
    return (lambda x: (f(x), x), lambda dy, x: dy * slope(x))


x_54, w_43, b_3 = map(np.random.default_rng(1).standard_normal, [(5, 4), (4, 3), 3])


def product(x, w):
    return x @ w, (x, w)


def product_back(d, cache):
    x, w = cache
    return d @ w.T, x.T @ d


def affine_forward(x, w, b):
    return x.reshape(len(x), -1) @ w + b, (x, w)


def affine_backward(dout, cache):
    x, w = cache
    return (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(axis=0)


class Affine:
    factor = 1

    def __init__(self):
        self.W, self.b = w_43.copy(), b_3.copy()

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, d):
        self.dW, self.db = self.factor * self.x.T @ d, d.sum(axis=0)
        return d @ self.W.T


def in_place(array, value):
    array[...] = value
    return array


def conduct(forward=None, backward=None):
    return nr.gradcheck(
        (forward or (lambda x: (x * x, x)), backward or (lambda dy, x: 2 * dy * x)),
        np.random.default_rng(0).standard_normal((3, 4)),
    )
