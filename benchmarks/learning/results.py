"""What a learning race found: every chunk of steps with its seconds and the validation loss at its end."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.contestants import AGAIN, OURS
from benchmarks.measure import saved
from benchmarks.measure.results import Entrant
from benchmarks.measure.statistics import Interval, bootstrap_median, noise, paired_ratios

__all__ = ["FORMAT", "Chunk", "Curve", "Learning", "Level", "Trial"]

FORMAT = 1  # of the JSON: raised when an older file can no longer be read
PAIRS = 20  # of chunks, that a published figure rests on

# Of the training, that a report reads.
_OPTIONS = {"num_layers", "hidden_size", "embedding_dim", "dtype", "steps", "batch_size", "seq_len", "lr", "schedule",
            "warmup_steps", "clip", "seed", "eval_every"}  # fmt: skip


class Trial(NamedTuple):
    """A sample of the probe: mean seconds of a step at a thread setting, before the race."""

    name: str
    threads: int
    seconds: float


class Chunk(NamedTuple):
    """The steps of a contestant up to an evaluation; none at the first, which is of the initial weights."""

    name: str
    step: int  # steps taken at its end
    steps: int  # of this chunk
    seconds: float  # for all of them, by the clock and by the processor's
    cpu_seconds: float
    val_loss: float  # nats per character, after them


class Curve(NamedTuple):
    """Validation losses of a contestant, and the steps and seconds of training that each took."""

    steps: list[int]
    seconds: list[float]
    losses: list[float]

    def seconds_to(self, loss: float) -> float:
        """Return the seconds to the first point of the curve, straight between evaluations, that is at `loss`."""
        i = next(i for i, here in enumerate(self.losses) if here <= loss)
        if i == 0:
            return 0.0
        above, below = self.losses[i - 1], self.losses[i]
        return self.seconds[i - 1] + (above - loss) / (above - below) * (self.seconds[i] - self.seconds[i - 1])


class Level(NamedTuple):
    """A validation loss, and the seconds of each to it."""

    loss: float
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        return self.theirs / self.ours


@dataclass
class Learning:
    """A learning race, finished or under way.

    Attributes
    ----------
    text : dict
        name of the file; chars in all, train_chars, val_chars; vocab_size.
    options : dict
        Those of the training, `numpy_rnn.training.options.Options`, with all that fits the text filled in.
    parameters, windows : int
        Of the model; in an epoch.
    machine, versions : dict
        The machine; versions and thread pools by entrant.
    trials : list of Trial
    chunks : list of Chunk
    """

    text: dict[str, Any]
    options: dict[str, Any]
    parameters: int
    windows: int
    machine: dict[str, str]
    versions: dict[str, Any] = field(default_factory=dict)
    trials: list[Trial] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        content = {"format": FORMAT, "not_publishable": self.not_publishable(), **dataclasses.asdict(self)}
        saved.save(path, content, rows="chunks")

    @classmethod
    def load(cls, path: Path) -> Learning:
        """Read what `save` wrote; ValueError for anything else."""
        return saved.load(path, "learning race", FORMAT, cls._build)

    @classmethod
    def _build(cls, content: dict[str, Any]) -> Learning:
        content["trials"] = [Trial(*trial) for trial in content["trials"]]
        content["chunks"] = [Chunk(*chunk) for chunk in content["chunks"]]
        learning = cls(**content)
        if not learning._complete():
            raise KeyError("something that a report reads")
        return learning

    def _complete(self) -> bool:
        """Return whether everything is there that a report reads."""
        return (
            {"cpu", "cores", "system", "python", "commit", "date"} <= self.machine.keys()
            and {"name", "train_chars", "val_chars", "vocab_size"} <= self.text.keys()
            and self.options.keys() >= _OPTIONS
            and {OURS.name} < {trial.name for trial in self.trials}
            and len({tuple(self.curve(name).steps) for name in (*(e.name for e in self.chosen()), AGAIN.name)}) == 1
            and all(chunk.seconds > 0 for chunk in self.chunks if chunk.steps)
            and bool(self.levels())
        )

    def characters(self, steps: int) -> int:
        """Return how many characters so many steps read, the shorter last window of each epoch counted as it is."""
        batch_size, seq_len = self.options["batch_size"], self.options["seq_len"]
        length = -(-(self.text["train_chars"] - 1) // batch_size)  # of a stream
        epochs, windows = divmod(steps, self.windows)
        return int(batch_size * (epochs * length + windows * seq_len))

    def settings(self) -> dict[Entrant, float]:
        """Return the median seconds of a step of each entrant in the probe."""
        seconds: dict[Entrant, list[float]] = {}
        for trial in self.trials:
            seconds.setdefault(Entrant(trial.name, trial.threads), []).append(trial.seconds)
        return {entrant: median(values) for entrant, values in seconds.items()}

    def chosen(self) -> tuple[Entrant, Entrant]:
        """Return numpy_rnn and torch, each at the setting that was the fastest in the probe."""
        ordered = sorted(settings := self.settings(), key=settings.__getitem__)
        ours = next(entrant for entrant in ordered if entrant.name == OURS.name)
        return ours, next(entrant for entrant in ordered if entrant.name != OURS.name)

    def curves(self) -> tuple[Curve, Curve]:
        """Return those of numpy_rnn and of torch."""
        ours, theirs = self.chosen()
        return self.curve(ours.name), self.curve(theirs.name)

    def curve(self, name: str) -> Curve:
        curve = Curve([], [], [])
        for chunk in self.of(name):
            curve.steps.append(chunk.step)
            curve.seconds.append(chunk.seconds + (curve.seconds[-1] if curve.seconds else 0.0))
            curve.losses.append(chunk.val_loss)
        return curve

    def of(self, name: str) -> list[Chunk]:
        """Return a contestant's chunks, in order."""
        return [chunk for chunk in self.chunks if chunk.name == name]

    def levels(self) -> list[Level]:
        """Return the losses that both had reached at each evaluation, the lowest last, with the times to them."""
        ours, theirs = self.curves()
        lowest = (accumulate(curve.losses, min) for curve in (ours, theirs))
        reached = (max(pair) for pair in zip(*lowest, strict=False))
        return [
            Level(loss, ours.seconds_to(loss), theirs.seconds_to(loss))
            for loss in dict.fromkeys(reached)
            if loss < min(ours.losses[0], theirs.losses[0])
        ]

    def largest_difference(self, name: str) -> tuple[float, int]:
        """Return by how much a contestant's validation loss differs from ours at the same step, and at which one."""
        ours, other = self.curve(OURS.name), self.curve(name)
        return max((abs(a - b), step) for a, b, step in zip(ours.losses, other.losses, ours.steps, strict=False))

    def pairs(self, name: str) -> list[list[float]]:
        """Return the ratios of a contestant's seconds to ours, chunk by chunk: one process of each, so one group."""
        times = [{(0, chunk.step): chunk.seconds for chunk in self.of(n) if chunk.steps} for n in (name, OURS.name)]
        return paired_ratios(*times)

    def ratio(self, name: str) -> Interval:
        """Return the median of `pairs`."""
        return bootstrap_median(self.pairs(name))

    def not_publishable(self) -> list[str]:
        """Say what keeps these figures from being published; empty where nothing does.

        Unlike in the race, the control may exclude 1: of one process each, the interval does not know what luck a
        process as a whole has.
        """
        control = self.pairs(AGAIN.name)
        if not control:
            return ["there was no A/A control"]
        few = [f"there were {len(control[0])} chunks, a published figure rests on {PAIRS}"]
        threads = self.chosen()[0].threads
        return few * (len(control[0]) < PAIRS) + noise(f"{threads} thread{'s' * (threads > 1)}", control)
