"""`loss, grads = loss_and_grads(params, x, y)`, where grads has the keys of params"""

import numpy as np

import numpy_rnn as nr


def loss_and_grads(params, x, y):
    pred = x @ params["w"] + params["b"]
    error = pred - y
    grads = {"b": 2 * error.mean(axis=0)}
    grads["w"] = 2 * x.T @ error / len(x)  # wrong: grads["w"] = 6 * x.T @ error / len(x)  # unlisted: pass
    return (error**2).sum() / len(x), grads


rng = np.random.default_rng(0)
params = {"w": rng.standard_normal((3, 2)), "b": rng.standard_normal(2)}
x, y = rng.standard_normal((5, 3)), rng.standard_normal((5, 2))
report = nr.gradcheck(loss_and_grads, params, x, y, constants=["x", "y"])
