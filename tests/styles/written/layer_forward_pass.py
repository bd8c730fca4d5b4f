"""`forward_pass(X)`, `backward_pass(accum_grad)`, and `parameters()` is a number (ML-From-Scratch)"""

import numpy as np

import numpy_rnn as nr


class Dense:
    def __init__(self, n_units, input_shape, rng):
        self.layer_input = None
        limit = 1 / np.sqrt(input_shape[0])
        self.W = rng.uniform(-limit, limit, (input_shape[0], n_units))
        self.w0 = np.zeros((1, n_units))

    def layer_name(self):
        return self.__class__.__name__

    def parameters(self):
        return np.prod(self.W.shape) + np.prod(self.w0.shape)

    def forward_pass(self, X, training=True):
        self.layer_input = X
        return X.dot(self.W) + self.w0

    def backward_pass(self, accum_grad):
        self.grad_w0 = np.sum(accum_grad, axis=0, keepdims=True)
        self.grad_W = self.layer_input.T.dot(accum_grad)
        self.grad_W *= 1  # wrong: self.grad_W *= 3  # unlisted: del self.grad_W
        return accum_grad.dot(self.W.T)


rng = np.random.default_rng(0)
layer, X = Dense(4, (3,), rng), rng.standard_normal((5, 3))
report = nr.gradcheck(layer, X)
