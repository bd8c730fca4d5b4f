"""Two-layer network with relu, softmax cross-entropy and weight decay: loss = net.forward(X, y), net.backward()."""

import numpy as np


class TwoLayerNet:
    def __init__(self, input_size, hidden_size, num_classes, reg=0.3, seed=0):
        rng = np.random.default_rng(seed)
        self.params = {
            "W1": rng.standard_normal((input_size, hidden_size)),
            "b1": rng.standard_normal(hidden_size),
            "W2": rng.standard_normal((hidden_size, num_classes)),
            "b2": rng.standard_normal(num_classes),
        }
        self.reg = reg
        self.grads = {}

    def forward(self, X, y):
        W1, b1, W2, b2 = self.params["W1"], self.params["b1"], self.params["W2"], self.params["b2"]
        a1 = X.dot(W1) + b1
        h1 = np.maximum(0, a1)
        scores = h1.dot(W2) + b2
        exp_scores = np.exp(scores - np.max(scores, axis=1, keepdims=True))
        probs = exp_scores / np.sum(exp_scores, axis=1, keepdims=True)
        N = X.shape[0]
        data_loss = -np.sum(np.log(probs[np.arange(N), y])) / N
        reg_loss = self.reg * (np.sum(W1 * W1) + np.sum(W2 * W2))
        self.cache = (X, y, a1, h1, probs)
        return data_loss + reg_loss

    def backward(self):
        X, y, a1, h1, probs = self.cache
        N = X.shape[0]
        dscores = probs.copy()
        dscores[np.arange(N), y] -= 1
        dscores /= N
        self.grads["W2"] = h1.T.dot(dscores)
        self.grads["W2"] += 2 * self.reg * self.params["W2"]
        self.grads["b2"] = np.sum(dscores, axis=0)
        dh1 = dscores.dot(self.params["W2"].T)
        da1 = dh1 * (a1 > 0)
        self.grads["W1"] = X.T.dot(da1)
        self.grads["W1"] += 2 * self.reg * self.params["W1"]
        self.grads["b1"] = np.sum(da1, axis=0)
        return da1.dot(self.params["W1"].T)
