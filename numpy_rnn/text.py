"""Text as numbers: a vocabulary of characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from numpy_rnn.checks import Array, as_indices, check_shape, to_numpy

__all__ = ["Vocabulary", "visible"]


class Vocabulary:
    """A numbering of distinct characters.

    Parameters
    ----------
    characters : iterable of str
        Character number 0, 1, ...; single characters, each once.
    """

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = tuple(characters)
        for character in self.characters:
            if not isinstance(character, str) or len(character) != 1:
                raise ValueError(f"characters must be single characters, got {character!r}")
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
        _check_str("text", text)
        if not text:
            raise ValueError("text is empty: there is nothing to make a vocabulary from")
        return cls(sorted(set(text)))

    def __len__(self) -> int:
        return len(self.characters)

    def __repr__(self) -> str:
        return f"Vocabulary({''.join(self.characters)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.characters == other.characters

    def __hash__(self) -> int:
        return hash(self.characters)

    def encode(self, text: str) -> Array:
        """Return the number of each character of `text`, shape (len(text),).

        Raises
        ------
        ValueError
            A character is not in the vocabulary.
        """
        _check_str("text", text)
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
        tokens = to_numpy("tokens", tokens)
        check_shape("tokens", tokens, (None,), "one number per character")
        if not tokens.size:  # an empty list is an array of floats
            return ""
        return "".join(self.characters[i] for i in as_indices("tokens", tokens, len(self)))


def _check_str(name: str, value: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, got {type(value).__name__}")


def visible(character: str) -> str:
    """Return a sign for a character that would not be seen by itself: ␣ for a space, ↵ for a newline, and so on."""
    if character in _SIGNS:
        return _SIGNS[character]
    if ord(character) < 32:
        return chr(0x2400 + ord(character))  # Unicode's pictures of the control characters
    return "\ufffd" if unicodedata.category(character)[0] in "CMZ" else character


_SIGNS = {" ": "␣", "\n": "↵", "\t": "⇥", "\x7f": "␡", "\xa0": "⍽"}
