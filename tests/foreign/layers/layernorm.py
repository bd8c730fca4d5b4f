"""Layer normalization over the last axis of x (B, T, D)."""

import numpy as np


def layernorm_forward(x, gamma, beta, eps=1e-5):
    mu = x.mean(axis=-1, keepdims=True)
    var = x.var(axis=-1, keepdims=True)
    std = np.sqrt(var + eps)
    xhat = (x - mu) / std
    return gamma * xhat + beta, (xhat, std, gamma)


def layernorm_backward(dout, cache):
    xhat, std, gamma = cache
    D = xhat.shape[-1]
    dbeta = dout.sum(axis=(0, 1))
    dgamma = (dout * xhat).sum(axis=(0, 1))
    dxhat = dout * gamma
    mean_path = dxhat.sum(axis=-1, keepdims=True) / D
    var_path = xhat * (dxhat * xhat).sum(axis=-1, keepdims=True) / D
    dx = (dxhat - mean_path - var_path) / std
    return dx, dgamma, dbeta
