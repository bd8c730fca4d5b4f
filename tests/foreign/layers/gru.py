"""GRU with the reset gate behind the matrix, as in cuDNN: x is (T, N, D), the gates' blocks are r, z, n."""

import numpy as np


def logistic(a):
    return 1 / (1 + np.exp(-a))


def gru_forward(x, h0, Wx, Wh, bx, bh):
    H = h0.shape[1]
    h = h0
    hs, caches = [], []
    for t in range(len(x)):
        ax = x[t] @ Wx + bx
        ah = h @ Wh + bh
        r = logistic(ax[:, :H] + ah[:, :H])
        z = logistic(ax[:, H : 2 * H] + ah[:, H : 2 * H])
        n = np.tanh(ax[:, 2 * H :] + r * ah[:, 2 * H :])
        caches.append((x[t], h, r, z, n, ah[:, 2 * H :]))
        h = (1 - z) * n + z * h
        hs.append(h)
    return np.array(hs), (caches, Wx, Wh)


def gru_backward(dhs, cache):
    caches, Wx, Wh = cache
    T, N, H = dhs.shape
    dx = np.empty((T, N, len(Wx)))
    dWx, dWh = np.zeros(Wx.shape), np.zeros(Wh.shape)
    dbx, dbh = np.zeros(3 * H), np.zeros(3 * H)
    dh_next = np.zeros((N, H))
    for t in range(T)[::-1]:
        x_t, h_prev, r, z, n, hn = caches[t]
        dh = dhs[t] + dh_next
        dn = dh * (1 - z)
        dz = dh * (h_prev - n)
        dax = np.zeros((N, 3 * H))
        dax[:, 2 * H :] = dn * (1 - n**2)
        dr = dax[:, 2 * H :] * hn
        dax[:, :H] = dr * r * (1 - r)
        dax[:, H : 2 * H] = dz * z * (1 - z)
        dah = dax.copy()
        dah[:, 2 * H :] *= r
        dWx += np.dot(x_t.T, dax)
        dWh += np.dot(h_prev.T, dah)
        dbx += dax.sum(0)
        dbh += dah.sum(0)
        dx[t] = np.dot(dax, Wx.T)
        dh_next = dh * z
        dh_next += np.dot(dah, Wh.T)
    return dx, dh_next, dWx, dWh, dbx, dbh
