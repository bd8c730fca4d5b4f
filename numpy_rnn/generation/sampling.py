"""Sampling: from the logits of one step to the character that is drawn.

For each character c, with r = 1, 2, ... its rank from the most probable on:

p[c] = exp((logits[c] - max) / temperature) / sum       the shift cancels; without it exp overflows     (1)
top-k: p[c] <- 0 where r > k                                                                            (2)
top-p: p[c] <- 0 where r > m, for the smallest m whose first m sum to at least top_p * sum p            (3)
p <- p / sum p                                                                                          (4)
the first c with p[0] + ... + p[c] > u, for u uniform in [0, 1), is c with probability p[c]             (5)

The order is the usual one, that of Hugging Face's transformers: top-p counts what temperature and top-k have left.
Characters of the same logit rank in the order of the vocabulary: exactly k stay, where there all that equal the k-th
would, and top_k=1 is greedy.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from numpy_rnn.checks import Array, as_number, as_probability, as_size, to_numpy

__all__ = ["Sampling", "draw", "finite_max", "softmax"]


def softmax(logits: ArrayLike, temperature: float = 1.0) -> Array:
    """Return the probabilities of the last dimension, equation (1), in float64 whatever the dtype of the logits.

    Raises
    ------
    FloatingPointError
        The largest logit of a row is nan or infinite.
    TypeError
        The logits are complex.
    """
    logits = to_numpy("logits", logits)
    if logits.dtype.kind == "c":
        raise TypeError(f"logits must be real, got dtype {logits.dtype}: there are no complex probabilities")
    with np.errstate(over="ignore"):  # -inf is as good as very small: exp makes zero of both
        p: Array = np.exp((logits.astype(np.float64) - finite_max(logits)) / temperature)
    p /= p.sum(axis=-1, keepdims=True)
    return p


def finite_max(logits: Array) -> Array:
    """Return the largest logit of each row, shape (*, 1); nan anywhere in a row is its maximum, and an error."""
    largest: Array = logits.max(axis=-1, keepdims=True)
    if not np.isfinite(largest).all():
        worst = largest[~np.isfinite(largest)][0]
        raise FloatingPointError(f"the largest logit is {worst}, expected a finite number: has training diverged?")
    return largest


def draw(p: Array, u: Array) -> Array:
    """Return the index (*,) that u falls on in each row, equation (5); p (*, V), u (*, 1) in [0, 1)."""
    reached = p.cumsum(axis=-1)
    # The last sum, 1 but for rounding, is above its product with any u < 1: the index is below V, and never that of
    # a p of zero, where the sum stands still.
    index: Array = (reached <= u * reached[..., -1:]).sum(axis=-1)
    return index


class Sampling:
    """What the next character is drawn from.

    Parameters
    ----------
    temperature : float, default 1
        Divides the logits; above 0. Towards 0 the most probable character wins, towards infinity all are alike.
    top_k : int, optional
        Keep the k most probable; of equal ones those first in the vocabulary. None, or more than there are: all.
    top_p : float, optional
        In (0, 1]. Keep as few of the most probable as together have this probability. None: all.

    References
    ----------
    A. Fan, M. Lewis and Y. Dauphin, "Hierarchical neural story generation", ACL 2018: top-k.
    A. Holtzman et al., "The curious case of neural text degeneration", ICLR 2020: top-p, or nucleus sampling.
    https://huggingface.co/docs/transformers/internal/generation_utils
    """

    def __init__(self, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None) -> None:
        self.temperature = as_number("temperature", temperature, low=-math.inf)
        if self.temperature <= 0:
            raise ValueError(f"temperature must be above 0, got {temperature}")
        self.top_k = None if top_k is None else as_size("top_k", top_k)
        self.top_p = None if top_p is None else as_probability("top_p", top_p)
        if self.top_p == 0:
            raise ValueError(f"top_p must be above 0, got {top_p}")

    def distribution(self, logits: ArrayLike) -> Array:
        """Return the probability with which each character is drawn.

        Parameters
        ----------
        logits : array, shape (*, V)

        Returns
        -------
        ndarray of float64, shape (*, V)

        Raises
        ------
        FloatingPointError
            The largest logit of a row is nan or infinite.
        """
        logits = to_numpy("logits", logits)
        p = softmax(logits, self.temperature)  # (1)
        if self.top_k is None and self.top_p is None:
            return p
        order = np.argsort(-logits, axis=-1, kind="stable")  # the logits tell apart what rounding made equal in p
        ranked = np.take_along_axis(p, order, axis=-1)
        if self.top_k is not None:
            ranked[..., self.top_k :] = 0  # (2)
        if self.top_p is not None:
            reached = ranked.cumsum(axis=-1)
            ranked[..., 1:][reached[..., :-1] >= self.top_p * reached[..., -1:]] = 0  # (3): enough came before it
        np.put_along_axis(p, order, ranked, axis=-1)
        p /= p.sum(axis=-1, keepdims=True)  # (4)
        return p
