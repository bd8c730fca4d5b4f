"""Validation: the loss on the end of the text, which the model does not train on."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.checks import Array
from numpy_rnn.layers import CrossEntropyLoss
from numpy_rnn.layers.char_rnn_tape import CharRNNTape
from numpy_rnn.text.windows import IGNORED, validation_windows
from numpy_rnn.training.ranks import Ranks

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
    ranks: Ranks | None = None,
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
    ranks : Ranks, optional
        The processes that share the streams. None: this one alone.
    """
    windows = validation_windows(tokens, n, batch_size, seq_len, count)
    return mean_loss(model, windows, True, tape, pause, ranks or Ranks())


def mean_loss(
    model: CharRNN,
    windows: Iterable[tuple[Array, Array]],
    carry: bool,
    tape: Callable[[tuple[int, ...]], CharRNNTape | None],
    pause: Callable[[str], None],
    ranks: Ranks,
) -> float:
    """Return the mean loss over the targets that are not `IGNORED`; `carry` the state from one window to the next."""
    criterion = CrossEntropyLoss(reduction="sum", ignore_index=IGNORED)
    total, read, h, mode = 0.0, 0, None, model.training
    model.eval()
    try:
        for inputs, targets in windows:
            pause(f"validation: {read:,} characters read")
            share = ranks.share(inputs.shape[1])
            logits, h = model.forward(inputs[:, share], h if carry else None, tape(inputs[:, share].shape))
            total += criterion.forward(logits.reshape(-1, model.vocab_size), targets[:, share].reshape(-1))
            read += int(np.count_nonzero(targets != IGNORED))
    finally:
        model.train(mode)
    return ranks.sum(total)[0] / read
