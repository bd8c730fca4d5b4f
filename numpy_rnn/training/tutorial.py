"""Training: full-text epochs of forward, backward and Adam."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.checks import Array
from numpy_rnn.optim.adam import Adam
from numpy_rnn.text.vocabulary import Vocabulary

__all__ = ["check_loss", "inputs_and_targets", "train_epochs"]


def inputs_and_targets(vocabulary: Vocabulary, text: str) -> tuple[Array, Array]:
    """Return each character of `text` but the last, and the one that follows it: two (T, 1) arrays."""
    if len(text) < 2:
        raise ValueError(f"text has length {len(text)}, expected at least 2: one to read and one to predict")
    tokens = vocabulary.encode(text).reshape(-1, 1)
    return tokens[:-1], tokens[1:]


def check_loss(loss: float, epoch: int) -> None:
    """Raise FloatingPointError if the loss is not finite."""
    if not math.isfinite(loss):
        raise FloatingPointError(f"the loss is {loss} at epoch {epoch}: training stopped (try a smaller lr)")


def train_epochs(
    model: CharRNN,
    vocabulary: Vocabulary,
    text: str,
    *,
    epochs: int,
    lr: float = 0.01,
    carry_hidden: bool = False,
) -> Iterator[float]:
    """Train on the whole text at once, one Adam step an epoch, and yield the loss of each epoch.

    Parameters
    ----------
    model : CharRNN
    vocabulary : Vocabulary
    text : str
        At least two characters.
    epochs : int
    lr : float, default 0.01
        Adam's step size.
    carry_hidden : bool, default False
        Start each epoch from the last state of the one before (as a number: no gradient flows back into it)
        instead of from zeros.

    Yields
    ------
    float
        Loss in nats per character, before the epoch's update.

    Raises
    ------
    FloatingPointError
        The loss is not finite; training stops before the update.
    """
    tokens, targets = inputs_and_targets(vocabulary, text)
    optimizer = Adam(model.parameters(), lr=lr)
    h_0 = None
    for epoch in range(1, epochs + 1):
        with np.errstate(all="ignore"):  # an overflow shows in the loss, which is checked
            loss, h_n = model.loss_and_gradients(tokens, targets, h_0)
            check_loss(loss, epoch)
            optimizer.step()
        if carry_hidden:
            h_0 = h_n
        yield loss
