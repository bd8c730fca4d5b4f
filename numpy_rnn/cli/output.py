"""What the commands write: files, and standard output once whoever read it has gone."""

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
    """Refuse, before work is done for it, a file that cannot be written: in no directory, or one itself."""
    if not path or Path(path).is_dir():
        raise ValueError(f"{flag} names {path!r}, expected a file" + " and not a directory" * bool(path))
    if not Path(path).parent.is_dir():
        raise ValueError(f"{flag} names the directory {str(Path(path).parent)!r}, which does not exist")


def check_picture(flag: str, path: str) -> None:
    """The same for a picture, whose format matplotlib takes from its name."""
    if Path(path).suffix not in (".png", ".svg", ".pdf"):
        raise ValueError(f"{flag} must name a file that ends in .png, .svg or .pdf, got {path!r}")
    check_output(flag, path)


def write_output(flag: str, path: str, data: bytes) -> None:
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise OSError(f"{flag} {path!r} cannot be written: {reason(error)}") from error


def discard_output(stream: TextIO | None = None) -> None:
    """Send what a stream (standard output) still holds nowhere: at exit Python would try to write it once more."""
    with contextlib.suppress(io.UnsupportedOperation):  # no file behind it
        os.dup2(os.open(os.devnull, os.O_WRONLY), (stream or sys.stdout).fileno())
