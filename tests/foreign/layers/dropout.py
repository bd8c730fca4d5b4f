"""Affine layer, relu and inverted dropout: the mask is kept for the backward pass."""

import numpy as np


def dropout_forward(x, W, b, dropout_param):
    keep = dropout_param["keep"]
    rng = np.random.default_rng(dropout_param["seed"])
    a = x @ W + b
    h = np.maximum(a, 0)
    mask = (rng.random(h.shape) < keep) / keep
    return h * mask, (x, W, a, mask)


def dropout_backward(dout, cache):
    x, W, a, mask = cache
    dh = dout * mask
    da = np.where(a > 0, dh, 0)
    dW = x.T @ da
    db = np.sum(da, axis=0)
    dx = da @ W.T
    return dx, dW, db
