"""Standard output and standard error, once whoever read them has gone."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TextIO

__all__ = ["discard_output"]


def discard_output(stream: TextIO | None = None) -> None:
    """Send what a stream (standard output) still holds nowhere: at exit Python would try to write it once more."""
    with contextlib.suppress(io.UnsupportedOperation):  # no file behind it
        os.dup2(os.open(os.devnull, os.O_WRONLY), (stream or sys.stdout).fileno())
