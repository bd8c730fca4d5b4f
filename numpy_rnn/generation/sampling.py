"""Sampling: from the logits of one step to the next character.

For each character c, where r = 1, 2, ... is its rank, the most probable first:

p[c] = exp((logits[c] - max) / temperature) / sum       the shift cancels; without it exp overflows     (1)
top-k: p[c] <- 0 where r > k                                                                            (2)
top-p: p[c] <- 0 where r > m, for the smallest m whose first m sum to at least top_p * sum p            (3)
p <- p / sum p                                                                                          (4)
the first c with p[0] + ... + p[c] > u, for u uniform in [0, 1), is c with probability p[c]             (5)

The order is that of Hugging Face's transformers: top-p applies to what temperature and top-k have left. Characters
with equal logits rank in the order of the vocabulary. So top-k keeps exactly k characters, and top_k=1 is greedy;
transformers keeps all that equal the k-th.
"""

from __future__ import annotations

import math
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike

from numpy_rnn.checks import ArgumentError, Array, as_number, as_rng, as_size, to_numpy

__all__ = ["Sampling", "SamplingOptions", "draw", "finite_max", "softmax"]


def softmax(logits: ArrayLike, temperature: float = 1.0) -> Array:
    """Return the probabilities along the last axis, equation (1), always in float64.

    Raises FloatingPointError if the largest logit of a row is nan or infinite, TypeError for complex logits.
    """
    logits = to_numpy("logits", logits)
    if logits.dtype.kind == "c":
        raise TypeError(f"logits must be real, got dtype {logits.dtype}")
    with np.errstate(all="ignore"):  # -inf is fine: its exp is zero
        p: Array = np.exp((logits.astype(np.float64) - finite_max(logits)) / temperature)
        p /= p.sum(axis=-1, keepdims=True)
    return p


def finite_max(logits: Array) -> Array:
    """Return the largest logit of each row, shape (*, 1); raise FloatingPointError if it is nan or infinite."""
    largest: Array = logits.max(axis=-1, keepdims=True)
    if not np.isfinite(largest).all():
        worst = largest[~np.isfinite(largest)][0]
        raise FloatingPointError(f"the largest logit is {worst}, expected a finite number: has training diverged?")
    return largest


def draw(p: Array, u: Array) -> Array:
    """Return the index (*,) drawn from each row, equation (5), for p (*, V) and u (*, 1) uniform in [0, 1)."""
    reached = p.cumsum(axis=-1)
    # The last sum is 1 up to rounding, and above its product with any u < 1. So the index is below V, and never that
    # of a probability of zero, where the sum does not grow.
    index: Array = (reached <= u * reached[..., -1:]).sum(axis=-1)
    return index


class SamplingOptions(TypedDict, total=False):
    """The keyword arguments of `Sampling`, and of the functions that pass them on; see `generate`."""

    temperature: float | None
    top_k: int | None
    top_p: float | None
    rng: np.random.Generator | int | None


class Sampling:
    """How the next character is chosen: see `generate` for the parameters.

    References
    ----------
    A. Fan, M. Lewis and Y. Dauphin, "Hierarchical neural story generation", ACL 2018: top-k.
    A. Holtzman et al., "The curious case of neural text degeneration", ICLR 2020: top-p, or nucleus sampling.
    https://huggingface.co/docs/transformers/internal/generation_utils
    """

    def __init__(
        self,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self.rng: np.random.Generator | None = None  # greedy
        self.temperature = 0.0 if temperature is None else as_number("temperature", temperature)
        if not self.temperature:
            for name, value in (("top_k", top_k), ("top_p", top_p)):
                if value is not None:
                    raise ArgumentError(name, f"does nothing without a temperature above 0, got {value}")
            return
        self.rng = as_rng(rng)
        self.top_k = None if top_k is None else as_size("top_k", top_k)
        self.top_p = None if top_p is None else as_number("top_p", top_p, high=1, closed=True)
        if self.top_p == 0:
            raise ValueError(f"top_p must be above 0, got {top_p}")

    def choose(self, logits: Array) -> int:
        """Return the next token, given its logits (V,)."""
        if self.rng is None:
            token = int(logits.argmax())
            if not math.isfinite(logits[token]):  # argmax returns a nan if there is one
                finite_max(logits)
            return token
        return int(draw(self.distribution(logits), self.rng.random(1)))

    @np.errstate(under="ignore")
    def distribution(self, logits: ArrayLike) -> Array:
        """Return the probability of drawing each character, equations (1) to (4): float64 (*, V) for logits (*, V).

        Needs a temperature. Raises FloatingPointError if the largest logit of a row is nan or infinite.
        """
        logits = to_numpy("logits", logits)
        p = softmax(logits, self.temperature)  # (1)
        if self.top_k is None and self.top_p is None:
            return p
        order = np.argsort(-logits, axis=-1, kind="stable")  # by logits: rounding can make equal what differs in p
        ranked = np.take_along_axis(p, order, axis=-1)
        if self.top_k is not None:
            ranked[..., self.top_k :] = 0  # (2)
        if self.top_p is not None:
            reached = ranked.cumsum(axis=-1)
            ranked[..., 1:][reached[..., :-1] >= self.top_p * reached[..., -1:]] = 0  # (3)
        np.put_along_axis(p, order, ranked, axis=-1)
        p /= p.sum(axis=-1, keepdims=True)  # (4)
        return p
