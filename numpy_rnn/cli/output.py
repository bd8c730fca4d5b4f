"""Output of the commands: files, and standard output after its reader has gone."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import TextIO

from numpy_rnn.storage.files import reason

__all__ = ["check_output", "check_picture", "discard_output", "write_output"]


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
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise OSError(f"{flag} {path!r} cannot be written: {reason(error)}") from error


def discard_output(stream: TextIO | None = None) -> None:
    """Discard what a stream (standard output) still buffers, which Python would try to write again at exit."""
    with contextlib.suppress(io.UnsupportedOperation):  # no file behind it
        os.dup2(os.open(os.devnull, os.O_WRONLY), (stream or sys.stdout).fileno())
