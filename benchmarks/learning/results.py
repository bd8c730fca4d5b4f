"""The result of a learning race: the seconds of every chunk of steps and the validation loss after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from statistics import median
from typing import Any, NamedTuple

from benchmarks.contestants import AGAIN, OURS
from benchmarks.measure.results import Entrant, thread_count
from benchmarks.measure.saved import Saved
from benchmarks.measure.statistics import Interval, bootstrap_median, noise, paired_ratios

__all__ = ["Chunk", "Curve", "Learning", "Level", "Trial"]

PAIRS = 20  # fewest pairs of chunks in a published race

# The options that a report needs.
_OPTIONS = {"num_layers", "hidden_size", "embedding_dim", "dtype", "steps", "batch_size", "seq_len", "lr", "schedule",
            "warmup_steps", "clip", "seed", "eval_every"}  # fmt: skip


class Trial(NamedTuple):
    """A sample of the probe before the race: mean seconds of a step at a thread setting."""

    name: str
    threads: int
    seconds: float


class Chunk(NamedTuple):
    """The steps of a contestant before an evaluation. The first chunk has none: it evaluates the initial weights."""

    name: str
    step: int  # at the end of the chunk
    steps: int  # in the chunk
    seconds: float  # wall time of the chunk
    cpu_seconds: float
    val_loss: float  # nats per character, after the chunk


class Curve(NamedTuple):
    """Validation losses of a contestant, with the steps and seconds of training up to each."""

    steps: list[int]
    seconds: list[float]
    losses: list[float]

    def seconds_to(self, loss: float) -> float:
        """Return the time at which the curve, linear between evaluations, first reaches `loss`."""
        i = next(i for i, here in enumerate(self.losses) if here <= loss)
        if i == 0:
            return 0.0
        above, below = self.losses[i - 1], self.losses[i]
        return self.seconds[i - 1] + (above - loss) / (above - below) * (self.seconds[i] - self.seconds[i - 1])


class Level(NamedTuple):
    """A validation loss, and the seconds until each side reached it."""

    loss: float
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        return self.theirs / self.ours


@dataclass
class Learning(Saved):
    """A learning race, finished or in progress.

    Attributes
    ----------
    text : dict
        name of the file; chars in total, train_chars, val_chars; vocab_size.
    options : dict
        The options of the training, with defaults that depend on the text filled in.
    parameters : int
        Number of parameters of the model.
    windows : int
        Number of windows per epoch.
    versions : dict
        Library versions and thread pools of each entrant.
    trials : list of Trial
    chunks : list of Chunk
    """

    text: dict[str, Any]
    options: dict[str, Any]
    parameters: int
    windows: int
    versions: dict[str, Any] = field(default_factory=dict)
    trials: list[Trial] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)

    kind = "learning race"
    rows = {"trials": lambda row: Trial(*row), "chunks": lambda row: Chunk(*row)}  # noqa: RUF012

    def complete(self) -> bool:
        raced = (*(entrant.name for entrant in self.chosen()), AGAIN.name)
        return (
            {"name", "train_chars", "val_chars", "vocab_size"} <= self.text.keys()
            and self.options.keys() >= _OPTIONS
            and len({tuple(self.curve(name).steps) for name in raced}) == 1
            and all(chunk.seconds > 0 for chunk in self.chunks if chunk.steps)
            and bool(self.levels())
        )

    def characters(self, steps: int) -> int:
        """Return the number of characters read in `steps` steps; the last window of an epoch is shorter."""
        batch_size, seq_len = self.options["batch_size"], self.options["seq_len"]
        length = -(-(self.text["train_chars"] - 1) // batch_size)  # of a stream
        epochs, windows = divmod(steps, self.windows)
        return int(batch_size * (epochs * length + windows * seq_len))

    def settings(self) -> dict[Entrant, float]:
        """Return the median seconds per step of each entrant in the probe."""
        seconds: dict[Entrant, list[float]] = {}
        for trial in self.trials:
            seconds.setdefault(Entrant(trial.name, trial.threads), []).append(trial.seconds)
        return {entrant: median(values) for entrant, values in seconds.items()}

    def chosen(self) -> tuple[Entrant, Entrant]:
        """Return numpy_rnn and torch, each at the fastest setting of the probe."""
        ordered = sorted(settings := self.settings(), key=settings.__getitem__)
        ours = next(entrant for entrant in ordered if entrant.name == OURS.name)
        return ours, next(entrant for entrant in ordered if entrant.name != OURS.name)

    def curves(self) -> tuple[Curve, Curve]:
        """Return the curves of numpy_rnn and torch."""
        ours, theirs = self.chosen()
        return self.curve(ours.name), self.curve(theirs.name)

    def curve(self, name: str) -> Curve:
        chunks = self.of(name)
        seconds = accumulate(chunk.seconds for chunk in chunks)
        return Curve([chunk.step for chunk in chunks], list(seconds), [chunk.val_loss for chunk in chunks])

    def of(self, name: str) -> list[Chunk]:
        """Return a contestant's chunks, in order."""
        return [chunk for chunk in self.chunks if chunk.name == name]

    def levels(self) -> list[Level]:
        """Return the loss that both had reached at each evaluation, and the times to it; the lowest loss is last."""
        ours, theirs = self.curves()
        lowest = (accumulate(curve.losses, min) for curve in (ours, theirs))
        reached = (max(pair) for pair in zip(*lowest, strict=False))
        return [
            Level(loss, ours.seconds_to(loss), theirs.seconds_to(loss))
            for loss in dict.fromkeys(reached)
            if loss < min(ours.losses[0], theirs.losses[0])
        ]

    def largest_difference(self, name: str) -> tuple[float, int]:
        """Return the largest difference of a contestant's validation loss from ours, and the step where it occurs."""
        ours, other = self.curve(OURS.name), self.curve(name)
        return max((abs(a - b), step) for a, b, step in zip(ours.losses, other.losses, ours.steps, strict=False))

    def pairs(self, name: str) -> list[list[float]]:
        """Return a contestant's seconds divided by ours for each chunk, in one group since each is one process."""
        times = [{(0, chunk.step): chunk.seconds for chunk in self.of(n) if chunk.steps} for n in (name, OURS.name)]
        return paired_ratios(*times)

    def ratio(self, name: str) -> Interval:
        """Return the median of `pairs`."""
        return bootstrap_median(self.pairs(name))

    def not_publishable(self) -> list[str]:
        """Return the reasons not to publish these figures.

        Unlike in the race, the interval of the control may exclude 1: it comes from one process of each, so it does
        not include the variation between processes.
        """
        control = self.pairs(AGAIN.name)
        if not control:
            return ["there was no A/A control"]
        few = [f"there were {len(control[0])} chunks, at least {PAIRS} are needed"]
        return few * (len(control[0]) < PAIRS) + noise(thread_count(self.chosen()[0].threads), control)
