"""Generation: feed the model its own predictions, one character at a time."""

from __future__ import annotations

import numpy as np

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.text import Vocabulary

__all__ = ["generate"]


def generate(model: CharRNN, vocabulary: Vocabulary, prompt: str, length: int) -> str:
    """Continue `prompt` greedily: the most probable character each time.

    Parameters
    ----------
    model : CharRNN
    vocabulary : Vocabulary
        The one that the model was trained with.
    prompt : str
        At least one character: what the model reads first.
    length : int
        Length of the whole text, the prompt included.

    Returns
    -------
    str
        `length` characters that begin with `prompt`.

    Raises
    ------
    ValueError
        The prompt is empty, longer than `length`, or has a character that the vocabulary lacks; or the
        vocabulary is not the model's size.
    """
    if not isinstance(vocabulary, Vocabulary):
        raise TypeError(f"vocabulary must be a Vocabulary, got {type(vocabulary).__name__}")
    if len(vocabulary) != model.vocab_size:
        raise ValueError(f"vocabulary has {len(vocabulary)} characters, expected the model's {model.vocab_size}")
    if not isinstance(prompt, str):
        raise TypeError(f"prompt must be a str, got {type(prompt).__name__}")
    if not prompt:
        raise ValueError("prompt is empty: generation starts from at least one character")
    if not isinstance(length, int | np.integer) or length < len(prompt):
        raise ValueError(f"length must be an integer of at least len(prompt) = {len(prompt)}, got {length!r}")
    tokens = vocabulary.encode(prompt).tolist()

    first, *upper = (directions[0] for directions in model.rnn.layers)
    upper_h = [np.zeros(model.hidden_size, model.dtype) for _ in upper]
    W_hh, W_fc, b_fc = first.weight_hh.data, model.fc.weight.data, model.parameters()["fc.bias"].data
    # Looking a row up commutes with the linear map that follows: W_ih weight[token] + b for every token at once.
    table = np.empty((len(vocabulary), model.hidden_size), model.dtype)
    h, z, logits = (np.zeros(size, model.dtype) for size in (model.hidden_size, model.hidden_size, model.vocab_size))
    first.project(model.embedding.weight.data, table, z)
    inputs = list(table)
    for position in range(length - 1):
        W_hh.dot(h, z)
        np.add(z, inputs[tokens[position]], z)
        np.tanh(z, h)
        output = h
        for layer, h_k in zip(upper, upper_h, strict=True):
            output = layer.step(output, h_k)
        if position >= len(prompt) - 1:
            W_fc.dot(output, logits)
            np.add(logits, b_fc, logits)
            tokens.append(int(logits.argmax()))
    return vocabulary.decode(tokens)
