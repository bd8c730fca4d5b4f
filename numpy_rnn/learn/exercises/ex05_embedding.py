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


SLIPS = [
    ("np.add.at(dC, tokens, dx)", "dC[tokens] += dx", "Of a token that occurs twice, only one dx is kept (E2)."),
    (
        "np.add.at(dC, tokens, dx)",
        "dC[tokens] += dx.mean(axis=(0, 1))",
        "Each row gets the dx of its own tokens (E2).",
    ),
    ("np.zeros_like(C)", "np.ones_like(C)", "Start from zeros: a row that was not read has gradient zero (E2)."),
    ("np.zeros_like(C)", "C.copy()", "dC is a gradient: start from zeros, not from the values in C (E2)."),
    ("tokens, dx)", "tokens[:1], dx[:1])", "Only the first step is added. Every step reads rows of C (E2)."),
]
