"""A line to standard error every two seconds, for forward passes that take long."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from numpy_rnn.checks import Array

__all__ = ["Progress"]

EVERY = 2.0  # seconds


class Progress:
    """Counts forward passes, measures their time, and tells how many there have been."""

    def __init__(self, label: str) -> None:
        self.label, self.done, self.planned = label, 0, 0  # forward passes so far, and those that are known to come
        self.seconds = 1.0  # for the fastest: what else the machine does should not decide what is checked
        self.told = time.monotonic()

    def timed(self, forward: Callable[[], Array]) -> Array:
        """Call a forward pass, and tell how far the check is if there has been no word for a while."""
        start = time.monotonic()
        result = forward()
        now = time.monotonic()
        self.done, self.seconds = self.done + 1, min(self.seconds, max(now - start, 1e-6))
        if now - self.told >= EVERY:
            self.told = now
            left = max(self.planned - self.done, 0)
            more = f", about {left} to go ({left * self.seconds:.0f} s)" if left else ""
            print(f"gradcheck of {self.label}: {self.done} forward passes{more}", file=sys.stderr, flush=True)
        return result
