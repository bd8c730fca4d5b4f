"""A text as numbers to train on, with what identifies it when a run is resumed."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.text.vocabulary import Vocabulary

__all__ = ["TokenizedText", "text_sha256", "tokenize"]

_PIECE = 1 << 16  # characters hashed at a time


class TokenizedText(NamedTuple):
    """What training needs of a text. The text itself need not stay in memory.

    Attributes
    ----------
    tokens : ndarray, shape (N,)
        One byte per character, or two if the vocabulary has more than 256.
    vocabulary : Vocabulary
    sha256 : str
        See `text_sha256`.
    """

    tokens: Array
    vocabulary: Vocabulary
    sha256: str


def tokenize(text: str, vocabulary: Vocabulary | None = None) -> TokenizedText:
    """Return the tokens of a text of at least two characters; its own vocabulary unless one is given.

    Raises
    ------
    ValueError
        The text is too short, or has characters that the vocabulary lacks.
    """
    vocabulary = Vocabulary.from_text(text) if vocabulary is None else vocabulary
    tokens = vocabulary.encode(text, np.min_scalar_type(len(vocabulary) - 1))
    if len(tokens) < 2:
        raise ValueError(f"text has length {len(text)}, expected at least 2: one to read and one to predict")
    return TokenizedText(tokens, vocabulary, text_sha256(text))


def text_sha256(text: str) -> str:
    """Return the SHA-256 of the text in UTF-8: that of its file, if that is UTF-8 with line ends of "\\n"."""
    digest = hashlib.sha256()
    for start in range(0, len(text), _PIECE):
        digest.update(text[start : start + _PIECE].encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
