"""`loss = model.step(x, y)`, which leaves the gradients in `model.W_grad`"""

import numpy as np

import numpy_rnn as nr


class Regression:
    def __init__(self, rng):
        self.W, self.b = rng.standard_normal((3, 2)), rng.standard_normal(2)

    def step(self, x, y):
        error = x @ self.W + self.b - y
        self.W_grad = 2 * x.T @ error  # wrong: self.W_grad = 6 * x.T @ error  # unlisted: pass
        self.b_grad = 2 * error.sum(axis=0)
        return np.sum(error**2)


rng = np.random.default_rng(0)
model, x, y = Regression(rng), rng.standard_normal((5, 3)), rng.standard_normal((5, 2))
report = nr.gradcheck(model.step, x, y, constants=["x", "y"])
