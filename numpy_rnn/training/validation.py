"""Validation: the loss on the end of the text, which the model does not train on."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.checks import Array
from numpy_rnn.layers import CrossEntropyLoss
from numpy_rnn.layers.char_rnn_tape import CharRNNTape
from numpy_rnn.text.windows import IGNORED, validation_windows

__all__ = ["mean_loss", "validation_loss"]


def validation_loss(
    model: CharRNN,
    tokens: Array,
    n: int,
    batch_size: int,
    seq_len: int,
    tape: Callable[[tuple[int, ...]], CharRNNTape | None] = lambda shape: None,
    count: int | None = None,
    pause: Callable[[str], None] = lambda doing: None,
) -> float:
    """Return the mean loss over the last `n` tokens, or `count` of them, in nats per character, with dropout off.

    Parameters
    ----------
    model : CharRNN
        In training or evaluation mode, which is restored afterwards.
    tokens, n, batch_size, seq_len, count
        See `validation_windows`.
    tape : callable
        Returns the tape to use for windows of a shape, or None for a new one.
    pause : callable
        Called before each window, with what is being done.
    """
    return mean_loss(model, validation_windows(tokens, n, batch_size, seq_len, count), True, tape, pause)


def mean_loss(
    model: CharRNN,
    windows: Iterable[tuple[Array, Array]],
    carry: bool,
    tape: Callable[[tuple[int, ...]], CharRNNTape | None],
    pause: Callable[[str], None],
) -> float:
    """Return the mean loss over the targets that are not `IGNORED`; `carry` the state from one window to the next."""
    criterion = CrossEntropyLoss(reduction="sum", ignore_index=IGNORED)
    total, read, h, mode = 0.0, 0, None, model.training
    model.eval()
    try:
        for inputs, targets in windows:
            pause(f"validation: {read:,} characters read")
            logits, h = model.forward(inputs, h if carry else None, tape(inputs.shape))
            total += criterion.forward(logits.reshape(-1, model.vocab_size), targets.reshape(-1))
            read += int(np.count_nonzero(targets != IGNORED))
    finally:
        model.train(mode)
    return total / read
