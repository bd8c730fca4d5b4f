"""Exercise 1. Linear: a matrix times a vector

    (L1)  y = W x
    (L2)  dx = W^T dy       each x_j is in every y_i, with the weight W_ij
    (L3)  dW = dy x^T       each W_ij is in y_i alone, multiplied by x_j

The equations are derived in docs/backprop.md#linear. dy is the gradient of the loss with respect to y, and a gradient
always has the shape of its array. The forward function returns y, and a cache with what the backward function needs.
Write linear_backward, which turns dy into dx and dW.
"""

import numpy as np


def linear(x, W):
    """x (I,), W (O, I)"""
    y = W @ x  # (L1)  (O,)
    return y, (x, W)


def linear_backward(dy, cache):
    """dy (O,); return dx (I,) and dW (O, I)"""
    x, W = cache
    # answer
    # hint: dx has one element per column of W: each is the sum of dy_i W_ij over i.
    # hint: dW_ij = dy_i x_j has no sum at all: it is an outer product, a column times a row (np.outer).
    dx = W.T @ dy  # (L2)
    dW = np.outer(dy, x)  # (L3)
    # end
    return dx, dW


# check
def cases(rng):
    for O, I in (3, 2), (2, 4), (3, 3), (1, 5):
        yield "linear", (rng.standard_normal(I), rng.standard_normal((O, I)))


SLIPS = [
    ("W.T @ dy", "W @ dy", "W leads from x to y. The gradient goes the other way, with the transpose W^T (L2)."),
    ("np.outer(dy, x)", "np.outer(x, dy)", "dW is dy x^T, with the shape of W: its rows belong to y (L3)."),
    ("np.outer(dy, x)", "dy @ (W @ x) * np.ones_like(W)", "dW is no sum: each W_ij acts on y_i alone (L3)."),
    ("np.outer(dy, x)", "np.outer(dy, dx)", "W is multiplied by x, so dW contains x itself, not dx (L3)."),
    ("np.outer(dy, x)", "np.outer(W @ x, x)", "dW starts from the gradient dy, not from the value y (L3)."),
]
