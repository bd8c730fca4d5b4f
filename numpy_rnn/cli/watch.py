"""What `numpy-rnn train` shows: a progress bar if tqdm is installed and the output is a terminal, otherwise lines."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any

from numpy_rnn.cli.output import as_typed
from numpy_rnn.display.terminal import escape
from numpy_rnn.storage.files import reason
from numpy_rnn.training.progress import Progress
from numpy_rnn.training.trainer import Trainer

__all__ = ["OutputLost", "Watch"]

SILENCE = 5.0  # seconds without a line


class OutputLost(Exception):
    """Output can no longer be written: the pipe or terminal is closed, or the disk is full."""


class Watch:
    """Shows the progress of a run. Every method may raise OutputLost."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer, self.bar, self._said_at = trainer, None, time.monotonic()

    def start(self) -> None:
        """Show the bar, if there is one."""
        with _writing():
            self.bar = _bar(self.trainer)

    def show(self, progress: Progress | None) -> None:
        """Count a step, and show its progress if there is any."""
        if self.bar is not None:
            with _writing():
                self.bar.update()
                if progress is not None:
                    self.bar.set_postfix_str(progress.numbers())
        if progress is not None:
            line = str(progress) if self.bar is None else progress.validation()
            sample = [] if progress.sample is None else escape(as_typed(progress.sample)).split("\n")
            self.say("\n".join([line] * bool(line) + [f"  | {part}" for part in sample]))

    def remind(self, now: object) -> None:
        """Print `now` as text if there has been no line for a while."""
        if time.monotonic() > self._said_at + SILENCE:
            self.say(str(now))

    def say(self, text: str) -> None:
        """Print text, above the bar if there is one; print nothing if it is empty."""
        self._said_at = time.monotonic() if text else self._said_at
        with _writing():
            if text and self.bar is not None:
                self.bar.write(text)
            elif text:
                print(text, flush=True)

    def close(self) -> None:
        if self.bar is not None:
            with _writing():
                self.bar.close()


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise OutputLost("output closed") from error
    except OSError as error:
        raise OutputLost(f"output cannot be written: {reason(error)}") from error


def _bar(trainer: Trainer) -> Any:
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        return None
    return tqdm(total=trainer.plan.steps, initial=trainer.step, unit="step", dynamic_ncols=True)
