"""parameters in a `NamedTuple`, gradients in the same `NamedTuple`"""

from typing import NamedTuple

import numpy as np

import numpy_rnn as nr


class Params(NamedTuple):
    W: np.ndarray
    b: np.ndarray


def forward(params, x):
    return np.tanh(x @ params.W + params.b), (params, x)


def backward(dy, cache):
    params, x = cache
    dz = dy * (1 - np.tanh(x @ params.W + params.b) ** 2)
    db = dz.sum(axis=0)  # wrong: db = 3 * dz.sum(axis=0)  # unlisted: db = None
    return Params(W=x.T @ dz, b=db), dz @ params.W.T


rng = np.random.default_rng(0)
params, x = Params(rng.standard_normal((3, 4)), rng.standard_normal(4)), rng.standard_normal((5, 3))
report = nr.gradcheck((forward, backward), (params, x))
