"""The learning race: a probe of the settings, then training in turns, a chunk of steps at a time."""

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
_SWEEPS, _SAMPLE_SECONDS = 5, 0.2  # for the probe
_ANSWER_SECONDS = 3600.0  # a chunk can take long with a large model

Watch = Callable[[Learning], None]


def run_learning(text: str, trainer: Trainer, name: str, threads: Sequence[int], watch: Watch) -> Learning:
    """Find the fastest setting of each side, let both train, and return the result.

    Parameters
    ----------
    text : str
    trainer : Trainer
        A trainer of this text, from which all contestants start. It takes no step itself.
    name : str
        Name of the text.
    threads : sequence of int
        The thread settings to probe.
    watch : callable
        Called after each evaluation.

    Raises
    ------
    WorkerError
        A contestant cannot run, or two compute different results.
    ValueError
        The validation loss did not fall.
    """
    streams = trainer.streams
    learning = Learning(
        machine=describe(),
        text={
            "name": name,
            "chars": len(text),
            "train_chars": len(streams.tokens),
            "val_chars": trainer.plan.val_length,
            "vocab_size": len(trainer.vocabulary),
        },
        options=dataclasses.asdict(trainer.plan.options()),
        parameters=trainer.model.parameters().data.size,
        windows=len(streams),
    )
    with tempfile.TemporaryDirectory(prefix="learning-") as cache:
        # A copy, because a pipe cannot be read again, and a file might change.
        (Path(cache) / "text").write_text(text, "utf-8", newline="")
        runner = _Runner(learning, _reference(trainer), cache)
        runner.probe({Entrant(c.name, n): c for c in (OURS, *TORCH) for n in threads})
        runner.learn(watch)
    if not learning.levels():
        raise ValueError("the validation loss never fell below its initial value: take more steps")
    return learning


def _reference(trainer: Trainer) -> list[float]:
    """Return the first losses of numpy_rnn in float64."""
    options = dataclasses.replace(trainer.plan.options(), dtype="float64")
    reference = Trainer(trainer.tokens, trainer.vocabulary, options)
    return [reference.validate(), *(reference.train_step()[0] for _ in range(_AGREEMENT_STEPS))]


class _Runner:
    """A learning race in progress."""

    def __init__(self, learning: Learning, reference: Sequence[float], cache: str) -> None:
        self.learning, self.reference, self.cache = learning, reference, cache

    def probe(self, entrants: Mapping[Entrant, Contestant]) -> None:
        """Time a few steps of each entrant, in random order."""
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
        """Train with the settings chosen by the probe, and with a second numpy_rnn as the control."""
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
        """Let all entrants train from step `start` to `end`, one at a time in random order, then validate."""
        steps, timed = end - start, dict.fromkeys(workers, (0.0, 0.0))
        for entrant in _shuffled(workers) if steps else ():
            sample = _ask(workers[entrant], do="sample", runs=steps)
            timed[entrant] = steps * sample["seconds"], steps * sample["cpu_seconds"]
        for entrant, worker in workers.items():
            loss = _ask(worker, do="validate")["val_loss"]
            if not math.isfinite(loss):
                raise WorkerError(f"{entrant} has validation loss {loss} after step {end}: try a smaller --lr")
            self.learning.chunks.append(Chunk(entrant.name, end, steps, *timed[entrant], loss))

    @contextlib.contextmanager
    def _started(self, entrants: Mapping[Entrant, Contestant]) -> Iterator[dict[Entrant, WorkerProcess]]:
        """Yield a process for each entrant, ready for the first step, after a comparison of the first losses."""
        workers: dict[Entrant, WorkerProcess] = {}
        try:
            for entrant, contestant in entrants.items():
                workers[entrant] = WorkerProcess(contestant, entrant.threads, self.cache)
            for entrant, worker in workers.items():
                self.learning.versions[str(entrant)] = _hear(worker)
            for entrant, worker in workers.items():
                text, options = f"{self.cache}/text", self.learning.options
                begun = _ask(worker, do="begin", text=text, options=options, steps=_AGREEMENT_STEPS)
                agree = np.allclose(begun["losses"], self.reference, rtol=TOLERANCES["train"], atol=0)
                if not agree:  # also true for nan
                    expected = f"{list(self.reference)} (numpy_rnn in float64)"
                    raise WorkerError(f"{entrant} starts with the losses {begun['losses']}, expected {expected}")
            yield workers
        finally:
            for worker in workers.values():
                worker.close()


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
