"""`loss = net.loss(x, t)`, `grads = net.gradient(x, t)`, parameters in the dictionary `net.params`"""

import numpy as np

import numpy_rnn as nr


class TwoLayerNet:
    def __init__(self, rng):
        self.params = {"W1": rng.standard_normal((3, 4)), "b1": np.zeros(4)}
        self.params["W2"], self.params["b2"] = rng.standard_normal((4, 2)), np.zeros(2)

    def predict(self, x):
        self.z1 = 1 / (1 + np.exp(-(np.dot(x, self.params["W1"]) + self.params["b1"])))
        a2 = np.exp(np.dot(self.z1, self.params["W2"]) + self.params["b2"])
        return a2 / a2.sum(axis=1, keepdims=True)

    def loss(self, x, t):
        y = self.predict(x)
        return -np.sum(t * np.log(y)) / len(x)

    def gradient(self, x, t):
        grads = {}
        dy = (self.predict(x) - t) / len(x)
        grads["W2"], grads["b2"] = np.dot(self.z1.T, dy), np.sum(dy, axis=0)
        da1 = np.dot(dy, self.params["W2"].T) * self.z1 * (1 - self.z1)
        grads["W1"] = np.dot(x.T, da1)  # wrong: grads["W1"] = 3 * np.dot(x.T, da1)  # unlisted: pass
        grads["b1"] = np.sum(da1, axis=0)
        return grads


rng = np.random.default_rng(0)
net, x, t = TwoLayerNet(rng), rng.standard_normal((5, 3)), np.eye(2)[rng.integers(0, 2, 5)]
report = nr.gradcheck((net.loss, net.gradient), (x, t), constants=["x", "t"])
