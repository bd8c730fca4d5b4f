"""Backward passes, Adam's step and clipping, as short as the equations; `catalogue.py` puts one mistake into each.

`slip.py` uses these functions in place of the package's own, so a slip depends only on the public methods and
attributes of a layer. They write the gradients of parameters in place, and return those of inputs.
"""

import math

import numpy as np


def rows(a):
    """Return (..., n) as a matrix."""
    return a.reshape(-1, a.shape[-1])


def linear(x, W, dy, dW, db):
    dW[...] = dy.T @ x
    db[...] = dy.sum(axis=0)
    return dy @ W


def embedding(tokens, dy, dC, shape):
    """tokens (N,), dy (N, E), dC (V, E); `shape` is the original shape of the tokens."""
    dC[...] = 0
    np.add.at(dC, tokens, dy)


def cross_entropy(logits, targets, dloss):
    N = len(logits)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(N), targets] -= 1
    return p * (dloss / np.float64(N)).astype(p.dtype)


def recurrence(h, W_hh, doutput, dh_n, dW_hh):
    """Return dz (T, B, H) and dh_0; h (T + 1, B, H) holds h_0 to h_T."""
    T, dz, dh = len(doutput), np.empty_like(doutput), dh_n
    for t in reversed(range(T)):
        dh = dh + doutput[t]
        dz[t] = dh * (1 - h[t + 1] ** 2)
        dh = dz[t] @ W_hh
    dW_hh[...] = rows(dz).T @ rows(h[:-1])
    return dz, dh


def projection(x, W_ih, dz, dW_ih, db_ih, db_hh):
    dW_ih[...] = dz.T @ x
    db_ih[...] = dz.sum(axis=0)
    db_hh[...] = dz.sum(axis=0)
    return dz @ W_ih


def rnn(x, h_0, output, p, doutput, dh_n, memory):
    """p: the parameters by name; memory: a dictionary that the layer keeps from call to call."""
    h = np.concatenate([h_0, output])
    dz, dh_0 = recurrence(h, p["weight_hh_l0"].data, doutput, dh_n[0], p["weight_hh_l0"].grad)
    dW_ih, db_ih, db_hh = (p[name].grad for name in ("weight_ih_l0", "bias_ih_l0", "bias_hh_l0"))
    dx = projection(rows(x), p["weight_ih_l0"].data, rows(dz), dW_ih, db_ih, db_hh).reshape(x.shape)
    return dx, dh_0[None]


def char_rnn(tokens, h, p, dlogits, dh_n):
    """h: the states of each layer, (T + 1, B, H). Returns dh_0; the gradient of the tokens' table comes first."""
    fc, C = [p[f"fc.{name}"] for name in ("weight", "bias")], p["embedding.weight"]
    dh = linear(rows(h[-1][1:]), fc[0].data, rows(dlogits), fc[0].grad, fc[1].grad)
    dh_0 = np.empty_like(dh_n)
    for k in reversed(range(len(h))):
        names = (f"rnn.{name}_l{k}" for name in ("weight_hh", "weight_ih", "bias_ih", "bias_hh"))
        W_hh, W_ih, b_ih, b_hh = (p[name] for name in names)
        dz, dh_0[k] = recurrence(h[k], W_hh.data, dh.reshape(h[k][1:].shape), dh_n[k], W_hh.grad)
        if k > 0:
            dh = projection(rows(h[k - 1][1:]), W_ih.data, rows(dz), W_ih.grad, b_ih.grad, b_hh.grad)
    dprojected = np.zeros((len(C.data), dz.shape[-1]), dz.dtype)
    np.add.at(dprojected, tokens.ravel(), rows(dz))
    C.grad[...] = projection(C.data, W_ih.data, dprojected, W_ih.grad, b_ih.grad, b_hh.grad)
    return dh_0


def adam(p, g, m, v, v_max, k, lr, beta1, beta2, eps, weight_decay, decoupled, maximize):
    """Update p and the averages in place; v_max is None without amsgrad."""
    if maximize:
        g = -g
    if decoupled:
        p *= 1 - lr * weight_decay
    elif weight_decay:
        g = g + weight_decay * p
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * g * g
    if v_max is not None:
        v = np.maximum(v, v_max, out=v_max)
    size = lr / (1 - beta1**k)
    root = np.sqrt(v) / math.sqrt(1 - beta2**k) + eps
    p -= size * m / root


def clipping(grads, max_norm, p):
    """Scale a list of gradients in place, and return their norm before that."""
    vector = np.concatenate([g.ravel() for g in grads])
    norm = float(np.linalg.norm(vector, p))
    scale = max_norm / (norm + 1e-6)
    if not scale >= 1:
        for g in grads:
            g *= scale
    return norm
