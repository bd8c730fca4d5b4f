"""Standard output, once whoever read it has gone."""

from __future__ import annotations

import contextlib
import io
import os
import sys

__all__ = ["discard_output"]


def discard_output() -> None:
    """Send what standard output still holds nowhere: at exit Python would try to write it once more."""
    with contextlib.suppress(io.UnsupportedOperation):  # no file behind it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
