"""Output of the commands: files and pictures, and standard output in any encoding, or after its reader has gone."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from numpy_rnn.display.pictures import render
from numpy_rnn.display.terminal import escape, quote
from numpy_rnn.storage.files import CheckpointError, atomic_write, reason

__all__ = [
    "as_bytes",
    "as_typed",
    "check_output",
    "check_picture",
    "discard_output",
    "prepare_output",
    "printer",
    "write_output",
    "write_picture",
]

ERRORS = "numpy_rnn"  # the name of `_write_anyway` among Python's error handlers


def prepare_output() -> None:
    r"""Make standard output accept every character, whatever its encoding, and replace closed streams.

    A character that the encoding does not have is written as in Python, such as \u2192. Bytes that Python has read as
    lone surrogates (errors="surrogateescape") are written as these bytes.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=ERRORS)


def _write_anyway(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):  # whoever captures standard output reads it with the same handler
        return codecs.replace_errors(error)
    error.end = error.start + 1
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)


codecs.register_error(ERRORS, _write_anyway)


def as_typed(text: str) -> str:
    """Return an argument as text: in the C locale, Python reads each byte of a character as a lone surrogate."""
    return text.encode("utf-8", ERRORS).decode("utf-8", "surrogateescape")


def as_bytes(text: str) -> str:
    """Return the bytes of a text in UTF-8, as `Vocabulary.of_bytes` writes them."""
    return text.encode("utf-8", "surrogateescape").decode("ascii", "surrogateescape")


def printer() -> Callable[[str], str]:
    """Return a function that prepares text, piece by piece: unchanged for files and pipes, escaped for a terminal."""
    if not sys.stdout.isatty():
        return str
    decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
    return lambda piece: escape(decode(piece.encode("utf-8", ERRORS)))


def check_output(flag: str, path: str) -> None:
    """Raise an error, before any work is done, if a file cannot be written at `path`."""
    if not path or Path(path).is_dir():
        raise ValueError(f"{flag} names {path!r}, expected a file" + ", not a directory" * bool(path))
    if not Path(path).parent.is_dir():
        raise ValueError(f"{flag} names the directory {str(Path(path).parent)!r}, which does not exist")


def check_picture(flag: str, path: str) -> None:
    """The same for a picture; matplotlib derives its format from the name."""
    if Path(path).suffix not in (".png", ".svg", ".pdf"):
        raise ValueError(f"{flag} must name a file that ends in .png, .svg or .pdf, got {path!r}")
    check_output(flag, path)


def write_output(flag: str, path: str, data: bytes) -> None:
    """Write a file. An existing one is replaced once the new one is complete; a device or a pipe is written to."""
    try:
        if Path(path).is_file() or not Path(path).exists():
            with atomic_write(path) as file:
                file.write(data)
        else:
            Path(path).write_bytes(data)
    except CheckpointError as error:
        raise OSError(f"{flag} {error}") from error
    except OSError as error:
        raise OSError(f"{flag} {path!r} cannot be written: {reason(error)}") from error


def write_picture(flag: str, path: str, figure: Any) -> None:
    """Write a matplotlib figure, and print where, and which characters no font has."""
    picture, missing = render(figure, Path(path).suffix[1:])
    write_output(flag, path, picture)
    print(f"(drawn in {quote(path)})")
    if missing:
        print(f"(no installed font has {escape(missing)}: drawn as boxes; install a font such as Noto Sans CJK)")


def discard_output(stream: TextIO | None = None) -> None:
    """Discard what a stream (standard output) still buffers, which Python would try to write again at exit."""
    with contextlib.suppress(io.UnsupportedOperation):  # no file behind it
        os.dup2(os.open(os.devnull, os.O_WRONLY), (stream or sys.stdout).fileno())
