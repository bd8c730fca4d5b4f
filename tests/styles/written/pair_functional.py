"""`y, cache = forward(params, x)`, `dparams, dx = backward(cache, dy)`"""

import numpy as np

import numpy_rnn as nr


def forward(params, x):
    hidden = np.tanh(x @ params["W1"])
    return hidden @ params["W2"], (params, x, hidden)


def backward(cache, dy):
    params, x, hidden = cache
    dparams = {"W2": hidden.T @ dy}
    dz = dy @ params["W2"].T * (1 - hidden**2)
    dparams["W1"] = x.T @ dz  # wrong: dparams["W1"] = 3 * x.T @ dz  # unlisted: pass
    return dparams, dz @ params["W1"].T


rng = np.random.default_rng(0)
x, params = rng.standard_normal((5, 3)), {"W1": rng.standard_normal((3, 4)), "W2": rng.standard_normal((4, 2))}
report = nr.gradcheck((forward, backward), (x,), params)
