"""Validation: the loss on the end of the text, which the model does not train on."""

from __future__ import annotations

from collections.abc import Callable

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.checks import Array
from numpy_rnn.layers import CrossEntropyLoss
from numpy_rnn.layers.char_rnn_tape import CharRNNTape
from numpy_rnn.text.windows import IGNORED, validation_windows

__all__ = ["validation_loss"]


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
        In training or evaluation mode, which is restored afterwards.
    tokens, n, batch_size, seq_len
        See `validation_windows`.
    tape : callable
        Returns the tape to use for windows of a shape, or None for a new one.
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
