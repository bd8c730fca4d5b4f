"""A line to standard error every two seconds, for forward passes that take long."""

from __future__ import annotations

import sys
import time

__all__ = ["Progress"]

EVERY = 2.0  # seconds


class Progress:
    """Counts forward passes, measures their time, and tells how many there have been."""

    def __init__(self, label: str) -> None:
        self.label, self.done, self.planned = label, 0, 0
        self.start = self.told = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds per forward pass."""
        return (time.monotonic() - self.start) / max(self.done, 1)

    def step(self) -> None:
        """Count a forward pass."""
        self.done += 1
        if (now := time.monotonic()) - self.told >= EVERY:
            self.told = now
            left = max(self.planned - self.done, 0)
            more = f", about {left} to go ({left * self.seconds:.0f} s)" if left else ""
            print(f"gradcheck of {self.label}: {self.done} forward passes{more}", file=sys.stderr, flush=True)
