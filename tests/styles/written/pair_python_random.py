"""negative samples drawn with Python's `random`"""

import random

import numpy as np

import numpy_rnn as nr


def sampled_scores(h, W):
    rows = [random.randrange(len(W)) for _ in range(4)]
    return h @ W[rows].T, (h, W, rows)


def sampled_scores_backward(dscores, cache):
    h, W, rows = cache
    dW = np.zeros_like(W)
    np.add.at(dW, rows, dscores.T @ h)  # wrong: np.add.at(dW, rows, 3 * dscores.T @ h)
    return dscores @ W[rows], dW  # unlisted: return dscores @ W[rows]


rng = np.random.default_rng(0)
h, W = rng.standard_normal((2, 3)), rng.standard_normal((6, 3))
report = nr.gradcheck((sampled_scores, sampled_scores_backward), (h, W))
