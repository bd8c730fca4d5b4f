"""Stop texts: generation ends where one of them is complete, and leaves it out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from numpy_rnn.checks import ArgumentError
from numpy_rnn.text.vocabulary import Vocabulary

__all__ = ["Stops"]

T = TypeVar("T")


class Stops:
    """The texts that end generation. Of several that are complete at the same character, the longest counts.

    Parameters
    ----------
    stop : str, or several of them, or None
        None of them empty. All their characters must be in the vocabulary: the model can write no others.
    vocabulary : Vocabulary
    """

    def __init__(self, stop: str | Iterable[str] | None, vocabulary: Vocabulary) -> None:
        if stop is not None and not isinstance(stop, Iterable):
            raise TypeError(f"stop must be a str or several of them, got {type(stop).__name__}")
        self.texts: tuple[str, ...] = (stop,) if isinstance(stop, str) else tuple(stop or ())
        for text in self.texts:
            vocabulary.encode(text, name="stop")
            if not text:
                raise ArgumentError("stop", "must have at least one character, got ''")
        self.longest = max(map(len, self.texts), default=0)
        self._beginnings = {text[:n] for text in self.texts for n in range(1, len(text))}

    def at_end(self, text: str) -> int:
        """Return the length of the stop text that `text` ends with, 0 if there is none."""
        return max((len(stop) for stop in self.texts if text.endswith(stop)), default=0)

    def until(self, characters: Iterable[tuple[str, T]]) -> Iterator[tuple[str, T]]:
        """Yield the characters before the first stop text, each as soon as it cannot be part of one any more."""
        held: list[tuple[str, Any]] = []
        tail = ""
        for pair in characters:
            held.append(pair)
            tail = (tail + pair[0])[-self.longest :]
            if stop := self.at_end(tail):
                yield from held[:-stop]
                return
            begun = next((n for n in range(len(tail), 0, -1) if tail[-n:] in self._beginnings), 0)
            free = len(held) - begun
            yield from held[:free]
            del held[:free]
        yield from held

    def before(self, text: str) -> str:
        """Return the part of `text` before the first stop text."""
        if not self.texts:
            return text
        return "".join(character for character, _ in self.until((character, None) for character in text))
