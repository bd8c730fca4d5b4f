"""`a_next, yt_pred, cache = forward(xt, a_prev, parameters)`, `gradients = backward(da_next, cache)`, a dictionary"""

import numpy as np

import numpy_rnn as nr


def softmax(x):
    e_x = np.exp(x - np.max(x, axis=0))
    return e_x / e_x.sum(axis=0)


def rnn_cell_forward(xt, a_prev, parameters):
    Wax, Waa, Wya = parameters["Wax"], parameters["Waa"], parameters["Wya"]
    ba, by = parameters["ba"], parameters["by"]
    a_next = np.tanh(np.dot(Waa, a_prev) + np.dot(Wax, xt) + ba)
    yt_pred = softmax(np.dot(Wya, a_next) + by)
    cache = (a_next, a_prev, xt, parameters)
    return a_next, yt_pred, cache


def rnn_cell_backward(da_next, cache):
    a_next, a_prev, xt, parameters = cache
    Wax, Waa = parameters["Wax"], parameters["Waa"]
    dtanh = (1 - a_next**2) * da_next
    dxt = np.dot(Wax.T, dtanh)
    dWax = np.dot(dtanh, xt.T)  # wrong: dWax = 3 * np.dot(dtanh, xt.T)
    da_prev = np.dot(Waa.T, dtanh)
    dWaa = np.dot(dtanh, a_prev.T)
    dba = np.sum(dtanh, axis=1, keepdims=True)
    gradients = {"dxt": dxt, "da_prev": da_prev, "dWaa": dWaa, "dba": dba}
    gradients["dWax"] = dWax  # unlisted: pass
    return gradients


rng = np.random.default_rng(0)
xt, a_prev = rng.standard_normal((3, 6)), rng.standard_normal((5, 6))
shapes = {"Wax": (5, 3), "Waa": (5, 5), "Wya": (2, 5), "ba": (5, 1), "by": (2, 1)}
parameters = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
report = nr.gradcheck((rnn_cell_forward, rnn_cell_backward), (xt, a_prev, parameters))
