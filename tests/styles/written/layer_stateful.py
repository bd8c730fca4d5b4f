"""a recurrent layer that keeps `self.h` from one call to the next"""

import numpy as np

import numpy_rnn as nr


class TimeRNN:
    def __init__(self, Wx, Wh, b, stateful=False):
        self.params = [Wx, Wh, b]
        self.grads = [np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)]
        self.h, self.stateful = None, stateful

    def forward(self, xs):
        Wx, Wh, b = self.params
        N, T, _ = xs.shape
        hs = np.empty((N, T, Wh.shape[0]))
        if not self.stateful or self.h is None:
            self.h = np.zeros((N, Wh.shape[0]))
        self.xs, self.states = xs, [self.h]
        for t in range(T):
            self.h = np.tanh(np.dot(self.h, Wh) + np.dot(xs[:, t, :], Wx) + b)
            hs[:, t, :] = self.h
            self.states.append(self.h)
        return hs

    def backward(self, dhs):
        Wx, Wh, _ = self.params
        dxs, dh = np.empty_like(self.xs), 0
        dWx, dWh, db = 0, 0, 0
        for t in reversed(range(self.xs.shape[1])):
            dt = (dhs[:, t, :] + dh) * (1 - self.states[t + 1] ** 2)
            dWx += np.dot(self.xs[:, t, :].T, dt)
            dWh += np.dot(self.states[t].T, dt)
            db += np.sum(dt, axis=0)
            dh = np.dot(dt, Wh.T)
            dxs[:, t, :] = np.dot(dt, Wx.T)
        dWh *= 1  # wrong: dWh *= 3  # unlisted: dWh = None
        self.grads = [dWx, dWh, db]
        return dxs


rng = np.random.default_rng(0)
Wx, Wh, b = rng.standard_normal((3, 4)), rng.standard_normal((4, 4)), rng.standard_normal(4)
layer, xs = TimeRNN(Wx, Wh, b, stateful=True), rng.standard_normal((2, 5, 3))
layer.forward(xs)
report = nr.gradcheck(layer, xs)
