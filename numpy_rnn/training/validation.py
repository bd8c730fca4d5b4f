"""Validation: the loss over the end of a text, which the model does not train on.

The last n of the N tokens are targets, each of them once. B streams share them out: stream b has those from position
e[b] to e[b + 1] - 1,

    e[b] = N - n + floor(b n / B)                                                               (1)

and before its first target it reads the `seq_len` characters in front of it (fewer where the training text is
shorter), without counting their loss. So each target is predicted from a state that at least as many characters have
made, as far as gradients flow back in training, and the loss hardly depends on B. Streams that begin with a state of
zeros have to guess at their starts: the more streams, the more of the text is a start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from numpy_rnn.char_rnn import CharRNN, CharRNNTape
from numpy_rnn.checks import Array
from numpy_rnn.layers import CrossEntropyLoss

__all__ = ["IGNORED", "validation_loss", "validation_windows"]

IGNORED = -100  # the ignore_index of CrossEntropyLoss, here as in torch


def validation_windows(tokens: Array, n: int, batch_size: int, seq_len: int) -> Iterator[tuple[Array, Array]]:
    """Yield the windows of one validation: inputs and targets, both (T, B).

    Parameters
    ----------
    tokens : array of int, shape (N,)
        The whole text, N >= n + 2.
    n : int
        How many tokens at its end are targets; at least 1.
    batch_size : int
        B, or n if that is less.
    seq_len : int
        The steps T of a window, and what each stream reads before its first target.

    Yields
    ------
    inputs, targets : ndarray of int, shape (T, B)
        The state is carried over windows, from zeros on. Targets that do not count are `IGNORED`.
    """
    B, N = min(batch_size, n), len(tokens)
    ends = N - n + np.arange(B + 1) * n // B  # (1)
    steps = min(seq_len, N - n - 2) + -(-n // B)  # a stream that is shorter by one target reads one character more
    for first in range(-steps, 0, seq_len):
        positions = ends[1:] + np.arange(first, min(first + seq_len, 0))[:, None]  # of the targets, (T, B)
        targets = np.where(positions >= ends[:-1], tokens[positions].astype(np.intp), IGNORED)
        yield tokens[positions - 1], targets


def validation_loss(
    model: CharRNN,
    tokens: Array,
    n: int,
    batch_size: int,
    seq_len: int,
    tape: Callable[[tuple[int, ...]], CharRNNTape | None] = lambda shape: None,
) -> float:
    """Return the mean loss over the last `n` tokens, in nats per character, with dropout off.

    Parameters
    ----------
    model : CharRNN
        Its mode is put back.
    tokens, n, batch_size, seq_len
        Of `validation_windows`.
    tape : callable
        Given the shape of a window, return the tape to write on; None: a new one.
    """
    criterion = CrossEntropyLoss(reduction="sum", ignore_index=IGNORED)
    total, h, mode = 0.0, None, model.training
    model.eval()
    try:
        for inputs, targets in validation_windows(tokens, n, batch_size, seq_len):
            logits, h = model.forward(inputs, h, tape(inputs.shape))
            total += criterion.forward(logits.reshape(-1, model.vocab_size), targets.reshape(-1))
    finally:
        model.train(mode)
    return total / n
