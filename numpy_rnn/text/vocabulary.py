"""Text as integers: a vocabulary of characters."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from numpy_rnn.checks import ArgumentError, Array, as_indices, check_shape, to_numpy
from numpy_rnn.text.lines import line_pieces

__all__ = ["Vocabulary", "tokenize"]

# Each byte as a character: itself if it is ASCII, otherwise a lone surrogate (errors="surrogateescape").
_BYTES = tuple(bytes(range(256)).decode("ascii", "surrogateescape"))
_PIECE = 65536  # characters converted at a time, which keeps temporary arrays below 2 MB


class Vocabulary:
    """A mapping between characters and integers.

    Parameters
    ----------
    characters : iterable of str
        Characters 0, 1, ..., all distinct.
    """

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = tuple(characters)
        for character in self.characters:
            if not isinstance(character, str) or len(character) != 1:
                raise ValueError(f"characters must be single characters, got {character!r}")
        if not self.characters:
            raise ValueError("a vocabulary needs at least one character, got none")
        if len(set(self.characters)) < len(self.characters):
            raise ValueError("the characters of a vocabulary must be distinct")
        # The number of each code point, -1 if it has none. The last entry stands for all larger code points.
        codes = [ord(character) for character in self.characters]
        self._numbers = np.full(max(codes) + 2, -1, np.int32)
        self._numbers[codes] = np.arange(len(codes))

    @classmethod
    def from_text(cls, text: str) -> Vocabulary:
        """Return the vocabulary of the distinct characters of `text`, in sorted order.

        Sorted, because the order of a set of strings differs between Python processes.
        """
        _check_str("text", text)
        if not text:
            raise ArgumentError("text", "is empty: a vocabulary needs at least one character")
        seen = np.zeros(sys.maxunicode + 1, bool)
        for _, codes in _code_points(text):
            seen[codes] = True
        return cls(map(chr, np.flatnonzero(seen).tolist()))

    @classmethod
    def of_bytes(cls) -> Vocabulary:
        """Return the vocabulary of all 256 bytes, for `data.decode("ascii", "surrogateescape")` of any bytes."""
        return cls(_BYTES)

    @property
    def is_bytes(self) -> bool:
        return self.characters == _BYTES

    def __len__(self) -> int:
        return len(self.characters)

    def __repr__(self) -> str:
        return f"Vocabulary({''.join(self.characters)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.characters == other.characters

    def __hash__(self) -> int:
        return hash(self.characters)

    def encode(self, text: str, dtype: DTypeLike = np.intp, name: str = "text") -> Array:
        """Return the number of each character of `text`, shape (len(text),).

        Parameters
        ----------
        text : str
        dtype : dtype of integers, default intp
            `np.min_scalar_type(len(vocabulary) - 1)`, which is uint8 for up to 256 characters, needs an eighth of
            the memory. All layers accept it.
        name : str, default "text"
            The name of the argument in error messages.

        Raises
        ------
        ValueError
            Characters are not in the vocabulary (the message has all of them, with their first positions), or `dtype`
            is too narrow.
        """
        _check_str(name, text)
        tokens = np.empty(len(text), self._check_dtype(dtype))
        for start, codes in _code_points(text):
            numbers = self._numbers.take(codes, mode="clip")
            if numbers.min() < 0:
                unknown = [character for character in dict.fromkeys(text) if character not in self.characters]
                places = ", ".join(f"{character!r} at position {text.index(character)}" for character in unknown)
                words = ("character", "which is") if len(unknown) == 1 else ("characters", "which are")
                raise ArgumentError(
                    name, f"has the {words[0]} {places}, {words[1]} not among the {len(self)} of the vocabulary"
                )
            tokens[start : start + len(codes)] = numbers
        return tokens

    def _check_dtype(self, dtype: DTypeLike) -> DTypeLike:
        result = np.dtype(dtype)
        if result.kind not in "iu":
            raise TypeError(f"dtype must be an integer type, got {result}")
        if np.iinfo(result).max < len(self) - 1:
            raise ValueError(f"dtype {result} is too narrow for the numbers of {len(self)} characters")
        return result

    def decode(self, tokens: ArrayLike) -> str:
        """Return the text for a sequence of numbers.

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


def tokenize(text: str, vocabulary: Vocabulary | None = None, lines: bool = False) -> tuple[Array, Vocabulary]:
    """Return the tokens of a text, in the narrowest dtype, and the vocabulary: that of the text if None is given.

    With `lines`, the text is one of independent lines, to which `line_pieces` adds the newlines that `Lines` expects.
    """
    text = "".join(line_pieces([text])) if lines else text
    vocabulary = Vocabulary.from_text(text) if vocabulary is None else vocabulary
    return vocabulary.encode(text, np.min_scalar_type(len(vocabulary) - 1)), vocabulary


def _code_points(text: str) -> Iterator[tuple[int, Array]]:
    """Yield the code points of `text` in pieces, each with its position in the text."""
    for start in range(0, len(text), _PIECE):
        # In UTF-32 a character is its code point; "surrogatepass" includes lone surrogates.
        yield start, np.frombuffer(text[start : start + _PIECE].encode("utf-32-le", "surrogatepass"), "<i4")


def _check_str(name: str, value: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, got {type(value).__name__}")
