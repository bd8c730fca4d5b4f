"""Exercise 14. LSTM through time: two states with a future

    (LS5)   dh_t = doutput_t + W_hh^T dz_{t+1}                    the second term is dh_prev of step t + 1
    (LS6)   dc_t = ... + f_{t+1} * dc_{t+1}                       the second term is dc_prev of step t + 1
    (LS9)   the gradients of the weights are sums over t
    (LS10)  dh_0 and dc_0 are dh_prev and dc_prev of step 1

This is exercise 7 with two states. Use lstm_step_backward, your function of exercise 13. The outputs read h only, so
they add nothing to dc. See docs/backprop.md#the-lstm, and docs/backprop.md#why-the-cell-state-keeps-gradients-alive.
Write lstm_backward.
"""

import numpy as np

from numpy_rnn.learn.exercises.ex13_lstm_step import lstm_step, lstm_step_backward


def lstm(x, h_0, c_0, W_ih, W_hh, b_ih, b_hh):
    """x (T, B, E), h_0 and c_0 (B, H); return the states h after each step, (T, B, H)"""
    h, c, states, caches = h_0, c_0, [], []
    for t in range(len(x)):
        (h, c), cache = lstm_step(x[t], h, c, W_ih, W_hh, b_ih, b_hh)
        states.append(h)
        caches.append(cache)
    output = np.stack(states)
    return output, (x, W_ih, W_hh, caches)


def lstm_backward(doutput, cache):
    """doutput (T, B, H); return dx, dh_0, dc_0, dW_ih, dW_hh, db_ih and db_hh"""
    x, W_ih, W_hh, caches = cache
    # answer
    # hint: Loop from the last step to the first, with dh_next and dc_next, both zero at the start.
    # hint: lstm_step_backward(doutput[t] + dh_next, dc_next, caches[t]) returns the next dh_next and dc_next.
    dx, dW_ih, dW_hh = np.zeros_like(x), np.zeros_like(W_ih), np.zeros_like(W_hh)
    db_ih, db_hh = np.zeros((2, len(W_hh)))
    dh_next = np.zeros_like(doutput[0])
    dc_next = np.zeros_like(doutput[0])
    for t in reversed(range(len(x))):
        dh = doutput[t] + dh_next  # (LS5)
        of_step = lstm_step_backward(dh, dc_next, caches[t])  # (LS6)
        dx[t], dh_next, dc_next = of_step[:3]  # (LS10)
        dW_ih += of_step[3]  # (LS9)
        dW_hh += of_step[4]  # (LS9)
        db_ih += of_step[5]  # (LS9)
        db_hh += of_step[6]  # (LS9)
    dh_0, dc_0 = dh_next, dc_next  # (LS10)
    # end
    return dx, dh_0, dc_0, dW_ih, dW_hh, db_ih, db_hh


# check
def cases(rng):
    for T, B, E, H in (2, 1, 2, 1), (1, 2, 2, 3), (3, 2, 3, 2):
        shapes = (T, B, E), (B, H), (B, H), (4 * H, E), (4 * H, H), 4 * H, 4 * H
        yield "lstm", tuple(rng.standard_normal(shape) for shape in shapes)


SLIPS = [
    ("doutput[t] + dh_next", "doutput[t]", "Step t + 1 reads h_t too: what it sends back is missing (LS5)."),
    ("dh, dc_next, caches", "dh, 0 * dh, caches", "The cell state has a future too: hand dc_next to the step (LS6)."),
    ("dh, dc_next, caches", "dh, dh + dc_next, caches", "The outputs read h, not c: dc_next stays as it is (LS6)."),
    ("dh_next, dc_next = of_step", "dc_next, dh_next = of_step", "dh_prev is returned before dc_prev (LS10)."),
    ("dW_ih += ", "dW_ih = ", "The same weights are used at every step, so add up: +=, not = (LS9)."),
    ("dW_hh += ", "dW_hh = ", "The same weights are used at every step, so add up: +=, not = (LS9)."),
    ("in reversed(range(len(x)))", "in range(len(x))", "Go backward, from the last step to the first (LS5)."),
]
