"""The process of one learner at one thread setting: that of `benchmarks.measure.worker`, with a training as its work.

The parent first sends "begin", below. Then it asks for steps by "sample" (or "warm"), as in the race: one run is one
training step; and between them for the validation loss, by "validate".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from benchmarks.contestants import Work
from benchmarks.measure.worker import Worker, main
from numpy_rnn.text.vocabulary import tokenize
from numpy_rnn.training.options import Options
from numpy_rnn.training.trainer import Trainer

__all__ = ["Learner", "LearningWorker"]


class Learner(Protocol):
    """What `learner(trainer, **options)` of a contestant's module returns: the face of `Trainer`."""

    def train_step(self) -> tuple[float, float]: ...

    def validate(self) -> float: ...


class LearningWorker(Worker):
    """One learner."""

    learner: Learner

    def begin(self, text: str, options: Mapping[str, Any], steps: int) -> dict[str, Any]:
        """Take a few steps, whose losses the parent compares; then make ready to begin anew, with all warm."""
        content, chosen = tokenize(Path(text).read_text("utf-8")), Options(**options)
        rehearsal: Learner = self.module.learner(Trainer(*content, chosen), **self.options)
        losses = [rehearsal.validate(), *(rehearsal.train_step()[0] for _ in range(steps))]
        self.learner = self.module.learner(Trainer(*content, chosen), **self.options)
        self.work = Work(self.learner.train_step, answer=None)
        return {"losses": losses}

    def validate(self) -> dict[str, Any]:
        return {"val_loss": self.learner.validate()}


if __name__ == "__main__":
    main(LearningWorker)
