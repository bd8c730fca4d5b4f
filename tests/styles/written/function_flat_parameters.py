"""`J, grad = cost_function(theta, X, y)`, where theta is one flat vector of all parameters"""

import numpy as np

import numpy_rnn as nr


def cost_function(theta, X, y):
    W1, W2 = theta[:8].reshape(2, 4), theta[8:].reshape(4, 1)
    hidden = np.tanh(X @ W1)
    error = hidden @ W2 - y
    J = np.sum(error**2) / (2 * len(y))
    W2_grad = hidden.T @ error / len(y)
    W1_grad = X.T @ (error @ W2.T * (1 - hidden**2)) / len(y)
    grad = np.concatenate([W1_grad.ravel(), W2_grad.ravel()])
    return J, grad  # wrong: return J, 3 * grad  # unlisted: return J


rng = np.random.default_rng(0)
theta, X, y = rng.standard_normal(12), rng.standard_normal((6, 2)), rng.standard_normal((6, 1))
report = nr.gradcheck(cost_function, theta, X, y, constants=["X", "y"])
