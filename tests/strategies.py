"""The hypothesis strategies that the tests share. Arrays come from a drawn seed, which a failure prints."""

import numpy as np
from hypothesis import strategies as st

__all__ = ["B", "T", "V", "dtypes", "layouts", "normal", "rngs", "sizes", "tokens"]

T = st.integers(1, 7)
B = st.integers(0, 4)
V = st.integers(2, 9)
sizes = st.integers(1, 6)  # embedding_dim, input_size, hidden_size, ...
dtypes = st.sampled_from([np.float64, np.float32])
rngs = st.integers(0, 2**32 - 1).map(np.random.default_rng)

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
    """Draw an array from N(0, 1), laid out in memory as `layout` says."""
    return LAYOUTS[layout](rng.standard_normal(shape).astype(dtype))


def tokens(rng, V, *shape, layout="contiguous"):
    """Draw integers in [0, V)."""
    return LAYOUTS[layout](rng.integers(0, V, shape))
