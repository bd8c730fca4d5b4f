"""A text of any length in pieces: reading it, and leaving out unknown characters."""

from __future__ import annotations

import codecs
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from numpy_rnn.checks import ArgumentError
from numpy_rnn.text.files import LOSSLESS, check_kind
from numpy_rnn.text.vocabulary import Vocabulary

__all__ = ["known_pieces", "read_pieces"]

_PIECE = 65536
_SHOWN = 20  # unknown characters in an error message


def read_pieces(name: str, encoding: str = "utf-8", errors: str = "strict", newline: str = "lf") -> Iterator[str]:
    """Yield the text of a file, or of standard input for "-", as `read_text` would return it."""
    try:
        codec = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding  # drops a byte order mark
        if name == "-" and sys.stdin is None:
            raise OSError("there is no standard input; name a file")
        path, ends = sys.stdin.fileno() if name == "-" else name, None if newline == "lf" else ""
        with open(path, encoding=codec, errors=errors, newline=ends, closefd=name != "-") as file:
            if errors != LOSSLESS:
                beginning: Any = file.buffer  # a BufferedReader, whose `peek` reads nothing
                check_kind(name, beginning.peek(), codecs.lookup(encoding).name)
            while piece := file.read(_PIECE):
                yield piece
    except LookupError:
        raise ArgumentError(
            "encoding", f"must be one that Python knows, such as 'latin-1', got {encoding!r}"
        ) from None
    except OSError as error:
        raise type(error)(f"cannot read {name!r}: {error.strerror or error}") from None
    except UnicodeError as error:
        why = getattr(error, "reason", error)
        raise ValueError(f"{name!r} is not {encoding}: {why}; give its --encoding, such as latin-1") from None


def known_pieces(
    pieces: Iterable[str], vocabulary: Vocabulary, name: str, skip: bool, unknown: Counter[str]
) -> Iterator[str]:
    """Yield the pieces without the characters that are not in the vocabulary, and count these in `unknown`.

    Raises
    ------
    ValueError
        After the last piece, if there are such characters and they are not to be skipped. (From the first one on,
        nothing is yielded.)
    """
    known, length = set(vocabulary.characters), 0
    for piece in pieces:
        length += len(piece)
        strange = set(piece) - known
        unknown.update({character: piece.count(character) for character in strange})
        if skip or not unknown:
            yield piece.translate(dict.fromkeys(map(ord, strange))) if strange else piece
    if unknown and not skip:
        n, most = unknown.total(), unknown.most_common(_SHOWN)
        names = ", ".join(f"{character!r} ({count:,})" for character, count in most)
        names += f" and {len(unknown) - len(most)} others" * (len(unknown) > len(most))
        raise ValueError(
            f"{name!r} has {n:,} of {length:,} characters that are not in the model's vocabulary: {names}; leave "
            "them out with --skip-unknown"
        )
