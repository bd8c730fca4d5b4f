"""A RUN: the directory of one training.

    last.npz        the checkpoint to go on from
    best.npz        that of the lowest validation loss, if there is validation
    metrics.jsonl   one line of JSON after every few steps
    .lock           who trains holds it

A line of metrics is on the disk before the checkpoint that knows of it; what a stop leaves behind the last checkpoint
is dropped on resume, and made anew by the same steps.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any

from numpy_rnn.checks import Array
from numpy_rnn.storage.checkpoint import read_checkpoint, write_checkpoint
from numpy_rnn.storage.files import CheckpointError, atomic_write, reason, remove_leftovers, resolve
from numpy_rnn.storage.lock import lock
from numpy_rnn.training.metrics import read_lines
from numpy_rnn.training.state import state_of
from numpy_rnn.training.trainer import Trainer

__all__ = ["Run", "open_run"]


class Run:
    """The files of a RUN; see `open_run`."""

    def __init__(self, directory: str) -> None:
        self.last, self.best, self.metrics = (
            os.path.join(directory, name) for name in ("last.npz", "best.npz", "metrics.jsonl")
        )

    def exists(self) -> bool:
        return any(os.path.lexists(path) for path in (self.last, self.best, self.metrics))

    def read(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return the checkpoint to go on from."""
        arrays, header = read_checkpoint(self.last)
        if not isinstance(header.get("training"), dict):
            raise CheckpointError(f"{self.last!r} holds a model alone, without the state of a training to go on from")
        return arrays, header

    def save(self, trainer: Trainer, source: dict[str, Any], best: bool = False) -> None:
        """Write the checkpoint; if it is the best so far, beside it too, and first."""
        arrays, header = state_of(trainer)
        header["source"] = source
        for path in (self.best, self.last) if best else (self.last,):
            write_checkpoint(path, arrays, header)

    def append(self, metrics: dict[str, Any]) -> None:
        """Add a line to metrics.jsonl; it is on the disk when this returns."""
        line = json.dumps(metrics).encode() + b"\n"
        try:
            with open(resolve(self.metrics), "ab", buffering=0) as file:
                rest = memoryview(line)
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
        except OSError as error:
            raise OSError(f"{self.metrics!r} cannot be written: {reason(error)}") from error

    def drop_metrics_after(self, step: int) -> None:
        """Keep the lines of metrics.jsonl up to a step, and no line that is not whole."""
        if os.path.lexists(self.metrics):
            lines = [line for line in read_lines(self.metrics) if line["step"] <= step]
            with atomic_write(self.metrics) as file:
                file.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


@contextlib.contextmanager
def open_run(directory: str | os.PathLike[str], resume: bool = False) -> Iterator[Run]:
    """Hold a RUN for the length of the block: one that exists, to resume it, or a new one.

    Raises
    ------
    FileExistsError
        A new RUN would be where there is one already, where there is a file, or in a directory that is not empty.
    FileNotFoundError
        There is no RUN to resume.
    LockError
        Another training holds it.
    """
    directory = os.fspath(directory)
    run = Run(directory)
    if resume and not run.exists():
        raise FileNotFoundError(f"{directory!r} is no RUN to resume: there is no last.npz in it; check the path")
    try:
        os.makedirs(directory, exist_ok=True)
        others = sorted(name for name in os.listdir(directory) if not name.startswith("."))
    except FileExistsError:
        raise FileExistsError(f"{directory!r} is a file, expected a directory or a name that is not taken") from None
    except OSError as error:
        raise type(error)(f"{directory!r} cannot be made: {reason(error)}") from error
    if others and not run.exists():
        raise FileExistsError(
            f"{directory!r} is a directory with other things in it, {others[0]!r} for one: name a new or an empty one"
        )
    with lock(directory):
        if not resume and run.exists():
            raise FileExistsError(
                f"{directory!r} holds a training already: go on with --resume {directory} (in Python resume=True), "
                "or name another directory"
            )
        remove_leftovers(directory)
        yield run
