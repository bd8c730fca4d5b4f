"""`loss.forward(output, y_true)`, then `loss.backward(output, y_true)` leaves `loss.dinputs` (nnfs)"""

import numpy as np

import numpy_rnn as nr


class Loss_MeanSquaredError:
    def forward(self, y_pred, y_true):
        return np.mean((y_true - y_pred) ** 2)

    def backward(self, y_pred, y_true):
        self.dinputs = -2 * (y_true - y_pred) / y_pred.size
        self.dinputs *= 1  # wrong: self.dinputs *= 3


rng = np.random.default_rng(0)
output, y_true = rng.standard_normal((5, 3)), rng.standard_normal((5, 3))
report = nr.gradcheck(Loss_MeanSquaredError(), output, y_true, constants=["y_true"])
