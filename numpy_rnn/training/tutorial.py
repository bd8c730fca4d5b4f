"""The tutorial's training loop: one short text, one Adam step per epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.optim.adam import Adam
from numpy_rnn.text.vocabulary import Vocabulary
from numpy_rnn.text.windows import inputs_and_targets

__all__ = ["check_loss", "train_epochs"]


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
    """Train on the whole text at once, one Adam step per epoch, and yield the loss of each epoch.

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
        Start each epoch from the final hidden state of the previous one instead of zeros. No gradient flows back
        into the previous epoch.

    Yields
    ------
    float
        Loss in nats per character, before the epoch's update.

    Raises
    ------
    FloatingPointError
        The loss is not finite. Training stops before the update.
    """
    tokens, targets = inputs_and_targets(vocabulary, text)
    optimizer = Adam(model.parameters(), lr=lr)
    h_0 = None
    for epoch in range(1, epochs + 1):
        with np.errstate(all="ignore"):  # an overflow makes the loss infinite or nan, which is checked
            loss, h_n = model.loss_and_gradients(tokens, targets, h_0)
            check_loss(loss, epoch)
            optimizer.step()
        if carry_hidden:
            h_0 = h_n
        yield loss
