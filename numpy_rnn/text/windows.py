"""A text as windows for truncated backpropagation through time: B streams side by side, T steps at a time.

A text of N tokens has N - 1 pairs of a token and its target, the token after it. Each stream reads L of them:

    L = ceil((N - 1) / B),   start[b] = floor(b (N - 1 - L) / (B - 1))                          (1)
    inputs[t, b] = tokens[start[b] + k T + t],   targets[t, b] = the token after it             (2)

in window k = 0, 1, ..., ceil(L / T) - 1. Window k continues window k - 1 in every stream, so the hidden state can be
carried from one to the next. The last window has the L - k T steps that are left.

The first stream starts where the text starts, the last one ends where it ends, and neighbours overlap by at most one
pair (if B does not divide N - 1). So every token but the first is a target in every epoch, and at most B - 1 of them
are targets twice.

Validation reads the last n tokens as targets, each exactly once. B streams share them: stream b has the targets at
positions e[b] to e[b + 1] - 1,

    e[b] = N - n + floor(b n / B)                                                               (3)

and first reads the T characters before them (fewer if the training text is shorter), whose loss is not counted. So
each target is predicted from a state that has seen at least T characters, and the loss hardly depends on B. Streams
that start from a state of zeros would have to guess at their starts: the more streams, the more guesses.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from numpy_rnn.checks import ArgumentError, Array, as_size, check_shape, to_numpy
from numpy_rnn.text.vocabulary import Vocabulary

__all__ = ["IGNORED", "Streams", "inputs_and_targets", "validation_windows", "windows_per_epoch"]

IGNORED = -100  # the ignore_index of CrossEntropyLoss, here as in torch


def inputs_and_targets(vocabulary: Vocabulary, text: str) -> tuple[Array, Array]:
    """Return a short text as one window, two arrays (T, 1): all its characters but the last, all but the first."""
    if len(text) < 2:
        raise ArgumentError("text", f"has length {len(text)}, expected at least 2: one to read and one to predict")
    tokens = vocabulary.encode(text).reshape(-1, 1)
    return tokens[:-1], tokens[1:]


def windows_per_epoch(length: int, batch_size: int, seq_len: int) -> int:
    """Return the number of windows for a text of `length` tokens."""
    return -(-_stream_length(length, batch_size) // seq_len)


def _stream_length(length: int, batch_size: int) -> int:
    return -(-(length - 1) // batch_size)  # L of (1)


class Streams:
    """The windows to train on. Each depends on the step alone, so the step is all that a checkpoint has to keep.

    `len(streams)` windows make an epoch. Step `s` reads window `s % len(streams)` of epoch `s // len(streams)`.

    Parameters
    ----------
    tokens : array of int, shape (N,)
        N >= 2. Any integer dtype, which the windows keep. Not copied.
    batch_size : int
        B, the number of streams, at most N - 1.
    seq_len : int
        T, the number of steps in a window. If it is larger than L, an epoch is one window of L steps.

    Raises
    ------
    ValueError
        The text has fewer than two tokens, or too few for `batch_size` streams.
    """

    def __init__(self, tokens: ArrayLike, batch_size: int, seq_len: int) -> None:
        self.tokens = _check_tokens(tokens)
        self.batch_size = as_size("batch_size", batch_size)
        self.seq_len = as_size("seq_len", seq_len)
        B, N = self.batch_size, len(self.tokens)
        if N < 2:
            raise ValueError(f"tokens has length {N}, expected at least 2: one to read and one to predict")
        if B > N - 1:
            raise ArgumentError(
                "batch_size", f"must be at most {N - 1}, one less than the {N} characters to train on, got {B}"
            )
        self.length = _stream_length(N, B)
        self.starts = np.arange(B) * (N - 1 - self.length) // max(B - 1, 1)  # (1)

    def __len__(self) -> int:
        """Return the number of windows in an epoch."""
        return windows_per_epoch(len(self.tokens), self.batch_size, self.seq_len)

    def is_start(self, step: int) -> bool:
        """Return whether this step begins an epoch: its hidden state starts from zero instead of the previous one."""
        return as_size("step", step, 0) % len(self) == 0

    def window(self, step: int) -> tuple[Array, Array]:
        """Return the inputs and targets of step 0, 1, ... (counted through all epochs), two new arrays (T, B).

        The last window of an epoch may be shorter than `seq_len`.
        """
        first = as_size("step", step, 0) % len(self) * self.seq_len
        t = np.arange(first, min(first + self.seq_len, self.length))
        positions = t[:, None] + self.starts  # (T, B)
        return self.tokens[positions], self.tokens[positions + 1]  # (2)


def validation_windows(
    tokens: Array, n: int, batch_size: int, seq_len: int, count: int | None = None
) -> Iterator[tuple[Array, Array]]:
    """Yield the windows of one validation: inputs and targets, both (T, B).

    The state is carried from one window to the next, starting from zeros. Targets that do not count are `IGNORED`.

    Parameters
    ----------
    tokens : array of int, shape (N,)
        The whole text, N >= n + 2.
    n : int
        The number of tokens at its end that are targets, at least 1.
    batch_size : int
        B; n streams if that is less.
    seq_len : int
        T, the steps in a window, and what each stream reads before its first target.
    count : int, optional
        If it is below n, only this many targets count, spread evenly: the last floor(count / B) of each stream. There
        are `count` streams if that is less than B.
    """
    B, N = min(batch_size, n, n if count is None else count), len(tokens)
    ends = N - n + np.arange(B + 1) * n // B  # (3)
    starts, most = ends[:-1], -(-n // B)
    if count is not None and count < n:
        starts, most = ends[1:] - count // B, count // B
    steps = min(seq_len, N - n - 2) + most  # a stream with one target less reads one character more before them
    for first in range(-steps, 0, seq_len):
        positions = ends[1:] + np.arange(first, min(first + seq_len, 0))[:, None]  # of the targets, (T, B)
        targets = np.where(positions >= starts, tokens[positions].astype(np.intp), IGNORED)
        yield tokens[positions - 1], targets


def _check_tokens(tokens: ArrayLike) -> Array:
    tokens = to_numpy("tokens", tokens)
    check_shape("tokens", tokens, (None,), "one number per character")
    if tokens.size and tokens.dtype.kind not in "iu":  # an empty list is an array of floats
        raise TypeError(f"tokens must be integers, got dtype {tokens.dtype}")
    return tokens
