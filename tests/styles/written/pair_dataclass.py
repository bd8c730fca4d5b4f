"""parameters in a dataclass, gradients in the same dataclass"""

from dataclasses import dataclass

import numpy as np

import numpy_rnn as nr


@dataclass
class LinearParams:
    weight: np.ndarray
    bias: np.ndarray


def linear(x, params):
    return x @ params.weight + params.bias, (x, params)


def linear_backward(dy, cache):
    x, params = cache
    dweight = x.T @ dy  # wrong: dweight = 3 * x.T @ dy  # unlisted: dweight = None
    return dy @ params.weight.T, LinearParams(weight=dweight, bias=dy.sum(axis=0))


rng = np.random.default_rng(0)
x, params = rng.standard_normal((5, 3)), LinearParams(rng.standard_normal((3, 4)), rng.standard_normal(4))
report = nr.gradcheck((linear, linear_backward), (x, params))
