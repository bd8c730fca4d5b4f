"""A text of independent lines, such as names, in batches: B lines side by side, the shorter ones padded.

The text has a newline before the first line and after each line (see `line_pieces`). A line c_1 ... c_n is read from
the newline before it, and the newline after it is its last target:

    inputs[:, b] = newline, c_1, ..., c_n, padding      targets[:, b] = c_1, ..., c_n, newline, IGNORED ...      (1)

Every line starts from a state of zeros, so the same newline marks the start and the end. The model is causal: nothing
that is counted depends on the padding after it.

Each epoch is a new order of the lines, drawn from the seed and the number of the epoch. The last batch of an epoch
has columns of padding in place of missing lines, so that B is always the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

import numpy as np

from numpy_rnn.checks import Array, as_size

__all__ = ["Lines", "line_lengths", "line_pieces"]

IGNORED = -100  # the ignore_index of CrossEntropyLoss, as in windows.py


class Lines:
    """Batches of lines, with the methods of `Streams`. Each depends on the step alone.

    Parameters
    ----------
    tokens : array of int, shape (N,)
        The text, which begins and ends with a newline. Not copied.
    batch_size : int
        B, the number of lines in a batch.
    val_lines : int, default 0
        The number of lines that are kept for validation, drawn from the seed.
    seed : int, default 0

    Attributes
    ----------
    lengths, seq_len : ndarray, int
        The steps of each line, one more than its characters; the most of them.
    trained, held_out : ndarray
        The numbers of the lines to train on, and of those that are kept for validation.
    """

    def __init__(self, tokens: Array, batch_size: int, val_lines: int = 0, seed: int = 0) -> None:
        self.tokens, self.batch_size, self.seed = tokens, batch_size, seed
        self.starts, self.lengths = _newlines(tokens), line_lengths(tokens)
        self.seq_len = self.length = int(self.lengths.max())
        order = np.random.default_rng(seed).permutation(len(self.lengths))
        self.held_out, self.trained = order[:val_lines], order[val_lines:]
        self._order: tuple[int, Array] = (-1, order)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return -(-len(self.trained) // self.batch_size)

    def is_start(self, step: int) -> bool:
        """Every line starts from a hidden state of zeros."""
        return True

    def window(self, step: int) -> tuple[Array, Array]:
        """Return the inputs and targets of step 0, 1, ... (counted through all epochs), two new arrays (T, B)."""
        epoch, batch = divmod(as_size("step", step, 0), len(self))
        if self._order[0] != epoch:
            self._order = epoch, np.random.default_rng([self.seed, epoch]).permutation(self.trained)
        return self._batch(self._order[1][batch * self.batch_size :][: self.batch_size])

    def validation(self, chars: float = math.inf) -> Iterator[tuple[Array, Array]]:
        """Yield batches of the lines that are kept for validation, until they have at least `chars` targets."""
        for first in range(0, len(self.held_out), self.batch_size):
            if self.lengths[self.held_out[:first]].sum() < chars:
                yield self._batch(self.held_out[first : first + self.batch_size])

    def _batch(self, lines: Array) -> tuple[Array, Array]:
        """Return inputs and targets of some lines, equation (1)."""
        T = int(self.lengths[lines].max())
        grain = 1 << max(0, T.bit_length() - 3)  # few different T, for each of which the trainer keeps a tape
        t = np.arange(-(-T // grain) * grain)[:, None]
        starts, lengths = np.zeros((2, self.batch_size), np.intp)
        starts[: len(lines)], lengths[: len(lines)] = self.starts[lines], self.lengths[lines]
        positions = np.where(t < lengths, starts + t, 0)  # padding is the first newline
        return self.tokens[positions], np.where(t < lengths, self.tokens[positions + 1].astype(np.intp), IGNORED)


def line_lengths(tokens: Array) -> Array:
    """Return the number of steps of each line, its characters and one newline."""
    lengths = np.diff(_newlines(tokens))
    if not lengths.size:
        raise ValueError("the text has no lines: expected at least one that is not empty")
    return lengths


def _newlines(tokens: Array) -> Array:
    return np.flatnonzero(tokens == tokens[0])


def line_pieces(pieces: Iterable[str]) -> Iterator[str]:
    """Yield a text with a newline before the first line and after each line, and without empty lines."""
    last = "\n"
    yield last
    for piece in pieces:
        kept = re.sub("\n+", "\n", piece)
        kept = kept.removeprefix("\n") if last == "\n" else kept
        if kept:
            last = kept[-1]
            yield kept
    if last != "\n":
        yield "\n"
