"""What asks a program to stop: Ctrl-C, `kill` or a batch system, a closed terminal, and the end of a time limit.

Imports nothing but the standard library, so that Ctrl-C has its effect from the start.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any, NoReturn

__all__ = ["Stop", "quick_exit"]

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Stop:
    """In its block, the first of these signals is recorded so that the step can finish; a second ends the process.

    That applies once `saves` is called. Before, while the text is read, there is nothing to save: a signal ends the
    block with KeyboardInterrupt or SystemExit, and the time limit with TimeoutError (not on Windows).

    Parameters
    ----------
    minutes : float, optional
        The time limit. A text that takes less than a second to read is read in any case.

    Attributes
    ----------
    status : int
        The exit status: 128 plus the number of the signal, or 0 if there was none.
    quiet : bool
        Whether another process says that there was a signal.
    """

    def __init__(self, minutes: float | None = None) -> None:
        self.status, self.quiet, self._minutes, self._saves = 0, False, minutes, False
        self._deadline = float("inf") if minutes is None else time.monotonic() + 60 * minutes

    def __enter__(self) -> Stop:
        # An ignored SIGHUP stays ignored, as nohup requires.
        mine = [n for n in SIGNALS if n == signal.SIGINT or signal.getsignal(n) is not signal.SIG_IGN]
        self.before = {number: signal.signal(number, self._on_signal) for number in mine}
        if self._minutes is not None and hasattr(signal, "setitimer"):
            self.before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._on_time)
            signal.setitimer(signal.ITIMER_REAL, min(max(60 * self._minutes, 1.0), 1e8))
        return self

    def __exit__(self, *exception: object) -> None:
        self.saves()  # ends the timer
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def saves(self) -> None:
        """From now on, something can be saved."""
        self._saves = True
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)

    def __bool__(self) -> bool:
        """Whether there was a signal, or the time is over."""
        return self.status > 0 or time.monotonic() > self._deadline

    def _on_time(self, number: int, frame: Any) -> NoReturn:
        raise TimeoutError(f"--minutes {self._minutes:g} are over before the first step")

    def _on_signal(self, number: int, frame: Any) -> None:
        if not self._saves:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)
        if self.status:
            os._exit(128 + number)
        self.status = 128 + number
        if not self.quiet:
            words = b"\nnumpy-rnn: interrupted: finishing the step and saving; interrupt again to quit at once\n"
            with contextlib.suppress(OSError):  # print is not reentrant
                os.write(2, words)


@contextlib.contextmanager
def quick_exit() -> Iterator[None]:
    """In its block, while modules are imported, Ctrl-C ends the process: an exception could get lost in an import."""

    def leave(number: int, frame: Any) -> NoReturn:
        os.write(2, b"numpy-rnn: interrupted\n")
        os._exit(128 + number)

    if threading.current_thread() is not threading.main_thread():  # only the main thread can set a handler
        yield
        return
    before = signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
