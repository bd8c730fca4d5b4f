"""LSTM with peepholes: the gates also read the cell state, through the vectors p_i, p_f and p_o. Tapes are lists."""

import numpy as np


def sigm(v):
    return 1 / (1 + np.exp(-v))


def forward(x, h0, c0, W, U, b, p_i, p_f, p_o):
    H = len(p_i)
    h, c = [h0], [c0]
    gates = []
    for x_t in x:
        z = x_t @ W + h[-1] @ U + b
        i = sigm(z[:, :H] + p_i * c[-1])
        f = sigm(z[:, H : 2 * H] + p_f * c[-1])
        g = np.tanh(z[:, 3 * H :])
        c.append(f * c[-1] + i * g)
        o = sigm(z[:, 2 * H : 3 * H] + p_o * c[-1])
        h.append(o * np.tanh(c[-1]))
        gates.append((i, f, g, o))
    return np.stack(h[1:]), (x, h, c, gates, W, U, p_i, p_f, p_o)


def backward(dy, cache):
    x, h, c, gates, W, U, p_i, p_f, p_o = cache
    dx, dW, dU = np.zeros_like(x), np.zeros_like(W), np.zeros_like(U)
    db = np.zeros(W.shape[1])
    dp_i, dp_f, dp_o = np.zeros_like(p_i), np.zeros_like(p_f), np.zeros_like(p_o)
    dh, dc = np.zeros_like(h[0]), np.zeros_like(c[0])
    for t in range(len(x) - 1, -1, -1):
        i, f, g, o = gates[t]
        c_prev, c_t = c[t], c[t + 1]
        dh = dh + dy[t]
        dzo = dh * np.tanh(c_t) * o * (1 - o)
        dc = dc + dh * o * (1 - np.tanh(c_t) ** 2) + dzo * p_o
        dzi = dc * g * i * (1 - i)
        dzf = dc * c_prev * f * (1 - f)
        dzg = dc * i * (1 - g * g)
        dp_i += (dzi * c_prev).sum(axis=0)
        dp_f += (dzf * c_prev).sum(axis=0)
        dp_o += (dzo * c_t).sum(axis=0)
        dc = dc * f + dzi * p_i + dzf * p_f
        dz = np.concatenate((dzi, dzf, dzo, dzg), axis=1)
        dW += x[t].T @ dz
        dU += h[t].T @ dz
        db += dz.sum(axis=0)
        dx[t] = dz @ W.T
        dh = dz @ U.T
    return dx, dh, dc, dW, dU, db, dp_i, dp_f, dp_o
