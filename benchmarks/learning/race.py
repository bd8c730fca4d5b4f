"""The learning race: a probe of settings, then two trainings side by side, a chunk of steps at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contestants import AGAIN, CONTESTANTS, OURS, Contestant
from benchmarks.learning.results import Chunk, Learning, Trial
from benchmarks.measure.machine import describe
from benchmarks.measure.results import Entrant
from benchmarks.measure.workers import WorkerError, WorkerProcess
from benchmarks.problem import TOLERANCES
from numpy_rnn.training.trainer import Trainer

__all__ = ["run_learning"]

TORCH = tuple(contestant for contestant in CONTESTANTS if contestant.name in ("torch", "torch-fused"))

_AGREEMENT_STEPS = 3
_SWEEPS, _SAMPLE_SECONDS = 5, 0.2  # of the probe
_ANSWER_SECONDS = 3600.0  # a chunk of a large model takes long

Watch = Callable[[Learning], None]


def run_learning(text: str, trainer: Trainer, name: str, threads: Sequence[int], watch: Watch) -> Learning:
    """Find the better setting of each contestant, let both learn, and return what was found.

    Parameters
    ----------
    text : str
    trainer : Trainer
        Of this text; the contestants begin where it stands. It takes no step.
    name : str
        Of the text.
    threads : sequence of int
        The thread settings that are probed.
    watch : callable
        Called after each evaluation.

    Raises
    ------
    WorkerError
        A contestant cannot run, or they do not agree on what they compute.
    ValueError
        They learned nothing.
    """
    streams = trainer.streams
    learning = Learning(
        machine=describe(),
        text={
            "name": name,
            "chars": len(text),
            "train_chars": len(streams.tokens),
            "val_chars": trainer.val_length,
            "vocab_size": len(trainer.vocabulary),
        },
        options=dataclasses.asdict(trainer.options),
        parameters=trainer.model.parameters().data.size,
        windows=len(streams),
    )
    with tempfile.TemporaryDirectory(prefix="learning-") as cache:
        # The text as it was read: from a pipe, or a file that changes meanwhile, nobody could read it again.
        (Path(cache) / "text").write_text(text, "utf-8", newline="")
        runner = _Runner(learning, _reference(text, trainer), cache)
        runner.probe({Entrant(c.name, n): c for c in (OURS, *TORCH) for n in threads})
        runner.learn(watch)
    if not learning.levels():
        raise ValueError("the validation loss did not fall below that of the initial weights: take more steps")
    return learning


def _reference(text: str, trainer: Trainer) -> list[float]:
    """Return the first losses, of numpy_rnn in float64."""
    reference = Trainer(text, dataclasses.replace(trainer.options, dtype="float64"))
    return [reference.validate(), *(reference.train_step()[0] for _ in range(_AGREEMENT_STEPS))]


class _Runner:
    """A learning race under way."""

    def __init__(self, learning: Learning, reference: Sequence[float], cache: str) -> None:
        self.learning, self.reference, self.cache = learning, reference, cache

    def probe(self, entrants: Mapping[Entrant, Contestant]) -> None:
        """Time a few steps of every entrant, in turn and in random order."""
        with self._started(entrants) as workers:
            runs = {
                entrant: _ask(worker, do="warm", seconds=_SAMPLE_SECONDS)["runs"]
                for entrant, worker in workers.items()
            }
            for _ in range(_SWEEPS):
                for entrant in _shuffled(workers):
                    sample = _ask(workers[entrant], do="sample", runs=runs[entrant])
                    self.learning.trials.append(Trial(*entrant, sample["seconds"]))

    def learn(self, watch: Watch) -> None:
        """Let the two that the probe chose learn, numpy_rnn a second time as the control."""
        ours, theirs = self.learning.chosen()
        torch = next(c for c in TORCH if c.name == theirs.name)
        control = Entrant(AGAIN.name, ours.threads)
        steps, every = self.learning.options["steps"], self.learning.options["eval_every"]
        with self._started({ours: OURS, theirs: torch, control: AGAIN}) as workers:
            evaluations = [*range(0, steps, every), steps]
            for start, end in pairwise([0, *evaluations]):
                self._chunk(workers, start, end)
                watch(self.learning)

    def _chunk(self, workers: Mapping[Entrant, WorkerProcess], start: int, end: int) -> None:
        """Let everybody train from one step to another, one at a time in random order; then let them validate."""
        steps, timed = end - start, dict.fromkeys(workers, (0.0, 0.0))
        for entrant in _shuffled(workers) if steps else ():
            sample = _ask(workers[entrant], do="sample", runs=steps)
            timed[entrant] = steps * sample["seconds"], steps * sample["cpu_seconds"]
        for entrant, worker in workers.items():
            loss = _ask(worker, do="validate")["val_loss"]
            if not math.isfinite(loss):
                raise WorkerError(f"{entrant} has a validation loss of {loss} after step {end}: try a smaller --lr")
            self.learning.chunks.append(Chunk(entrant.name, end, steps, *timed[entrant], loss))

    @contextlib.contextmanager
    def _started(self, entrants: Mapping[Entrant, Contestant]) -> Iterator[dict[Entrant, WorkerProcess]]:
        """Yield a process of each, ready for the first step: all have agreed on what it is."""
        workers: dict[Entrant, WorkerProcess] = {}
        try:
            for entrant, contestant in entrants.items():
                workers[entrant] = WorkerProcess(contestant, entrant.threads, self.cache)
            for entrant, worker in workers.items():
                self.learning.versions[str(entrant)] = _hear(worker)
            for entrant, worker in workers.items():
                text, options = f"{self.cache}/text", self.learning.options
                begun = _ask(worker, do="begin", text=text, options=options, steps=_AGREEMENT_STEPS)
                self._check(entrant, begun["losses"])
            yield workers
        finally:
            for worker in workers.values():
                worker.close()

    def _check(self, entrant: Entrant, losses: Sequence[float]) -> None:
        if not np.allclose(losses, self.reference, rtol=TOLERANCES["train"], atol=0):  # nan does not agree either
            expected = f"{list(self.reference)} as of numpy_rnn in float64"
            raise WorkerError(f"{entrant} begins with the losses {losses}, expected {expected}")


def _shuffled(workers: Mapping[Entrant, WorkerProcess]) -> list[Entrant]:
    return random.sample(list(workers), len(workers))


def _ask(worker: WorkerProcess, **request: Any) -> dict[str, Any]:
    worker.tell(**request)
    return _hear(worker)


def _hear(worker: WorkerProcess) -> dict[str, Any]:
    try:
        return worker.hear(_ANSWER_SECONDS)
    except WorkerError as error:
        raise WorkerError(f"{worker.entrant}: {error}") from error
