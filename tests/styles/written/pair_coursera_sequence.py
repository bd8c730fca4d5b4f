"""`a, caches = forward(x, a0, parameters)`, `gradients = backward(da, caches)`, one cache per time step"""

import numpy as np

import numpy_rnn as nr


def rnn_cell_forward(xt, a_prev, parameters):
    a_next = np.tanh(parameters["Wax"] @ xt + parameters["Waa"] @ a_prev + parameters["ba"])
    return a_next, (a_next, a_prev, xt, parameters)


def rnn_cell_backward(da_next, cache):
    a_next, a_prev, xt, parameters = cache
    dtanh = (1 - a_next**2) * da_next
    dWaa = dtanh @ a_prev.T  # wrong: dWaa = 3 * dtanh @ a_prev.T
    return {
        "dxt": parameters["Wax"].T @ dtanh,
        "da_prev": parameters["Waa"].T @ dtanh,
        "dWax": dtanh @ xt.T,
        "dWaa": dWaa,
        "dba": np.sum(dtanh, axis=1, keepdims=True),
    }


def rnn_forward(x, a0, parameters):
    caches = []
    a = np.zeros((a0.shape[0], *x.shape[1:]))
    a_next = a0
    for t in range(x.shape[2]):
        a_next, cache = rnn_cell_forward(x[:, :, t], a_next, parameters)
        a[:, :, t] = a_next
        caches.append(cache)
    return a, (caches, x)


def rnn_backward(da, caches):
    (caches, x) = caches
    dx = np.zeros(x.shape)
    dWax = np.zeros((da.shape[0], x.shape[0]))
    dWaa = np.zeros((da.shape[0], da.shape[0]))
    dba = np.zeros((da.shape[0], 1))
    da_prevt = np.zeros(da.shape[:2])
    for t in reversed(range(x.shape[2])):
        gradients = rnn_cell_backward(da[:, :, t] + da_prevt, caches[t])
        dx[:, :, t] = gradients["dxt"]
        da_prevt = gradients["da_prev"]
        dWax += gradients["dWax"]
        dWaa += gradients["dWaa"]
        dba += gradients["dba"]
    gradients = {"dx": dx, "da0": da_prevt, "dWax": dWax, "dba": dba}
    gradients["dWaa"] = dWaa  # unlisted: pass
    return gradients


rng = np.random.default_rng(0)
x, a0 = rng.standard_normal((3, 2, 4)), rng.standard_normal((5, 2))
parameters = {name: rng.standard_normal(shape) for name, shape in [("Wax", (5, 3)), ("Waa", (5, 5)), ("ba", (5, 1))]}
report = nr.gradcheck((rnn_forward, rnn_backward), (x, a0, parameters))
