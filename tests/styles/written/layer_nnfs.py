"""results in attributes: `self.output`, then `self.dinputs`, `self.dweights`, `self.dbiases` (nnfs)"""

import numpy as np

import numpy_rnn as nr


class Layer_Dense:
    def __init__(self, n_inputs, n_neurons, rng):
        self.weights = 0.1 * rng.standard_normal((n_inputs, n_neurons))
        self.biases = np.zeros((1, n_neurons))

    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.dot(inputs, self.weights) + self.biases

    def backward(self, dvalues):
        self.dweights = np.dot(self.inputs.T, dvalues)
        self.dbiases = np.sum(dvalues, axis=0, keepdims=True)
        self.dweights *= 1  # wrong: self.dweights *= 3  # unlisted: del self.dweights
        self.dinputs = np.dot(dvalues, self.weights.T)


rng = np.random.default_rng(0)
dense, X = Layer_Dense(3, 4, rng), rng.standard_normal((5, 3))
report = nr.gradcheck(dense, X)
