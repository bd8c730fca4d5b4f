"""`loss, dW = svm_loss(W, X, y, reg)`, where X needs no gradient"""

import numpy as np

import numpy_rnn as nr


def svm_loss_vectorized(W, X, y, reg):
    num_train = X.shape[0]
    scores = X.dot(W)
    correct = scores[np.arange(num_train), y][:, np.newaxis]
    margins = np.maximum(0, scores - correct + 1)
    margins[np.arange(num_train), y] = 0
    loss = np.sum(margins) / num_train + reg * np.sum(W * W)
    binary = (margins > 0).astype(float)
    binary[np.arange(num_train), y] = -np.sum(binary, axis=1)
    dW = X.T.dot(binary) / num_train + 2 * reg * W  # wrong: dW = 3 * X.T.dot(binary) / num_train + 6 * reg * W
    return loss, dW  # unlisted: return loss


rng = np.random.default_rng(0)
W, X, y = rng.standard_normal((3, 4)), rng.standard_normal((6, 3)), rng.integers(0, 4, 6)
report = nr.gradcheck(svm_loss_vectorized, W, X, y, 0.1, constants=["X"])
