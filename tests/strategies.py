"""Shared hypothesis strategies. Arrays are generated from a drawn seed, which a failing test prints."""

import numpy as np
from hypothesis import strategies as st

__all__ = [
    "B",
    "T",
    "V",
    "class_scores",
    "class_targets",
    "class_weights",
    "dtypes",
    "ignore_indices",
    "layouts",
    "normal",
    "reductions",
    "rngs",
    "rows",
    "scales",
    "sizes",
    "tokens",
]

T = st.integers(1, 7)
B = st.integers(0, 4)
V = st.integers(2, 9)
sizes = st.integers(1, 6)  # embedding_dim, input_size, hidden_size, ...
dtypes = st.sampled_from([np.float64, np.float32])
rngs = st.integers(0, 2**32 - 1).map(np.random.default_rng)

# For losses over classes. `rows` is the shape of the targets: (), (N,), (N, d1) or (N, d1, d2).
rows = st.lists(st.integers(0, 4), max_size=3).map(tuple)
scales = st.sampled_from([0.1, 1, 30, 1000])  # 1000: exp overflows unless the logits are shifted
reductions = st.sampled_from(["mean", "sum", "none"])
ignore_indices = st.sampled_from([-100, -1, 0, 1, 255])

LAYOUTS = {
    "contiguous": lambda a: a,
    "fortran": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "reversed": lambda a: a[::-1].copy()[::-1],
    "read-only": lambda a: _read_only(a),
}
layouts = st.sampled_from(sorted(LAYOUTS))


def _read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def normal(rng, *shape, dtype=np.float64, layout="contiguous"):
    """Draw an array from N(0, 1) with the given memory layout."""
    return LAYOUTS[layout](rng.standard_normal(shape).astype(dtype))


def tokens(rng, V, *shape, layout="contiguous"):
    """Draw integers in [0, V)."""
    return LAYOUTS[layout](rng.integers(0, V, shape))


def class_scores(rng, rows, C, scale=1, **options):
    """Draw a score for each of C classes per row. The classes are along axis 1, or along the only axis."""
    scores = normal(rng, *rows[:1], C, *rows[1:], **options)
    return scores * scores.dtype.type(scale)


def class_targets(rng, rows, C, ignore_index=-100):
    """Draw a class for each row. None, some or all of them are ignore_index."""
    targets = rng.integers(0, C, rows)
    return np.where(rng.random(rows) < rng.choice([0, 0.3, 1]), ignore_index, targets)


def class_weights(rng, C, dtype=np.float64):
    """Draw class weights from [0.1, 1] and set one in four to zero."""
    return (rng.uniform(0.1, 1, C) * (rng.random(C) < 0.75)).astype(dtype)
