"""The options of a training run, each declared once, and the plan that they make for one text.

The command line is generated from these declarations: name, range of values, default and help.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np

from numpy_rnn.checks import ArgumentError
from numpy_rnn.display.terminal import count
from numpy_rnn.layers import CELLS
from numpy_rnn.optim import schedules
from numpy_rnn.text.windows import windows_per_epoch

__all__ = ["CHANGEABLE", "COUNT", "POSITIVE", "SEED", "STEP_SIZE", "Options", "Plan", "Range"]


CHANGEABLE = ("epochs", "steps", "lr", "eval_every", "val_chars", "patience")  # when a run is resumed

LOG_CHARS = 2**18


class Range(NamedTuple):
    """The numbers that an option accepts."""

    kind: type[int] | type[float]
    accepts: Callable[[float], bool]
    words: str

    def check(self, name: str, value: Any) -> Any:
        """Return `value` as a Python number (options are saved as JSON), or raise an error that names the option."""
        kinds: Any = (int, np.integer) if self.kind is int else (int, float, np.integer, np.floating)
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise TypeError(f"{name} must be {self.words}, got {value!r}")
        if not self.accepts(value):
            raise ArgumentError(name, f"must be {self.words}, got {value}")
        return self.kind(value)


COUNT = Range(int, lambda value: 1 <= value <= 10**9, "an integer from 1 to 10**9")
LAYERS = Range(int, lambda value: 1 <= value <= 1000, "an integer from 1 to 1000")
COUNT_OR_ZERO = Range(int, lambda value: 0 <= value <= 10**9, "an integer from 0 to 10**9")
SEED = Range(int, lambda value: value >= 0, "an integer of at least 0")
STEP_SIZE = Range(float, lambda value: 0 < value <= 1e30, "a number above 0 and at most 1e30")
POSITIVE = Range(float, lambda value: value > 0, "a number above 0")
PROBABILITY = Range(float, lambda value: 0 <= value <= 1, "a number from 0 to 1")
FRACTION = Range(float, lambda value: 0 <= value < 1, "a number of at least 0 and below 1")


def _option(default: Any, accepted: Range | tuple[str | bool, ...], words: str) -> Any:
    """Return a dataclass field: its default, the range or the values that it accepts, and its line of `--help`."""
    return field(default=default, metadata={"accepted": accepted, "help": words})


@dataclass(frozen=True, kw_only=True)
class _Settings:
    """What is the same for every text."""

    seq_len: int = _option(64, COUNT, "characters per window; gradients flow back this far")
    cell: str = _option("rnn", tuple(CELLS), "kind of recurrent layer; rnn is a tanh RNN")
    num_layers: int = _option(2, LAYERS, "number of recurrent layers")
    hidden_size: int = _option(256, COUNT, "size of each layer's hidden state")
    embedding_dim: int = _option(64, COUNT, "size of the vector that represents a character")
    dropout: float = _option(0.0, PROBABILITY, "dropout probability between layers")
    lr: float = _option(2e-3, STEP_SIZE, "Adam's step size, the largest of the schedule")
    schedule: str = _option(
        "cosine", ("constant", "staircase", "exponential", "cosine"), "how the step size changes over the run"
    )
    clip: float = _option(1.0, POSITIVE, "largest norm of the gradients; inf for no clipping")
    patience: int | None = _option(
        None, COUNT, "stop after this many validations without improvement (default: never)"
    )
    lines: bool = _option(False, (False, True), "learn independent lines, such as names, in random order")
    seed: int = _option(0, SEED, "random seed for the initial weights, dropout and samples")
    dtype: str = _option("float32", ("float32", "float64"), "floating-point type")


@dataclass(frozen=True, kw_only=True)
class Options(_Settings):
    """How to train. None: chosen to fit the text, see `plan`. Every option is explained by its `help` here.

    Raises
    ------
    TypeError, ArgumentError
        A value is outside the range declared for it, or two options exclude each other.
    """

    batch_size: int | None = _option(None, COUNT, "streams read side by side (default: 32; fewer for short texts)")
    warmup_steps: int | None = _option(
        None, COUNT_OR_ZERO, "steps until the step size reaches --lr (default: 100, or a tenth of the run)"
    )
    val_fraction: float | None = _option(
        None,
        FRACTION,
        "fraction of the text, at its end, kept for validation (default: 0.05; 0 below 2000 characters)",
    )
    val_chars: int | None = _option(
        None,
        COUNT,
        "characters of it that a validation reads (default: as many as take at most a tenth of the training time)",
    )
    eval_every: int | None = _option(
        None, COUNT, "steps between evaluations, each of which saves (default: a twentieth)"
    )
    epochs: int | None = _option(None, COUNT, "passes over the text (default: 10, but at least 1000 steps)")
    steps: int | None = _option(None, COUNT, "steps, one window each, instead of --epochs")

    def __post_init__(self) -> None:
        for option in fields(self):
            accepted, value = option.metadata["accepted"], getattr(self, option.name)
            if isinstance(accepted, Range):
                if value is not None or option.default is not None:
                    object.__setattr__(self, option.name, accepted.check(option.name, value))
            elif value not in accepted:
                raise ArgumentError(option.name, f"must be one of {', '.join(map(repr, accepted))}, got {value!r}")
        if self.dropout and self.num_layers == 1:
            raise ArgumentError("dropout", f"must be 0 with one layer: it acts between layers, got {self.dropout}")
        if self.epochs is not None and self.steps is not None:
            raise ArgumentError("epochs", "and steps both set the length of the run: give one of them")

    def val_length(self, length: int) -> int:
        """Return how many of `length` characters (or lines) are kept for validation."""
        usual = 0.05 if length >= (200 if self.lines else 2000) else 0.0
        return round((usual if self.val_fraction is None else self.val_fraction) * length)

    def plan(self, length: int, taken: int = 0, longest: int = 0) -> Plan:
        """Return the plan for a text of `length` characters, of which `taken` steps are done already.

        With `lines`, `length` is the number of lines, and `longest` the steps of the longest, which is the `seq_len`.

        Raises
        ------
        ArgumentError
            The text is too short for `val_fraction`, or the run is too short for its warm-up or the steps taken.
        """
        least, unit = (1, "lines") if self.lines else (2, "characters")
        if length < least:
            raise ValueError(f"text has length {length}, expected at least 2: one to read and one to predict")
        val_length = self.val_length(length)
        val_fraction = (0.05 if val_length else 0.0) if self.val_fraction is None else self.val_fraction
        if length - val_length < least or (val_fraction and val_length < least):
            words = (
                f"must be 0 or leave at least {least} of the {length} {unit} for training and {least} for validation"
            )
            raise ArgumentError("val_fraction", f"{words}, got {val_fraction:g}")
        if self.patience is not None and not val_length:
            raise ArgumentError("patience", "needs a validation fraction above 0: it counts validations")
        if self.lines and self.seq_len not in (Options.seq_len, longest):
            raise ArgumentError("seq_len", f"does nothing with lines, which are read whole, got {self.seq_len}")
        seq_len, n = (longest, length - val_length) if self.lines else (self.seq_len, length - val_length - 1)
        batch_size = self.batch_size or max(1, min(32, n if self.lines else n // seq_len))
        windows = -(-n // batch_size) if self.lines else windows_per_epoch(n + 1, batch_size, seq_len)
        steps = self.steps or (self.epochs * windows if self.epochs else max(10 * windows, 1000))
        eval_every = self.eval_every or 5 * math.ceil(steps / 100)  # five lines of metrics each
        warmup_steps = min(100, steps // 10) if self.warmup_steps is None else self.warmup_steps
        least = max(warmup_steps + 1, taken)
        if steps < least:
            what, n = ("run has done", taken) if least == taken else ("warm-up takes", warmup_steps)
            why = f"the {what} {count(n, 'step')}"
            if self.epochs:
                least = math.ceil(least / windows)
                raise ArgumentError("epochs", f"must be at least {least}, got {self.epochs}: {why}")
            raise ArgumentError("steps", f"must be at least {least}, got {steps}: {why}")
        return Plan(
            **{option.name: getattr(self, option.name) for option in fields(_Settings)} | {"seq_len": seq_len},
            val_fraction=val_fraction,
            val_length=val_length,
            val_chars=self.val_chars or math.ceil(max(eval_every / 6 - 1, 1 / 4) * batch_size * seq_len),
            batch_size=batch_size,
            windows=windows,
            steps=steps,
            warmup_steps=warmup_steps,
            eval_every=eval_every,
        )


@dataclass(frozen=True, kw_only=True)
class Plan(_Settings):
    """The options of a run on one text, with every number filled in; `epochs` has become `steps`.

    Attributes
    ----------
    val_length : int
        Characters at the end of the text, or lines, that are kept for validation.
    val_chars : int
        At most this many of them count in a validation. It reads another window before, and reading takes about half
        the time of training, so by default the validations take at most a tenth of it.
    windows : int
        Windows per epoch.
    """

    batch_size: int
    warmup_steps: int
    val_fraction: float
    val_length: int
    val_chars: int
    eval_every: int
    windows: int
    steps: int

    @property
    def log_every(self) -> int:
        """Steps between two lines of metrics: five per evaluation, and one in LOG_CHARS characters."""
        return max(1, min(self.eval_every // 5, LOG_CHARS // (self.batch_size * self.seq_len)))

    def options(self) -> Options:
        """Return the options that make this plan again."""
        values: dict[str, Any] = {option.name: getattr(self, option.name, None) for option in fields(Options)}
        return Options(**values)

    def learning_rate(self, step: int) -> float:
        """Return the step size of step 0, 1, ..., see `schedules`.

        `staircase` goes down three times, each time to 0.3 of the step size before; `exponential` ends at a hundredth
        of `lr`, `cosine` at 0.
        """
        decay = self.steps - self.warmup_steps
        shape: dict[str, Any] = {
            "constant": {},
            "staircase": {"every": math.ceil(decay / 4), "gamma": 0.3},
            "exponential": {"gamma": 0.01 ** (1 / decay)},
            "cosine": {"total_steps": self.steps},
        }[self.schedule]
        rate: float = getattr(schedules, self.schedule)(step, lr=self.lr, warmup_steps=self.warmup_steps, **shape)
        return rate
