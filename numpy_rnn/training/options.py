"""The options of a training: what is decided before its first step, and kept in its checkpoints."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from numpy_rnn.checks import as_number, as_probability, as_size
from numpy_rnn.optim import schedules
from numpy_rnn.text.corpus import read_text, stdlib_text

__all__ = ["SCHEDULES", "Options", "Source"]

SCHEDULES = ("constant", "staircase", "exponential", "cosine")
CORPUS_CHARS = 1_000_000

_LOWEST = dict.fromkeys(("seq_len", "batch_size", "num_layers", "hidden_size", "embedding_dim"), 1)
_LOWEST |= {"epochs": 1, "steps": 1, "eval_every": 1, "warmup_steps": 0, "seed": 0}


@dataclass(frozen=True)
class Options:
    """How to train. All defaults are here; None stands for what fits the length of the text, see `fit`.

    Parameters
    ----------
    seq_len, batch_size : int
        T and B of a window, see `Streams`. Default B: 32, or fewer where a stream would be shorter than a window.
    num_layers, hidden_size, embedding_dim, dropout
        Of `CharRNN`.
    lr, schedule, warmup_steps
        The largest learning rate, and its course over all steps: see `learning_rate`. Default warm-up: 100 steps, or
        a tenth of all.
    clip : float
        Largest norm of the gradients; inf clips nothing.
    epochs, steps : int
        The length of the training: one of them. Default: 10 epochs, and at least 1000 steps.
    val_fraction : float
        The last part of the text, kept for validation. Default: 0.05, or nothing of a text of less than 2000
        characters.
    eval_every : int
        Steps from one validation to the next; each is followed by a checkpoint. Default: a twentieth of all.
    seed : int
        Of the initial weights and of dropout.
    dtype : {"float32", "float64"}
    """

    seq_len: int = 64
    batch_size: int | None = None
    num_layers: int = 2
    hidden_size: int = 256
    embedding_dim: int = 64
    dropout: float = 0.0
    lr: float = 2e-3
    schedule: str = "cosine"
    warmup_steps: int | None = None
    clip: float = 1.0
    epochs: int | None = None
    steps: int | None = None
    val_fraction: float | None = None
    eval_every: int | None = None
    seed: int = 0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        for name, low in _LOWEST.items():
            if getattr(self, name) is not None:
                self._set(name, as_size(name, getattr(self, name), low))
        self._set("lr", as_number("lr", self.lr))
        self._set("clip", as_number("clip", self.clip, or_inf=True))
        self._set("dropout", as_probability("dropout", self.dropout))
        if self.val_fraction is not None:
            self._set("val_fraction", as_number("val_fraction", self.val_fraction, below=1))
        if self.dropout and self.num_layers == 1:
            raise ValueError(f"dropout={self.dropout} lies between layers: with one layer it does nothing; take two")
        for name, known in (("schedule", SCHEDULES), ("dtype", ("float32", "float64"))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        if self.epochs is not None and self.steps is not None:
            raise ValueError("epochs and steps both say how long to train: give one of them")

    def _set(self, name: str, value: float) -> None:
        """Put a number of Python's in the place of one of NumPy's: the options are kept as JSON."""
        object.__setattr__(self, name, value)

    def fit_val_fraction(self, length: int) -> float:
        """Return the fraction of a text of this length to validate with."""
        if self.val_fraction is not None:
            return self.val_fraction
        return 0.05 if length >= 2000 else 0.0

    def fit_batch_size(self, length: int) -> int:
        """Return the number of streams through a text of this length."""
        return self.batch_size or max(1, min(32, (length - 1) // self.seq_len))

    def total_steps(self, windows: int) -> int:
        """Return the steps of the whole training, with so many windows in an epoch."""
        return self.steps or (self.epochs * windows if self.epochs else max(10 * windows, 1000))

    def length(self, windows: int) -> str:
        """Return what an error calls the length of the training."""
        steps = self.total_steps(windows)
        if self.epochs:
            return f"epochs={self.epochs} ({steps} steps)"
        return f"steps={steps}" if self.steps else f"the default of steps={steps}"

    def fit_steps(self, windows: int) -> Options:
        """Return these options with all that depends on the number of windows in an epoch."""
        steps = self.total_steps(windows)
        warmup_steps = min(100, steps // 10) if self.warmup_steps is None else self.warmup_steps
        if warmup_steps >= steps:
            length = self.length(windows)
            raise ValueError(f"{length} ends within the warm-up: expected more than warmup_steps={warmup_steps}")
        eval_every = self.eval_every or 5 * math.ceil(steps / 100)  # five lines of metrics each
        return replace(self, epochs=None, steps=steps, warmup_steps=warmup_steps, eval_every=eval_every)

    @property
    def log_every(self) -> int:
        """Steps from one line of metrics to the next."""
        return max(1, (self.eval_every or 1) // 5)

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of a step, 0, 1, ..., once all lengths are known; see `schedules`.

        The staircase has four stairs, each 0.3 of the one before; exponential ends at a hundredth, cosine at 0.
        """
        steps, warmup_steps = self.steps or 1, self.warmup_steps or 0
        if self.schedule == "constant":
            return schedules.constant(step, lr=self.lr, warmup_steps=warmup_steps)
        if self.schedule == "staircase":
            every = math.ceil((steps - warmup_steps) / 4)
            return schedules.staircase(step, lr=self.lr, every=every, gamma=0.3, warmup_steps=warmup_steps)
        if self.schedule == "exponential":
            gamma = 0.01 ** (1 / (steps - warmup_steps))
            return schedules.exponential(step, lr=self.lr, gamma=gamma, warmup_steps=warmup_steps)
        return schedules.cosine(step, lr=self.lr, total_steps=steps, warmup_steps=warmup_steps)


@dataclass(frozen=True)
class Source:
    """Where a text comes from, so that it can be read again.

    Parameters
    ----------
    files : list of str
        As the caller named them: relative names are looked for in the current directory. None, with no corpus and no
        text: the text came from a program.
    encoding, errors : str
        See `read_text`.
    corpus : {"stdlib"}, optional
        The sources of Python's standard library instead of files.
    text : str, optional
        The text itself instead of files.
    max_chars : int, optional
        Take no more of it. Default: all, of the corpus 1,000,000.
    """

    files: list[str]
    encoding: str = "utf-8"
    errors: str = "strict"
    corpus: str | None = None
    text: str | None = None
    max_chars: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.files, list) or not all(isinstance(name, str) for name in self.files):
            raise TypeError(f"files must be a list of str, got {self.files!r}")
        for name in ("encoding", "errors", "corpus", "text"):
            value = getattr(self, name)
            if not isinstance(value, str) and (value is not None or name in ("encoding", "errors")):
                raise TypeError(f"{name} must be a str, got {value!r}")
        if self.max_chars is not None:
            as_size("max_chars", self.max_chars)

    def read(self) -> str:
        """Return the text, at least two characters."""
        if self.text is not None:
            text = self.text
        elif self.corpus is not None:
            text = stdlib_text(self.max_chars or CORPUS_CHARS)
        elif self.files:
            text = read_text(self.files, self.encoding, self.errors)
        else:
            raise ValueError("the text came from a program, and is not kept in the run: name the file that it is in")
        if self.max_chars is not None:
            text = text[: self.max_chars]
        if len(text) < 2:
            where = ", ".join(map(repr, self.files)) or "the text"
            limit = "" if self.max_chars is None else f" (max_chars={self.max_chars})"
            raise ValueError(
                f"{where} has length {len(text)}{limit}, expected at least 2: one to read and one to predict"
            )
        return text
