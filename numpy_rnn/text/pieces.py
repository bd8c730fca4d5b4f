"""A text of any length in pieces: reading it, and leaving out unknown characters."""

from __future__ import annotations

import codecs
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from numpy_rnn.checks import ArgumentError
from numpy_rnn.text.files import LOSSLESS, called, check_kind
from numpy_rnn.text.vocabulary import Vocabulary

__all__ = ["known_pieces", "read_pieces", "reading_of"]

_PIECE = 65536
_SHOWN = 20  # unknown characters in an error message


def reading_of(header: Mapping[str, Any], vocabulary: Vocabulary, encoding: str | None = None) -> dict[str, str]:
    """Return how a run has read its text, as arguments of `read_pieces`; `encoding` replaces that of the run."""
    if vocabulary.is_bytes:
        if encoding is not None:
            raise ArgumentError("encoding", f"is for texts, got {encoding!r}: this run reads bytes, which have none")
        return {"encoding": "ascii", "errors": LOSSLESS, "newline": "keep"}
    reading = {k: v for k, v in header.get("source", {}).items() if k in ("encoding", "errors", "newline")}
    return reading | ({} if encoding is None else {"encoding": encoding})


def read_pieces(name: str, encoding: str = "utf-8", errors: str = "strict", newline: str = "lf") -> Iterator[str]:
    """Yield the text of a file, or of standard input for "-", as `read_text` would return it."""
    start = b""
    try:
        codec = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding  # drops a byte order mark
        if name == "-" and sys.stdin is None:
            raise OSError("there is none; name a file")
        path, ends = sys.stdin.fileno() if name == "-" else name, None if newline == "lf" else ""
        with open(path, encoding=codec, errors=errors, newline=ends, closefd=name != "-") as file:
            if errors != LOSSLESS:
                buffer: Any = file.buffer  # a BufferedReader, whose `peek` reads nothing
                start = buffer.peek()
                check_kind(name, start, codecs.lookup(encoding).name)
            while piece := file.read(_PIECE):
                yield piece
    except LookupError:
        raise ArgumentError(
            "encoding", f"must be one that Python knows, such as 'latin-1', got {encoding!r}"
        ) from None
    except OSError as error:
        raise type(error)(f"cannot read {called(name)}: {error.strerror or error}") from None
    except UnicodeError as error:
        why, data = getattr(error, "reason", error), getattr(error, "object", start)
        advice = "--encoding utf-8" if _is_utf8(data) else "its --encoding, such as latin-1"
        raise ValueError(f"{called(name)} is not {encoding}: {why}; give {advice}") from None


def _is_utf8(data: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)  # its last character may be cut
    except UnicodeError:
        return False
    return True


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
        n, most = unknown.total(), sorted(unknown.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]
        names = ", ".join(f"{character!r} ({count:,})" for character, count in most)
        names += f" and {len(unknown) - len(most)} others" * (len(unknown) > len(most))
        raise ValueError(
            f"{called(name)} has {n:,} of {length:,} characters that are not in the model's vocabulary: {names}; "
            "leave them out with --skip-unknown"
        )
