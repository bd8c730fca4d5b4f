"""`backward(output_gradient, learning_rate)` updates the parameters at once"""

import numpy as np

import numpy_rnn as nr


class Dense:
    def __init__(self, input_size, output_size, rng):
        self.weights = rng.standard_normal((output_size, input_size))
        self.bias = rng.standard_normal((output_size, 1))

    def forward(self, input):
        self.input = input
        return np.dot(self.weights, self.input) + self.bias

    def backward(self, output_gradient, learning_rate):
        weights_gradient = np.dot(output_gradient, self.input.T)
        input_gradient = np.dot(self.weights.T, output_gradient)
        weights_gradient *= 1  # wrong: weights_gradient *= 3  # unlisted: weights_gradient *= 0
        self.weights -= learning_rate * weights_gradient
        self.bias -= learning_rate * output_gradient
        return input_gradient


rng = np.random.default_rng(0)
layer, column = Dense(3, 4, rng), rng.standard_normal((3, 1))
report = nr.gradcheck(layer, column)
