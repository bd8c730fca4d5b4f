"""Exercise 5. Embedding: gather forward, scatter backward

    (E1)  x_n = row token_n of C
    (E2)  row v of dC = sum of dx_n over all n with token_n = v

The forward pass reads one row of C for each token. In the backward pass each dx_n goes to the row that it came from,
and a row that was read twice receives the sum. See docs/backprop.md#embedding. Write embedding_backward.
"""

import numpy as np


def embedding(tokens, C):
    """tokens (T, B) integers, C (V, E)"""
    x = C[tokens]  # (E1)  (T, B, E)
    return x, (tokens, C)


def embedding_backward(dx, cache):
    """dx (T, B, E); return dC (V, E)"""
    tokens, C = cache
    # answer
    # hint: Start from zeros in the shape of C, because rows that were not read have gradient zero.
    # hint: dC[tokens] += dx adds only one of several dx that belong to the same row. np.add.at adds all of them.
    dC = np.zeros_like(C)
    np.add.at(dC, tokens, dx)  # (E2)
    # end
    return dC


# check


def cases(rng):
    for T, B, V, E in (5, 2, 4, 3), (3, 1, 6, 2), (4, 3, 2, 2):
        tokens = rng.integers(V, size=(T, B))
        tokens[0] = tokens[1]  # so that a token occurs twice
        yield "embedding", (tokens, rng.standard_normal((V, E)))


REPEATED = (
    "A token that occurs twice must receive both gradients, and with an index array only the last one counts (E2)."
)
SLIPS = [
    ("np.add.at(dC, tokens, dx)", "dC[tokens] += dx", REPEATED + " += reads dC before it writes: use np.add.at."),
    ("np.add.at(dC, tokens, dx)", "dC[tokens] = dx", REPEATED),
    ("np.zeros_like(C)", "np.ones_like(C)", "Start from zeros: a row that was not read has gradient zero (E2)."),
    ("np.zeros_like(C)", "C.copy()", "dC is a gradient and starts from zeros, not from the values in C (E2)."),
    (
        "np.add.at(dC, tokens, dx)",
        "np.add.at(dC, tokens, dx); dC /= np.bincount(tokens.ravel(), minlength=len(C)).clip(1)[:, None]",
        "This is the mean over the places where a token occurs. It must be the sum: all uses add up (E2).",
    ),
    ("tokens, dx)", "tokens[:1], dx[:1])", "Only the first step is added. Every step reads a row of C (E2)."),
]
