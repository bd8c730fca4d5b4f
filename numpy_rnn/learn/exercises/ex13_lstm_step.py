"""Exercise 13. One LSTM step: gates

    (LS1)  z_t = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh, four blocks of H numbers, for i, f, g and o
    (LS2)  i = sigmoid(z_i), f = sigmoid(z_f), g = tanh(z_g), o = sigmoid(z_o)
    (LS3)  c_t = f * c_{t-1} + i * g
    (LS4)  h_t = o * tanh(c_t)
    (LS6)  dc_t = dh_t * o * (1 - tanh(c_t)^2) + what comes back from the next step, here the argument dc
    (LS7)  di = dc_t * g, df = dc_t * c_{t-1}, dg = dc_t * i, do = dh_t * tanh(c_t)
    (LS8)  dz_i = di * i * (1 - i), the same for f and o, and dz_g = dg * (1 - g^2)

The rest is as in exercise 6, with dz of size 4 H, and dc_{t-1} = f * dc_t. docs/backprop.md#the-lstm derives all of
it. Write lstm_step_backward.
"""

import numpy as np


def sigmoid(z):
    return (1 + np.tanh(z / 2)) / 2


def lstm_step(x, h_prev, c_prev, W_ih, W_hh, b_ih, b_hh):
    """x (B, E), h_prev and c_prev (B, H), W_ih (4 H, E), W_hh (4 H, H), b_ih and b_hh (4 H,); return h and c"""
    z = x @ W_ih.T + b_ih + h_prev @ W_hh.T + b_hh  # (LS1)  (B, 4 H)
    z_i, z_f, z_g, z_o = np.split(z, 4, axis=1)  # (B, H) each
    i, f, g, o = sigmoid(z_i), sigmoid(z_f), np.tanh(z_g), sigmoid(z_o)  # (LS2)
    c = f * c_prev + i * g  # (LS3)
    h = o * np.tanh(c)  # (LS4)
    return (h, c), (x, h_prev, c_prev, W_ih, W_hh, i, f, g, o, c)


def lstm_step_backward(dh, dc, cache):
    """dh and dc (B, H); return dx, dh_prev, dc_prev, dW_ih, dW_hh, db_ih and db_hh"""
    x, h_prev, c_prev, W_ih, W_hh, i, f, g, o, c = cache
    # answer
    # hint: c is used twice: by h, through tanh, and by the next step. Add both terms before anything else.
    # hint: Join the four parts in the order of the forward pass: np.concatenate([dz_i, dz_f, dz_g, dz_o], axis=1).
    tanh_c = np.tanh(c)
    dc = dh * o * (1 - tanh_c**2) + dc  # (LS6)
    di = dc * g  # (LS7)
    df = dc * c_prev  # (LS7)
    dg = dc * i  # (LS7)
    do = dh * tanh_c  # (LS7)
    dz_i = di * i * (1 - i)  # (LS8)
    dz_f = df * f * (1 - f)  # (LS8)
    dz_g = dg * (1 - g**2)  # (LS8)
    dz_o = do * o * (1 - o)  # (LS8)
    dz = np.concatenate([dz_i, dz_f, dz_g, dz_o], axis=1)  # (B, 4 H)
    dx = dz @ W_ih  # (LS10)
    dh_prev = dz @ W_hh  # (LS10)
    dc_prev = dc * f  # (LS10)
    dW_ih = dz.T @ x  # (LS9)
    dW_hh = dz.T @ h_prev  # (LS9)
    db_ih = db_hh = dz.sum(axis=0)  # (LS9)
    # end
    return dx, dh_prev, dc_prev, dW_ih, dW_hh, db_ih, db_hh


# check
def cases(rng):
    for B, E, H in (2, 3, 2), (1, 2, 3), (3, 2, 2):
        shapes = (B, E), (B, H), (B, H), (4 * H, E), (4 * H, H), 4 * H, 4 * H
        yield "lstm_step", tuple(rng.standard_normal(shape) for shape in shapes)


SLIPS = [
    ("* f * (1 - f)", "", "The slope of the forget gate's sigmoid is missing: dz_f = df f (1 - f) (LS8)."),
    (" + dc  # (LS6)", "", "c_t is used twice: the gradient dc from the next step is missing (LS6)."),
    (" * (1 - tanh_c**2)", "", "The way back from h to c leads through tanh: its slope is missing (LS6)."),
    ("dh * o * (1 - tanh_c**2) + dc", "(dh + dc) * o * (1 - tanh_c**2)", "dc is added last (LS6)."),
    ("dc * c_prev", "dc * c", "The forget gate multiplies the cell state before the step, c_prev (LS7)."),
    ("dc_prev = dc * f", "dc_prev = dc", "On the way back to c_prev, dc is multiplied by the forget gate (LS10)."),
    ("dh * tanh_c", "dh * c", "h = o * tanh(c), so do has the factor tanh(c), not c (LS7)."),
    ("(1 - g**2)", "g * (1 - g)", "g comes from tanh, not from a sigmoid: its slope is 1 - g^2 (LS8)."),
    ("[dz_i, dz_f, dz_g, dz_o]", "[dz_i, dz_f, dz_o, dz_g]", "The order of the blocks is i, f, g, o (LS1)."),
]
