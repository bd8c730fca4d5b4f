"""Exercise 7. Back through time: a state with a future

    (R3)  dh_t = doutput_t + W_hh^T dz_{t+1}       and at the last step dh_T = doutput_T
    (R4)  dz_t = dh_t * (1 - h_t^2)
    (R5)  dW_ih = sum over t of dz_t x_t^T, dW_hh = sum over t of dz_t h_{t-1}^T, db_ih = db_hh = sum over t of dz_t
    (R6)  dx_t = W_ih^T dz_t, dh_0 = W_hh^T dz_1

The step of exercise 6, T times, with the same weights each time. The state h_t is used twice: it is the output of
step t, and step t + 1 reads it. So its gradient has two terms, and the second one is known only after step t + 1 has
been done backward. See docs/backprop.md#recurrence. Write rnn_backward.
"""

import numpy as np


def rnn(x, h_0, W_ih, W_hh, b_ih, b_hh):
    """x (T, B, E), h_0 (B, H); return the states after each step, (T, B, H)"""
    h = np.empty((len(x) + 1, *h_0.shape), h_0.dtype)  # step t reads h[t] and computes h[t + 1]
    h[0] = h_0
    for t in range(len(x)):
        z = x[t] @ W_ih.T + b_ih + h[t] @ W_hh.T + b_hh  # (R1)
        h[t + 1] = np.tanh(z)  # (R2)
    output = h[1:].copy()
    return output, (x, h, W_ih, W_hh)


def rnn_backward(doutput, cache):
    """doutput (T, B, H); return dx, dh_0, dW_ih, dW_hh, db_ih and db_hh"""
    x, h, W_ih, W_hh = cache
    # answer
    # hint: Loop from the last step to the first. Keep what step t sends back to step t - 1, dz @ W_hh, in a variable.
    # hint: At step t, dh is doutput[t] plus what step t + 1 has sent back, which is zero at the last step.
    dx, dW_ih, dW_hh = np.zeros_like(x), np.zeros_like(W_ih), np.zeros_like(W_hh)
    db_ih, db_hh = np.zeros((2, len(W_hh)))
    dh_next = np.zeros_like(h[0])  # what comes back from step t + 1
    for t in reversed(range(len(x))):
        dh = doutput[t] + dh_next  # (R3)
        dz = dh * (1 - h[t + 1] ** 2)  # (R4)
        dW_ih += dz.T @ x[t]  # (R5)
        dW_hh += dz.T @ h[t]  # (R5)
        db_ih += dz.sum(axis=0)  # (R5)
        db_hh += dz.sum(axis=0)  # (R5)
        dx[t] = dz @ W_ih  # (R6)
        dh_next = dz @ W_hh  # (R3)
    dh_0 = dh_next  # (R6)
    # end
    return dx, dh_0, dW_ih, dW_hh, db_ih, db_hh


# check
def cases(rng):
    for T, B, E, H in (4, 2, 3, 2), (1, 2, 2, 3), (3, 1, 2, 2):
        x, h_0 = rng.standard_normal((T, B, E)), rng.standard_normal((B, H))
        yield "rnn", (x, h_0, *(rng.standard_normal(shape) for shape in ((H, E), (H, H), H, H)))


USES = "The state h_t is used twice: as the output of step t, and by step t + 1."
SLIPS = [
    ("doutput[t] + dh_next", "doutput[t]", USES + " The gradient of the second use is missing (R3)."),
    ("doutput[t] + dh_next", "dh_next if t < len(x) - 1 else doutput[t]", USES + " Add both gradients (R3)."),
    ("dz @ W_hh ", "dh @ W_hh ", "Step t + 1 reads h_t through its own z: send back dz @ W_hh (R3)."),
    ("dz @ W_hh ", "dz @ W_hh.T ", "Forward multiplies by W_hh.T, so backward multiplies by W_hh (R3)."),
    ("dz @ W_hh ", "dh_next + dz @ W_hh ", "Replace what was sent back: step t reads it once (R3)."),
    ("1 - h[t + 1] ** 2", "1 - h[t] ** 2", "Step t computes h[t + 1], so its slope is 1 - h[t + 1]^2 (R4)."),
    ("* (1 - h[t + 1] ** 2)", "", "The slope of tanh is missing: dz = dh (1 - h^2) (R4)."),
    ("dz.T @ h[t]", "dz.T @ h[t + 1]", "Step t reads h[t], the state before it: W_hh multiplies that one (R5)."),
    ("dW_hh += ", "dW_hh = ", "The same W_hh is used at every step, so add up: +=, not = (R5)."),
    ("dW_ih += ", "dW_ih = ", "The same W_ih is used at every step, so add up: +=, not = (R5)."),
    ("reversed(range(len(x)))", "range(len(x))", "Go backward, from the last step to the first (R3)."),
    ("reversed(range(len(x)))", "reversed(range(1, len(x)))", "The loop leaves out the first step, t = 0 (R5)."),
]
