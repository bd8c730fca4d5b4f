"""Dropout between the layers of a recurrent network: inverted, so evaluation needs no scaling.

    mask = 0 with probability p, else 1 / (1 - p)

Reference: W. Zaremba, I. Sutskever and O. Vinyals, "Recurrent neural network regularization", arXiv:1409.2329 (2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from numpy_rnn.checks import Array, as_array, check_shape

__all__ = ["check_masks", "draw_masks"]


def draw_masks(
    p: float, count: int, shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator
) -> list[Array]:
    """Draw `count` masks of `shape`."""
    # In float32 always, so that a copy of the layer in another dtype draws the same masks.
    kept = [rng.random(shape, np.float32) >= p for _ in range(count)]
    return [mask * dtype.type(1 / (1 - p) if p < 1 else 0) for mask in kept]


def check_masks(masks: Sequence[ArrayLike], count: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> list[Array]:
    """Return the caller's masks as arrays; raise TypeError or ValueError unless there are `count` of `shape`."""
    if not isinstance(masks, list | tuple):
        raise TypeError(
            f"masks must be a list of arrays, one for each layer but the last, got {type(masks).__name__}"
        )
    if len(masks) != count:
        raise ValueError(f"masks has length {len(masks)}, expected num_layers - 1 = {count}")
    arrays = [as_array(f"masks[{k}]", mask, dtype) for k, mask in enumerate(masks)]
    for k, mask in enumerate(arrays):
        check_shape(f"masks[{k}]", mask, shape, "(T, B, num_directions * hidden_size)")
    return arrays
