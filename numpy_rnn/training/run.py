"""A RUN: the directory of one training run.

    last.npz        the checkpoint to resume from
    best.npz        the checkpoint with the lowest validation loss, if there is validation
    metrics.jsonl   one line of JSON every few steps
    .lock           locked by the process that is training

Metrics are on disk before the checkpoint that follows them. Lines that are ahead of the last checkpoint are dropped
on resume, and written again when the same steps are repeated.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any

from numpy_rnn.checks import Array
from numpy_rnn.display.terminal import quote
from numpy_rnn.storage.checkpoint import read_checkpoint, write_checkpoint
from numpy_rnn.storage.files import CheckpointError, atomic_write, lock, reason, remove_leftovers, resolve
from numpy_rnn.training.metrics import read_lines
from numpy_rnn.training.state import state_of
from numpy_rnn.training.trainer import Trainer

__all__ = ["Run", "open_run"]


class Run:
    """The files of a RUN; see `open_run`.

    Attributes
    ----------
    threads : int or None
        The number of threads in use, if it is known: it is saved, because it can change the last digits of results.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.threads: int | None = None
        self.last, self.best, self.metrics = (
            os.path.join(directory, name) for name in ("last.npz", "best.npz", "metrics.jsonl")
        )

    def exists(self) -> bool:
        return any(os.path.lexists(path) for path in (self.last, self.best, self.metrics))

    def read(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return the arrays and the header of the checkpoint to resume from."""
        arrays, header = read_checkpoint(self.last)
        if not isinstance(header.get("training"), dict):
            raise CheckpointError(f"{self.last!r} has only a model, not the state of a training run to resume")
        return arrays, header

    def save(self, trainer: Trainer, source: dict[str, Any], best: bool = False) -> None:
        """Write last.npz, and before it best.npz if this is the best so far."""
        arrays, header = state_of(trainer)
        header["source"] = source
        if self.threads is not None:
            header["threads"] = self.threads
        for path in (self.best, self.last) if best else (self.last,):
            write_checkpoint(path, arrays, header)

    def append(self, metrics: dict[str, Any]) -> None:
        """Append a line to metrics.jsonl and flush it to disk."""
        try:
            with open(resolve(self.metrics), "ab") as file:
                file.write(json.dumps(metrics).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OSError(f"{self.metrics!r} cannot be written: {reason(error)}") from error

    def drop_metrics_after(self, step: int) -> None:
        """Drop the lines of metrics.jsonl after a step, and any incomplete line."""
        if os.path.lexists(self.metrics):
            lines = [line for line in read_lines(self.metrics) if line["step"] <= step]
            with atomic_write(self.metrics) as file:
                file.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


@contextlib.contextmanager
def open_run(directory: str | os.PathLike[str], resume: bool = False) -> Iterator[Run]:
    """Lock a RUN for the duration of the block: an existing one to resume, or a new one.

    Raises
    ------
    FileExistsError
        The directory of a new RUN already has one or is not empty, or there is a file of that name.
    FileNotFoundError
        There is no RUN to resume.
    LockError
        Another process is training it.
    """
    directory = os.fspath(directory)
    if not directory:
        raise ValueError("the name of the RUN is empty: name a directory")
    if resume and os.path.isfile(directory):
        parent = os.path.dirname(directory) or "."
        raise FileNotFoundError(f"{directory!r} is a file, expected the directory of a run: --resume {quote(parent)}")
    run = Run(directory)
    if resume and not run.exists():
        raise FileNotFoundError(f"{directory!r} is not a RUN: it has no last.npz to resume from; check the path")
    try:
        os.makedirs(directory, exist_ok=True)
        others = sorted(name for name in os.listdir(directory) if not name.startswith("."))
    except FileExistsError:
        raise FileExistsError(f"{directory!r} is a file, expected a directory or a new name") from None
    except OSError as error:
        raise type(error)(f"{directory!r} cannot be created: {reason(error)}") from error
    if others and not run.exists():
        raise FileExistsError(
            f"{directory!r} is a directory with other files in it, such as {others[0]!r}: name a new or an empty one"
        )
    with lock(directory):
        if not resume and run.exists():
            raise FileExistsError(
                f"{directory!r} already has a run: continue it with --resume {quote(directory)} "
                "(in Python, resume=True), or name another directory"
            )
        remove_leftovers(directory)
        yield run
