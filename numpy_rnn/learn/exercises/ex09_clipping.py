"""Exercise 9. Clipping: a gradient that is too long keeps its direction

    (N1)  g <- g * min(1, c / (|g| + 1e-6))        c is max_norm

Here g is the one long vector of all gradients together, and |g| is the root of the sum of all its squares. See
docs/backprop.md#clipping-by-the-norm. Write clip. It returns new arrays and leaves those in `gradients` as they are.
"""

import numpy as np


def clip(gradients, max_norm):
    """gradients: a dictionary of arrays; return the dictionary of the clipped arrays, with the same keys"""
    # answer
    # hint: First one number, the norm: sum the squares of all elements of all arrays, and take the root.
    # hint: The scale min(1, max_norm / (norm + 1e-6)) is the same for all arrays. It never makes a gradient longer.
    norm = np.sqrt(sum((g**2).sum() for g in gradients.values()))  # (N1)
    scale = min(1, max_norm / (norm + 1e-6))  # (N1)
    clipped = {name: g * scale for name, g in gradients.items()}  # (N1)
    # end
    return clipped


# check

RTOL = 2e-6  # of norms above 1: the 1e-6 of (N1) is not what this is about


def cases(rng):
    for size, max_norm in (5, 1.0), (0.01, 5.0), (3, 2.5), (0, 1.0), (20, 0.5):
        yield "clip", ({"W": size * rng.standard_normal((3, 2)), "b": size * rng.standard_normal(3)}, max_norm)


SLIPS = [
    ("* scale for", "* min(1, max_norm / np.sqrt((g**2).sum())) for", "Use one norm for all arrays (N1)."),
    ("* scale for", "* np.minimum(1, max_norm / abs(g)) for", "Do not clip each element by itself (N1)."),
    ("min(1, max_norm / (norm + 1e-6))", "max_norm / (norm + 1e-6)", "Short gradients stay as they are (N1)."),
    ("min(1, max", "max(1, max", "The scale is the smaller of the two: it must never make g longer (N1)."),
    ("norm = np.sqrt(sum(", "norm = (sum(", "The root is missing: this is the squared norm (N1)."),
    ("(g**2).sum()", "abs(g).sum()", "This is a sum of absolute values. Sum the squares, and take the root (N1)."),
]
