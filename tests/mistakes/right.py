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


def sigmoid(z):
    return (1 + np.tanh(z / 2)) / 2


def lstm_forward(x, states, p):
    """Return the states h and c, each (T + 1, B, H), and the gates (T, 4, B, H)."""
    W_ih, W_hh, b_ih, b_hh = (p[f"{name}_l0"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    h, c = (np.empty((len(x) + 1, *state.shape), state.dtype) for state in states)
    h[0], c[0] = states
    gates = np.empty((len(x), 4, *h.shape[1:]), h.dtype)
    for t in range(len(x)):
        z = x[t] @ W_ih.T + b_ih + h[t] @ W_hh.T + b_hh
        z_i, z_f, z_g, z_o = np.split(z, 4, axis=1)
        i, f, g, o = sigmoid(z_i), sigmoid(z_f), np.tanh(z_g), sigmoid(z_o)
        c[t + 1] = f * c[t] + i * g
        h[t + 1] = o * np.tanh(c[t + 1])
        gates[t, 0], gates[t, 1], gates[t, 2], gates[t, 3] = i, f, g, o
    return (h, c), gates


def lstm(x, states, gates, p, doutput, dstates):
    h, c = states
    (dh,), (dc,) = dstates
    T, W_hh = len(x), p["weight_hh_l0"].data
    dz = np.empty((*x.shape[:2], len(W_hh)), x.dtype)
    for t in reversed(range(T)):
        i, f, g, o = gates[t]
        tanh_c = np.tanh(c[t + 1])
        dh = dh + doutput[t]
        dc = dc + dh * o * (1 - tanh_c**2)
        dz_i = dc * g * i * (1 - i)
        dz_f = dc * c[t] * f * (1 - f)
        dz_g = dc * i * (1 - g**2)
        dz_o = dh * tanh_c * o * (1 - o)
        dz[t] = np.concatenate([dz_i, dz_f, dz_g, dz_o], axis=1)
        dh = dz[t] @ W_hh
        dc = dc * f
    p["weight_hh_l0"].grad[...] = rows(dz).T @ rows(h[:-1])
    dW_ih, db_ih, db_hh = (p[name].grad for name in ("weight_ih_l0", "bias_ih_l0", "bias_hh_l0"))
    dx = projection(rows(x), p["weight_ih_l0"].data, rows(dz), dW_ih, db_ih, db_hh).reshape(x.shape)
    return dx, (dh[None], dc[None])


def gru_forward(x, states, p):
    """Return the state h (T + 1, B, H), in a tuple, and r, z, n and u_n (T, 4, B, H)."""
    W_ih, W_hh, b_ih, b_hh = (p[f"{name}_l0"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    h = np.empty((len(x) + 1, *states[0].shape), states[0].dtype)
    h[0] = states[0]
    gates = np.empty((len(x), 4, *h.shape[1:]), h.dtype)
    for t in range(len(x)):
        a_r, a_z, a_n = np.split(x[t] @ W_ih.T + b_ih, 3, axis=1)
        u_r, u_z, u_n = np.split(h[t] @ W_hh.T + b_hh, 3, axis=1)
        r, z = sigmoid(a_r + u_r), sigmoid(a_z + u_z)
        n = np.tanh(a_n + r * u_n)
        h[t + 1] = (1 - z) * n + z * h[t]
        gates[t, 0], gates[t, 1], gates[t, 2], gates[t, 3] = r, z, n, u_n
    return (h,), gates


def gru(x, states, gates, p, doutput, dh_n):
    (h,), (dh,) = states, dh_n
    T, W_hh = len(x), p["weight_hh_l0"].data
    da = np.empty((*x.shape[:2], len(W_hh)), x.dtype)
    du = np.empty_like(da)
    for t in reversed(range(T)):
        r, z, n, u_n = gates[t]
        dh = dh + doutput[t]
        dz = dh * (h[t] - n)
        da_n = dh * (1 - z) * (1 - n**2)
        da_r = da_n * u_n * r * (1 - r)
        da_z = dz * z * (1 - z)
        da[t] = np.concatenate([da_r, da_z, da_n], axis=1)
        du[t] = np.concatenate([da_r, da_z, da_n * r], axis=1)
        dh = du[t] @ W_hh + dh * z
    p["weight_hh_l0"].grad[...] = rows(du).T @ rows(h[:-1])
    dW_ih, db_ih, db_hh = (p[name].grad for name in ("weight_ih_l0", "bias_ih_l0", "bias_hh_l0"))
    dx = projection(rows(x), p["weight_ih_l0"].data, rows(da), dW_ih, db_ih, db_hh).reshape(x.shape)
    db_hh[...] = du.sum(axis=(0, 1))
    return dx, dh[None]


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
