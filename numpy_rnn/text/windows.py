"""A text as windows for truncated backpropagation through time: B streams side by side, T steps at a time.

A text of N tokens has N - 1 pairs of a token and the one that follows it, its target. Stream b reads L of them:

    L = ceil((N - 1) / B),   start[b] = floor(b (N - 1 - L) / (B - 1))                          (1)
    inputs[t, b] = tokens[start[b] + k seq_len + t],   targets[t, b] = the one after it          (2)

in window k = 0, 1, ..., ceil(L / seq_len) - 1. So window k continues window k - 1 in every stream, and the hidden
state may be carried from one to the next. The last window has the L - k seq_len steps that are left.

The first stream begins with the text, the last one ends with it, and neighbours overlap by at most one pair (where B
does not divide N - 1): every token but the first is a target in every epoch, and at most B - 1 of them are twice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from numpy_rnn.checks import Array, as_number, as_size, check_shape, to_numpy

__all__ = ["Streams", "split"]


class Streams:
    """Windows of tokens, each a function of the step alone: to go on from a step, no more than its number is kept.

    `len(streams)` windows are one epoch; step `s` is window `s % len(streams)` of epoch `s // len(streams)`.

    Parameters
    ----------
    tokens : array of int, shape (N,)
        N >= 2; of any dtype of integers, which the windows keep. It is not copied.
    batch_size : int
        B, the number of streams; at most N - 1.
    seq_len : int
        The steps T of a window. May be larger than a stream is long, L: then an epoch is one window of L steps.

    Raises
    ------
    ValueError
        The text is shorter than two tokens, or too short for `batch_size` streams.
    """

    def __init__(self, tokens: ArrayLike, batch_size: int, seq_len: int) -> None:
        self.tokens = _check_tokens(tokens)
        self.batch_size = as_size("batch_size", batch_size)
        self.seq_len = as_size("seq_len", seq_len)
        B, pairs = self.batch_size, len(self.tokens) - 1
        if pairs < 1:
            raise ValueError(f"tokens has length {pairs + 1}, expected at least 2: one to read and one to predict")
        if pairs < B:
            raise ValueError(
                f"batch_size must be at most {pairs}, one less than the {pairs + 1} tokens of the text, got {B}"
            )
        self.length = -(-pairs // B)  # L
        self.starts = np.arange(B) * (pairs - self.length) // max(B - 1, 1)  # (1)

    def __len__(self) -> int:
        """Return the number of windows in an epoch."""
        return -(-self.length // self.seq_len)

    def is_start(self, step: int) -> bool:
        """Return whether the streams begin anew at this step: the hidden state is zero there, and not carried."""
        return _check_step(step) % len(self) == 0

    def window(self, step: int) -> tuple[Array, Array]:
        """Return the inputs and targets of a step, new arrays (T, B): time first.

        Parameters
        ----------
        step : int
            0, 1, ..., counted through all epochs.

        Returns
        -------
        inputs, targets : ndarray, shape (T, B)
            T is `seq_len`, in the last window of an epoch whatever is left.
        """
        first = _check_step(step) % len(self) * self.seq_len
        t = np.arange(first, min(first + self.seq_len, self.length))
        positions = t[:, None] + self.starts  # (T, B)
        return self.tokens[positions], self.tokens[positions + 1]  # (2)


def split(tokens: ArrayLike, val_fraction: float) -> tuple[Array, Array]:
    """Cut a text in two: the part to train on, and the last `val_fraction` of it to validate with.

    Parameters
    ----------
    tokens : array of int, shape (N,)
    val_fraction : float
        In [0, 1). 0: nothing is kept for validation, and the second part is empty.

    Returns
    -------
    train, val : ndarray, shape (N - n,) and (n,)
        n = val_fraction * N, rounded; views.

    Raises
    ------
    ValueError
        A part would have fewer than the two tokens that streams need.
    """
    tokens = _check_tokens(tokens)
    val_fraction = as_number("val_fraction", val_fraction, 0, 1)
    N = len(tokens)
    n = round(val_fraction * N)
    if N - n < 2 or (val_fraction > 0 and n < 2):
        advice = "take val_fraction=0, or a longer text" if val_fraction > 0 else "take a longer text"
        raise ValueError(
            f"val_fraction={val_fraction:g} cuts {N} tokens into {N - n} and {n}, expected at least 2 each: {advice}"
        )
    return tokens[: N - n], tokens[N - n :]


def _check_tokens(tokens: ArrayLike) -> Array:
    tokens = to_numpy("tokens", tokens)
    check_shape("tokens", tokens, (None,), "one number per character")
    if tokens.size and tokens.dtype.kind not in "iu":  # an empty list is an array of floats
        raise TypeError(f"tokens must be integers, got dtype {tokens.dtype}")
    return tokens


def _check_step(step: int) -> int:
    if isinstance(step, bool) or not isinstance(step, int | np.integer):
        raise TypeError(f"step must be an integer, got {step!r}")
    if step < 0:
        raise ValueError(f"step must be at least 0, got {step}")
    return int(step)
