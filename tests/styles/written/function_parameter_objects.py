"""`loss, h = forward_backward(inputs, targets, h_prev)`, parameters in objects of the module with `.v` and `.d`"""

import numpy as np

import numpy_rnn as nr


class Param:
    def __init__(self, name, value):
        self.name = name
        self.v = value
        self.d = np.zeros_like(value)
        self.m = np.zeros_like(value)  # for Adagrad


class Parameters:
    def __init__(self, rng):
        self.W_h = Param("W_h", rng.standard_normal((4, 4 + 3)) * 0.3)
        self.b_h = Param("b_h", np.zeros((4, 1)))
        self.W_v = Param("W_v", rng.standard_normal((3, 4)))

    def all(self):
        return [self.W_h, self.b_h, self.W_v]


rng = np.random.default_rng(0)
parameters = Parameters(rng)


def forward_backward(inputs, targets, h_prev):
    for p in parameters.all():
        p.d.fill(0)
    z, h, y, loss = {}, {-1: h_prev}, {}, 0
    for t in range(len(inputs)):
        x = np.zeros((3, 1))
        x[inputs[t]] = 1
        z[t] = np.vstack((h[t - 1], x))
        h[t] = np.tanh(np.dot(parameters.W_h.v, z[t]) + parameters.b_h.v)
        scores = np.dot(parameters.W_v.v, h[t])
        y[t] = np.exp(scores) / np.sum(np.exp(scores))
        loss -= np.log(y[t][targets[t], 0])
    dh_next = np.zeros_like(h_prev)
    for t in reversed(range(len(inputs))):
        dv = np.copy(y[t])
        dv[targets[t]] -= 1
        parameters.W_v.d += np.dot(dv, h[t].T)
        dh = (np.dot(parameters.W_v.v.T, dv) + dh_next) * (1 - h[t] ** 2)
        parameters.W_h.d += np.dot(dh, z[t].T)
        parameters.b_h.d += dh  # wrong: parameters.b_h.d += 3 * dh  # unlisted: parameters.b_h.spare = dh
        dh_next = np.dot(parameters.W_h.v.T, dh)[:4]
    return loss, h[len(inputs) - 1]


inputs, targets, h_prev = [0, 2, 1], [2, 1, 1], rng.standard_normal((4, 1))
report = nr.gradcheck(forward_backward, inputs, targets, h_prev, constants=["h_prev"])
