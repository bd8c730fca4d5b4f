"""dictionaries `self.parameters` and `self.gradients`, inputs appended to the list `self.X` (numpy-ml)"""

import numpy as np

import numpy_rnn as nr


class FullyConnected:
    def __init__(self, n_in, n_out, rng):
        self.X = []
        self.parameters = {"W": rng.standard_normal((n_in, n_out)), "b": np.zeros((1, n_out))}
        self.gradients = {"W": np.zeros((n_in, n_out)), "b": np.zeros((1, n_out))}

    def flush_gradients(self):
        self.X = []
        for k, v in self.gradients.items():
            self.gradients[k] = np.zeros_like(v)

    def forward(self, X, retain_derived=True):
        Z = np.tanh(X @ self.parameters["W"] + self.parameters["b"])
        if retain_derived:
            self.X.append(X)
        return Z

    def backward(self, dLdy, retain_grads=True):
        if not isinstance(dLdy, list):
            dLdy = [dLdy]
        dX = []
        for dy, x in zip(dLdy, self.X, strict=True):
            dz = dy * (1 - np.tanh(x @ self.parameters["W"] + self.parameters["b"]) ** 2)
            dW = x.T @ dz  # wrong: dW = 3 * x.T @ dz
            dX.append(dz @ self.parameters["W"].T)
            if retain_grads:
                self.gradients["W"] += dW  # unlisted: self.gradients.pop("W", None)
                self.gradients["b"] += dz.sum(axis=0, keepdims=True)
        return dX[0] if len(dX) == 1 else dX


rng = np.random.default_rng(0)
layer, X = FullyConnected(3, 4, rng), rng.standard_normal((5, 3))
report = nr.gradcheck(layer, X)
