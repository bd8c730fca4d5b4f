"""Exercise 12. Find the bug: four backward passes that look right

Each of these functions has one wrong line, of a kind that has been published in tutorials, courses and libraries. The
forward passes are right. Find the lines, and correct them. You may read the report of the check, but try it first by
reading, with pencil and paper.
"""

import numpy as np


def softmax_loss(logits, targets):
    """logits (N, V), targets (N,)"""
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)  # (C2)
    loss = -np.log(p[np.arange(len(p)), targets]).mean()
    return loss, (p, targets)


def softmax_loss_backward(cache):
    p, targets = cache
    # answer
    # hint: Call this function twice with the same cache. Which gradients does the second call return?
    # hint: An assignment of arrays copies nothing: after it, two names belong to the same numbers.
    # stub: dlogits = p
    dlogits = p.copy()
    # end
    dlogits[np.arange(len(p)), targets] -= 1
    dlogits /= len(p)  # (C4)
    return dlogits


def states(x, h_0, W):
    """x (T, B, H), h_0 (B, H), W (H, H): h_t = tanh(x_t + W h_{t-1})"""
    h = np.zeros_like(x)
    for t in range(len(x)):
        before = h[t - 1] if t > 0 else h_0
        h[t] = np.tanh(x[t] + before @ W.T)
    return h, (x, h_0, W, h)


def states_backward(dh, cache):
    x, h_0, W, h = cache
    dx, dW, dh_next = np.zeros_like(x), np.zeros_like(W), np.zeros_like(h_0)
    for t in reversed(range(len(x))):
        dz = (dh[t] + dh_next) * (1 - h[t] ** 2)  # (R4)
        dx[t] = dz
        # answer
        # hint: Follow the loop to its last pass, t = 0. Which element of h is read there?
        # hint: h[-1] is the last state. The state before the first step is h_0.
        # stub: dW += dz.T @ h[t - 1]
        dW += dz.T @ (h[t - 1] if t > 0 else h_0)  # (R5)
        # end
        dh_next = dz @ W  # (R3)
    return dx, dh_next, dW


def tied(tokens, C):
    """tokens (N,), C (V, E): the embedding C is also the output layer, logits = C tanh(row token of C)"""
    h = np.tanh(C[tokens])  # (E1)  (N, E)
    logits = h @ C.T  # (L1)  (N, V)
    return logits, (tokens, C, h)


def tied_backward(dlogits, cache):
    tokens, C, h = cache
    dh = dlogits @ C  # (L2)
    dC = np.zeros_like(C)
    np.add.at(dC, tokens, dh * (1 - h**2))  # (E2)
    # answer
    # hint: C is used twice in the forward pass. How many terms does dC have?
    # hint: Both terms must be left in dC at the end.
    # stub: dC = dlogits.T @ h
    dC += dlogits.T @ h  # (L3)
    # end
    return dC


def relu_layer(x, W, b):
    """x (N, I), W (H, I), b (H,): h = max(W x + b, 0)"""
    z = x @ W.T + b
    h = np.maximum(z, 0)
    return h, (x, W, z)


def relu_layer_backward(dh, cache):
    x, W, z = cache
    # answer
    # hint: The slope of relu is 1 or 0. On which number does it depend?
    # hint: relu lets through what was positive forward. The sign of the gradient has nothing to do with it.
    # stub: dz = dh * (dh > 0)
    dz = dh * (z > 0)
    # end
    dx = dz @ W  # (L2)
    dW = dz.T @ x  # (L3)
    db = dz.sum(axis=0)  # (L4)
    return dx, dW, db


# check
def cases(rng):
    for N, V, E in (4, 3, 2), (5, 4, 3):
        yield "softmax_loss", (rng.standard_normal((N, V)), rng.integers(V, size=N))
        yield "states", tuple(rng.standard_normal(shape) for shape in ((N, V, E), (V, E), (E, E)))
        yield "tied", (rng.integers(V, size=N), rng.standard_normal((V, E)))
        yield "relu_layer", tuple(rng.standard_normal(shape) for shape in ((N, E), (V, E), V))


SLIPS = [
    ("p.copy()", "p", "dlogits = p copies nothing: the next two lines change p in the cache as well."),
    ("(h[t - 1] if t > 0 else h_0)", "h[t - 1]", "At t = 0, h[t - 1] is h[-1], the last state. It should be h_0."),
    ("(h[t - 1] if t > 0 else h_0)", "h[t]", "W multiplies the state before the step: h[t - 1], or h_0 at t = 0."),
    ("dC += dlogits", "dC = dlogits", "C is used twice, and the = forgets the first use, the lookup. Add both: +=."),
    ("(z > 0)", "(dh > 0)", "The slope of relu depends on z, not on the sign of the gradient that arrives."),
    ("(z > 0)", "(x @ W.T > 0)", "The slope of relu depends on all of z, the bias included."),
]
