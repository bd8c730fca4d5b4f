"""Signals that ask a program to stop: Ctrl-C, `kill` or a batch system, and a closed terminal."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

__all__ = ["Stop"]

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Stop:
    """In its block, the first of these signals is recorded so that the step can finish; a second ends the process.

    Attributes
    ----------
    status : int
        The exit status: 128 plus the number of the signal, or 0 if there was none.
    """

    def __init__(self) -> None:
        self.status = 0

    def __enter__(self) -> Stop:
        # An ignored SIGHUP stays ignored, as nohup requires.
        mine = [n for n in SIGNALS if n == signal.SIGINT or signal.getsignal(n) is not signal.SIG_IGN]
        self.before = {number: signal.signal(number, self._on_signal) for number in mine}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: Any) -> None:
        if self.status:
            os._exit(128 + number)
        self.status = 128 + number
        with contextlib.suppress(OSError):  # print is not reentrant
            os.write(2, b"\nnumpy-rnn: interrupted: finishing the step and saving; interrupt again to quit at once\n")
