"""`loss, grads = model.loss(X, y)`, parameters in the dictionary `model.params`"""

import numpy as np

import numpy_rnn as nr


class TwoLayerNet:
    def __init__(self, rng, input_dim=3, hidden_dim=4, num_classes=5, reg=0.1):
        self.params, self.reg = {}, reg
        self.params["W1"], self.params["b1"] = rng.standard_normal((input_dim, hidden_dim)), np.zeros(hidden_dim)
        self.params["W2"], self.params["b2"] = rng.standard_normal((hidden_dim, num_classes)), np.zeros(num_classes)

    def loss(self, X, y=None):
        W1, b1, W2, b2 = (self.params[name] for name in ("W1", "b1", "W2", "b2"))
        hidden = np.maximum(0, X @ W1 + b1)
        scores = hidden @ W2 + b2
        if y is None:
            return scores
        probs = np.exp(scores - scores.max(axis=1, keepdims=True))
        probs /= probs.sum(axis=1, keepdims=True)
        N = len(X)
        loss = -np.mean(np.log(probs[np.arange(N), y])) + 0.5 * self.reg * (np.sum(W1 * W1) + np.sum(W2 * W2))
        grads = {}
        probs[np.arange(N), y] -= 1
        dscores = probs / N
        grads["W2"] = hidden.T @ dscores + self.reg * W2
        grads["b2"] = dscores.sum(axis=0)
        dhidden = dscores @ W2.T * (hidden > 0)
        dW1 = X.T @ dhidden + self.reg * W1  # wrong: dW1 = 3 * (X.T @ dhidden + self.reg * W1)
        grads["W1"] = dW1  # unlisted: self.last = dW1
        grads["b1"] = dhidden.sum(axis=0)
        return loss, grads


rng = np.random.default_rng(0)
model, X, y = TwoLayerNet(rng), rng.standard_normal((6, 3)), rng.integers(0, 5, 6)
report = nr.gradcheck(model.loss, X, y, constants=["X"])
