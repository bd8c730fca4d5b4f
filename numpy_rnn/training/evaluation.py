"""Evaluation: how well a model predicts each character of a text of any length.

For the character c that follows at some place, with p the model's probabilities there,

bits = -log2 p[c]        rank = 1 + (characters more probable than c) + (equally probable ones before c)     (1)

Equally probable characters rank in the order of the vocabulary, as in sampling: top_k allows c if rank <= k.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.checks import Array
from numpy_rnn.generation.sampling import finite_max
from numpy_rnn.text.vocabulary import Vocabulary

__all__ = ["predictions"]

_WINDOW = 256  # characters in one forward pass


def predictions(
    model: CharRNN, vocabulary: Vocabulary, pieces: Iterable[str], lines: bool = False
) -> Iterator[tuple[Array, Array, Array]]:
    """Yield the tokens of all characters but the first, window by window, with their log p and their ranks.

    The state starts from zeros and is carried through the whole text, with dropout off.

    Parameters
    ----------
    model, vocabulary : CharRNN, Vocabulary
    pieces : iterable of str
        The text.
    lines : bool, default False
        Start from a state of zeros at each newline. The text should come from `line_pieces`.
    """
    mode, h, tokens = model.training, None, np.empty(0, np.intp)
    try:
        for piece in pieces:
            tokens = np.concatenate([tokens[-1:], vocabulary.encode(piece)])  # each read, and the one after it
            starts = np.arange(0, len(tokens) - 1, _WINDOW)
            if lines:
                newlines = np.flatnonzero(tokens[:-1] == vocabulary.encode("\n"))
                starts = np.union1d(starts, newlines)
            for start, end in pairwise([*starts.tolist(), len(tokens) - 1]):
                h = None if lines and start in newlines else h
                logits, h = model.eval().forward(tokens[start:end, None], h)
                yield _window(logits[:, 0].astype(np.float64), tokens[start + 1 : end + 1])
    finally:
        model.train(mode)


def _window(logits: Array, targets: Array) -> tuple[Array, Array, Array]:
    """Return the targets, their log p and their ranks, equation (1), for logits (T, V)."""
    logits = logits - finite_max(logits)
    target = logits[np.arange(len(targets)), targets][:, None]
    before = np.arange(logits.shape[1]) < targets[:, None]
    ranks = 1 + ((logits > target) | ((logits == target) & before)).sum(axis=1)
    return targets, target[:, 0] - np.log(np.exp(logits).sum(axis=1)), ranks
