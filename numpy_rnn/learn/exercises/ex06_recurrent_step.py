"""Exercise 6. One recurrent step: a state that is read and replaced

    (R1)  z_t = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh
    (R2)  h_t = tanh(z_t)
    (R4)  dz_t = dh_t * (1 - h_t^2)
    (R5)  dW_ih = dz_t x_t^T, dW_hh = dz_t h_{t-1}^T, db_ih = db_hh = dz_t       summed over the rows of the batch
    (R6)  dx_t = W_ih^T dz_t, dh_{t-1} = W_hh^T dz_t

One step is a linear layer with two inputs, x_t and the previous state, and then tanh. See
docs/backprop.md#recurrence. Write both functions. h_prev is h_{t-1}.
"""

import numpy as np


def rnn_step(x, h_prev, W_ih, W_hh, b_ih, b_hh):
    """x (B, E), h_prev (B, H), W_ih (H, E), W_hh (H, H), b_ih and b_hh (H,); return h (B, H) and the cache"""
    # answer
    # hint: As in exercise 3, with two products: x with W_ih, and h_prev with W_hh.
    # hint: Rows again, so the weights are transposed: x @ W_ih.T and h_prev @ W_hh.T.
    z = x @ W_ih.T + b_ih + h_prev @ W_hh.T + b_hh  # (R1)
    h = np.tanh(z)  # (R2)
    cache = x, h_prev, h, W_ih, W_hh
    # end
    return h, cache


def rnn_step_backward(dh, cache):
    """dh (B, H); return dx, dh_prev, dW_ih, dW_hh, db_ih and db_hh"""
    # answer
    # hint: First dz, as in exercise 3. All six gradients follow from dz by the rules of exercise 2.
    # hint: dW_hh is multiplied by what W_hh was multiplied by: the state before the step.
    x, h_prev, h, W_ih, W_hh = cache
    dz = dh * (1 - h**2)  # (R4)
    dx = dz @ W_ih  # (R6)
    dh_prev = dz @ W_hh  # (R6)
    dW_ih = dz.T @ x  # (R5)
    dW_hh = dz.T @ h_prev  # (R5)
    db_ih = dz.sum(axis=0)  # (R5)
    db_hh = dz.sum(axis=0)  # (R5)
    # end
    return dx, dh_prev, dW_ih, dW_hh, db_ih, db_hh


# check
def weights(rng, E, H):
    return [rng.standard_normal(shape) for shape in ((H, E), (H, H), H, H)]


def cases(rng):
    for B, E, H in (4, 3, 2), (1, 2, 3), (2, 2, 2):
        yield "rnn_step", (rng.standard_normal((B, E)), rng.standard_normal((B, H)), *weights(rng, E, H))


SLIPS = [
    ("dz.T @ h_prev", "dz.T @ h", "W_hh multiplies the state before the step, h_prev, not the one after it (R5)."),
    ("dh * (1 - h**2)", "dh", "The slope of tanh is missing: dz = dh (1 - h^2) (R4)."),
    ("dh * (1 - h**2)", "dh * (1 - h_prev**2)", "The slope is that at this step's own z: use h, not h_prev (R4)."),
    ("dz @ W_hh ", "dz @ W_hh.T ", "Forward multiplies by W_hh.T, so backward multiplies by W_hh (R6)."),
    ("dz @ W_hh ", "dh @ W_hh ", "The way back to h_prev leads through z: start from dz, not from dh (R6)."),
    ("db_hh = dz.sum(axis=0)", "db_hh = np.zeros(len(W_hh))", "Both biases are added to z, so db_hh = db_ih (R5)."),
    ("h_prev @ W_hh.T +", "h_prev @ W_hh +", "Rows are transposed columns: W_hh h becomes h_prev @ W_hh.T (R1)."),
    (" + h_prev @ W_hh.T", "", "The previous state is not read: h_prev @ W_hh.T is missing in z (R1)."),
    ("np.tanh(z)", "z", "tanh is missing: h = tanh(z) (R2)."),
]
