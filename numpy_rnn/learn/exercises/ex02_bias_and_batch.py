"""Exercise 2. Bias and batch: many rows share one W and one b

    (L1)  y_n = W x_n + b
    (L2)  dx_n = W^T dy_n
    (L3)  dW = sum over n of dy_n x_n^T
    (L4)  db = sum over n of dy_n

Now x has N rows, one for each example. In code, rows are transposed columns, so y = W x becomes x @ W.T (see
docs/backprop.md#from-the-equations-to-the-code). W and b are used once for each row, and the gradients of all uses
add up. Write linear_backward.
"""

import numpy as np


def linear(x, W, b):
    """x (N, I), W (O, I), b (O,)"""
    y = x @ W.T + b  # (L1)  (N, O)
    return y, (x, W)


def linear_backward(dy, cache):
    """dy (N, O); return dx (N, I), dW (O, I) and db (O,)"""
    x, W = cache
    # answer
    # hint: Write down the shapes: dy is (N, O), x is (N, I). For dW (O, I), the matrix product must sum over N.
    # hint: dy.T @ x sums the outer products of all rows. b is added to every row, so db sums dy over axis 0.
    dx = dy @ W  # (L2)
    dW = dy.T @ x  # (L3)
    db = dy.sum(axis=0)  # (L4)
    # end
    return dx, dW, db


# check
def cases(rng):
    for N, O, I in (4, 3, 2), (1, 2, 5), (3, 3, 3), (5, 1, 2):
        yield "linear", (rng.standard_normal((N, I)), rng.standard_normal((O, I)), rng.standard_normal(O))


SLIPS = [
    ("dy.T @ x", "dy.T @ x / len(x)", "Do not divide by N: the loss takes the mean, so dy has it (L3)."),
    ("dy.sum(axis=0)", "dy.mean(axis=0)", "b is added to N rows: db is the sum of N gradients, not the mean (L4)."),
    ("dy.sum(axis=0)", "dy.sum(axis=1)", "Sum over the rows, axis 0: each output keeps its own bias (L4)."),
    ("dy.sum(axis=0)", "dy", "One b serves all N rows. Add up the gradients of its N uses (L4)."),
    ("dy.sum(axis=0)", "dy[0]", "One b serves all N rows, and you use the first only. Add up all N gradients (L4)."),
    ("dy.T @ x", "x.T @ dy", "dW has the shape of W, (O, I): dy.T @ x is the transpose of what you have (L3)."),
    ("dy @ W ", "dy @ W.T ", "Forward multiplies by W.T, so backward multiplies by W (L2)."),
]
