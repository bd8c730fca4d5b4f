"""parameters in nested dictionaries and lists, gradients nested in the same way"""

import numpy as np

import numpy_rnn as nr


def forward(x, params):
    activations = [x]
    for layer in params["layers"]:
        activations.append(np.tanh(activations[-1] @ layer["W"] + layer["b"]))
    return activations[-1] * params["scale"], (activations, params)


def backward(dout, cache):
    activations, params = cache
    grads = {"layers": [], "scale": np.sum(dout * activations[-1], axis=0)}
    dh = dout * params["scale"]
    for k in reversed(range(len(params["layers"]))):
        dz = dh * (1 - activations[k + 1] ** 2)
        grads["layers"].insert(0, {"W": activations[k].T @ dz, "b": dz.sum(axis=0)})
        dh = dz @ params["layers"][k]["W"].T
    grads["layers"][1]["b"] *= 1  # wrong: grads["layers"][1]["b"] *= 3  # unlisted: del grads["layers"][1]["b"]
    return dh, grads


rng = np.random.default_rng(0)
sizes = [(3, 4), (4, 2)]
params = {"layers": [{"W": rng.standard_normal((n, m)), "b": rng.standard_normal(m)} for n, m in sizes]}
params["scale"] = rng.standard_normal(2)
x = rng.standard_normal((5, 3))
report = nr.gradcheck((forward, backward), (x, params))
