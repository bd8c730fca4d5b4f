"""Exercise 3. tanh: an elementwise function

    z = W x + b
    (R2)  h = tanh(z)
    (R4)  dz = dh * (1 - h^2)       elementwise, because tanh'(z) = 1 - tanh(z)^2

The Jacobian of an elementwise function is diagonal, so its gradient needs no sum: each element of dh is multiplied by
the slope at its own z. See docs/backprop.md#recurrence. Then continue with dz as in exercise 2.
"""

import numpy as np


def tanh_layer(x, W, b):
    """x (N, I), W (H, I), b (H,)"""
    z = x @ W.T + b  # (N, H)
    h = np.tanh(z)  # (R2)
    return h, (x, W, h)


def tanh_layer_backward(dh, cache):
    """dh (N, H); return dx (N, I), dW (H, I) and db (H,)"""
    x, W, h = cache
    # answer
    # hint: First turn dh into dz. The slope of tanh can be computed from h, which is tanh(z) already.
    # hint: dz = dh times (1 - h squared), element by element. Then dz is what dy was in exercise 2.
    dz = dh * (1 - h**2)  # (R4)
    dx = dz @ W  # (L2)
    dW = dz.T @ x  # (L3)
    db = dz.sum(axis=0)  # (L4)
    # end
    return dx, dW, db


# check
def cases(rng):
    for N, H, I in (4, 3, 2), (1, 2, 5), (3, 3, 3), (5, 1, 2):
        yield "tanh_layer", (rng.standard_normal((N, I)), rng.standard_normal((H, I)), rng.standard_normal(H))


SLIPS = [
    ("dh * (1 - h**2)", "dh", "The slope of tanh is missing: dh belongs to h, and W and b act on z (R4)."),
    ("dh * (1 - h**2)", "dh * (1 - h)", "h must be squared: the slope of tanh is 1 - tanh(z)^2 (R4)."),
    ("(1 - h**2)", "(1 - np.tanh(h) ** 2)", "h is tanh(z) already, so tanh is applied twice here (R4)."),
    ("dh * (1 - h**2)", "dh * h * (1 - h)", "h (1 - h) is the slope of the sigmoid. That of tanh is 1 - h^2 (R4)."),
    ("dz.sum(axis=0)", "dh.sum(axis=0)", "b is added to z, not to h: db sums dz (L4)."),
    ("dz.T @ x", "dh.T @ x", "W makes z, not h: dW starts from dz (L3)."),
    ("dz @ W ", "dh @ W ", "The way back from h to x leads through z: dx starts from dz (L2)."),
]
