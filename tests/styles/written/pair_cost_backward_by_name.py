"""`cost, cache = forward(X, Y, parameters)`, `grads = backward(parameters, cache, X, Y)`"""

import numpy as np

import numpy_rnn as nr


def forward_propagation(X, Y, parameters):
    A1 = np.tanh(parameters["W1"] @ X + parameters["b1"])
    A2 = 1 / (1 + np.exp(-(parameters["W2"] @ A1 + parameters["b2"])))
    cost = -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / Y.shape[1]
    return cost, {"A1": A1, "A2": A2}


def backward_propagation(parameters, cache, X, Y):
    m = X.shape[1]
    A1, A2 = cache["A1"], cache["A2"]
    dZ2 = A2 - Y
    dW2 = dZ2 @ A1.T / m
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = parameters["W2"].T @ dZ2 * (1 - A1**2)
    dW1 = dZ1 @ X.T / m  # wrong: dW1 = 3 * dZ1 @ X.T / m
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}  # unlisted: return {"db1": db1, "dW2": dW2, "db2": db2}


rng = np.random.default_rng(0)
X, Y = rng.standard_normal((2, 7)), rng.integers(0, 2, (1, 7)).astype(float)
shapes = {"W1": (4, 2), "b1": (4, 1), "W2": (1, 4), "b2": (1, 1)}
parameters = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
report = nr.gradcheck((forward_propagation, backward_propagation), (X, Y, parameters), constants=["X", "Y"])
