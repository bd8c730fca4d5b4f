"""Exercise 8. Truncation: carry the state on, but not the gradient

    (R6)  dh_0 = W_hh^T dz_1       computed for each window, and not used

A long text is cut into windows of k steps. Each window starts from the last state of the window before, as a number,
and the gradient stops at the cut: dh_0 of a window goes nowhere. The weights are shared, so the gradients of all
windows add up. The last window is shorter if k does not divide T. See docs/backprop.md#truncation.

Write truncated. It runs rnn and rnn_backward, which are your functions of exercise 7, on x[:k], x[k:2k], and so on.
The output must be that of rnn on all of x. The gradients differ, because what crosses a cut is missing.
"""

import numpy as np

from numpy_rnn.learn.exercises.ex07_through_time import rnn, rnn_backward


def truncated(x, doutput, h_0, W_ih, W_hh, b_ih, b_hh, k):
    """x (T, B, E), doutput (T, B, H); return output (T, B, H), dW_ih, dW_hh, db_ih and db_hh"""
    # answer
    # hint: for start in range(0, len(x), k) gives all windows x[start : start + k], with the short one at the end.
    # hint: Keep h from window to window: h_0 at first, then output[-1] of the window that has just been done.
    output = np.zeros_like(doutput)
    gradients = [np.zeros_like(weight) for weight in (W_ih, W_hh, b_ih, b_hh)]
    h = h_0
    for start in range(0, len(x), k):
        window = slice(start, start + k)
        output[window], cache = rnn(x[window], h, W_ih, W_hh, b_ih, b_hh)
        dx, dh, *of_weights = rnn_backward(doutput[window], cache)  # dh is not used: the gradient stops here
        for total, gradient in zip(gradients, of_weights, strict=True):
            total += gradient
        h = output[window][-1]
    dW_ih, dW_hh, db_ih, db_hh = gradients
    # end
    return output, dW_ih, dW_hh, db_ih, db_hh


# check
def cases(rng):
    for T, B, E, H, k in (6, 2, 3, 2, 2), (5, 1, 2, 3, 2), (3, 2, 2, 2, 4), (4, 2, 2, 2, 1):
        weights = (rng.standard_normal(shape) for shape in ((H, E), (H, H), H, H))
        arrays = [rng.standard_normal(shape) for shape in ((T, B, E), (T, B, H), (B, H))]
        yield "truncated", (*arrays, *weights, k)


CARRY = "h = output[window][-1]"
FULL = "This is the full gradient. Nothing may go back across a cut: do not use dh_0 of a window."
SLIPS = [
    (CARRY, "pass", "Each window starts from h_0 again. Carry the state on, from one window to the next."),
    (CARRY, "h = np.zeros_like(h_0)", "The state is reset to zero at each cut. Carry the last state on."),
    (CARRY, "h = output[window][0]", "The state after the first step is carried on. Take the last one, [-1]."),
    ("total += gradient", "total[...] = gradient", "Only the last window's gradients are left. Add up those of all."),
    ("in range(0, len(x), k)", "in range(0, len(x) - len(x) % k, k)", "The last window is left out if it is short."),
    ("= gradients", "= rnn_backward(doutput, rnn(x, h_0, W_ih, W_hh, b_ih, b_hh)[1])[2:]", FULL),
]
