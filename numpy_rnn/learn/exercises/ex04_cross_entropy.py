"""Exercise 4. Softmax and cross-entropy: where every gradient starts

    (C1)  e = exp(logits - max logits)
    (C2)  p = e / sum of e                                     one sum per row
    (C3)  loss = - (1/N) sum over n of log p_n,target_n
    (C4)  dlogits = (p - onehot(target)) / N

docs/backprop.md#softmax-and-cross-entropy explains why the maximum can be subtracted, and how the long derivative
becomes so short. Write both functions. The cache is yours: put into it whatever backward needs. The loss is one
number and its own gradient is 1, so backward takes the cache alone.
"""

import numpy as np


def cross_entropy(logits, targets):
    """logits (N, V), targets (N,) integers; return the mean loss and the cache"""
    # answer
    # hint: Subtract the maximum of each row (keepdims=True), since exp(1000) overflows. Divide by each row's sum.
    # hint: p[np.arange(N), targets] picks the probability of the right character in each row.
    e = np.exp(logits - logits.max(axis=1, keepdims=True))  # (C1)
    p = e / e.sum(axis=1, keepdims=True)  # (C2)  (N, V)
    N = len(targets)
    loss = -np.log(p[np.arange(N), targets]).mean()  # (C3)
    cache = p, targets
    # end
    return loss, cache


def cross_entropy_backward(cache):
    """Return dlogits (N, V)"""
    # answer
    # hint: Each row is p, with 1 subtracted at the target.
    # hint: Work on a copy of p, since p belongs to the cache. Divide by N, because the loss is a mean over N rows.
    p, targets = cache
    N, V = p.shape
    onehot = np.eye(V)[targets]
    dlogits = (p - onehot) / N  # (C4)
    # end
    return dlogits


# check
def cases(rng):
    for N, V, shift in (4, 3, 0), (2, 5, 0), (3, 3, 1000), (1, 2, 0):
        yield "cross_entropy", (rng.standard_normal((N, V)) + shift, rng.integers(V, size=N))


SLIPS = [
    ("(p - onehot) / N", "p - onehot", "The loss is a mean over N rows, so each row has the factor 1/N (C4)."),
    ("(p - onehot) / N", "(onehot - p) / N", "The sign is wrong: raising the right logit lowers the loss (C4)."),
    ("(p - onehot) / N", "p / N", "The target is missing: subtract 1 at the right character (C4)."),
    ("(p - onehot) / N", "(p - onehot) / p.size", "Divide by the number of rows, not of elements (C4)."),
    ("(p - onehot) / N", "p * (1 - p) / N", "p (1 - p) is only the diagonal of softmax's Jacobian (C4)."),
    ("targets]).mean()", "targets]).sum()", "The loss is the mean over the rows, and this is their sum (C3)."),
    ("loss = -np", "loss = np", "The sign is wrong: log p is negative, and the loss is -log p (C3)."),
    (" - logits.max(axis=1, keepdims=True)", "", "exp(1000) overflows: subtract the maximum of each row first (C1)."),
    ("e.sum(axis=1, keepdims=True)", "e.sum()", "Each row must sum to 1: divide it by its own sum (C2)."),
    ("e.sum(axis=1, keepdims=True)", "e.sum(axis=0)", "Sum over the characters, axis 1, not over the rows (C2)."),
]
