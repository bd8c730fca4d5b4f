"""Text as numbers: a vocabulary of characters."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from numpy_rnn.checks import Array, as_indices

__all__ = ["Vocabulary"]


class Vocabulary:
    """A numbering of distinct characters.

    Parameters
    ----------
    characters : iterable of str
        Character number 0, 1, ...; each once.
    """

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = tuple(characters)
        self._index = {character: i for i, character in enumerate(self.characters)}
        if not self.characters:
            raise ValueError("a vocabulary needs at least one character, got none")
        if len(self._index) < len(self.characters):
            raise ValueError("the characters of a vocabulary must be distinct")

    @classmethod
    def from_text(cls, text: str) -> Vocabulary:
        """Return the vocabulary of the distinct characters of `text`, in sorted order.

        Sorted, because the order of a set of strings differs from one Python process to the next.
        """
        if not isinstance(text, str):
            raise TypeError(f"text must be a str, got {type(text).__name__}")
        if not text:
            raise ValueError("text is empty: there is nothing to make a vocabulary from")
        return cls(sorted(set(text)))

    def __len__(self) -> int:
        return len(self.characters)

    def __repr__(self) -> str:
        return f"Vocabulary({''.join(self.characters)!r})"

    def encode(self, text: str) -> Array:
        """Return the number of each character of `text`, shape (len(text),).

        Raises
        ------
        ValueError
            A character is not in the vocabulary.
        """
        try:
            return np.array([self._index[character] for character in text], dtype=np.intp)
        except KeyError as error:
            unknown = error.args[0]
            raise ValueError(
                f"text has the character {unknown!r} at position {text.index(unknown)}, "
                f"which is not among the {len(self)} of the vocabulary"
            ) from None

    def decode(self, tokens: ArrayLike) -> str:
        """Return the text that a sequence of numbers stands for.

        Raises
        ------
        IndexError
            A number is negative or not below `len(vocabulary)`.
        """
        tokens = np.asarray(tokens)
        if not tokens.size:
            return ""
        return "".join(self.characters[i] for i in as_indices("tokens", tokens, len(self)))
