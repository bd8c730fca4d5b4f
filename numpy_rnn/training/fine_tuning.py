"""Fine-tuning: a trained model goes on with another text, whose new characters are added to its vocabulary."""

from __future__ import annotations

import numpy as np

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.storage.model_file import model_options
from numpy_rnn.text.vocabulary import Vocabulary

__all__ = ["grown"]


def grown(
    model: CharRNN,
    vocabulary: Vocabulary,
    text: str,
    rng: np.random.Generator | int | None = None,
    dropout: float | None = None,
) -> tuple[CharRNN, Vocabulary]:
    """Return a copy of the model, and its vocabulary, with the new characters of `text`.

    The old characters keep their numbers, so their logits are those of the old model. Each new character gets a row
    in `embedding.weight`, `fc.weight` and `fc.bias`, with initial values from `rng`.

    Parameters
    ----------
    model, vocabulary : CharRNN, Vocabulary
        Not changed.
    text : str
    rng : numpy.random.Generator or seed, optional
        Draws the new rows, and becomes the `rng` of the copy.
    dropout : float, optional
        None: that of the model.
    """
    old = model_options(model)
    new = [c for c in Vocabulary.from_text(text).characters if c not in vocabulary.characters]
    vocabulary = Vocabulary([*vocabulary.characters, *new])
    old |= {"vocab_size": len(vocabulary), "dropout": model.rnn.dropout if dropout is None else dropout}
    copy = CharRNN(**old, rng=rng)
    for name, parameter in model.parameters().items():
        copy.parameters()[name].data[: len(parameter.data)] = parameter.data
    return copy, vocabulary
