"""The number of threads of a training run: a short trial at its start, and one thread if others need the cores."""

from __future__ import annotations

import argparse
import math

from numpy_rnn.blas import fastest, threads
from numpy_rnn.training.trainer import Trainer

__all__ = ["Threads"]

# A trial is worthwhile if the products of one time step take at least this many multiply-adds. (On two idle cores, 2
# threads were 1.13 times as fast as one with 1.3 million, and 1.45 times as fast with 3.2 million.)
LEAST = 2_000_000
TRIAL = 100_000_000  # multiply-adds in the forward pass of a trial, if it has more than one time step
SLOWER = 2.0  # threads that have become slower by this factor compete with those of another program


class Threads:
    """Chooses the number of threads when it is made.

    Parameters
    ----------
    trainer : Trainer
    arguments : Namespace
        threads: a number or "auto". variables_set: whether the thread variables are ours, not the user's.
    saved : int or None
        The number that a resumed run has used: with another one, results could differ in their last digits.

    Attributes
    ----------
    count : int or None
        None: set by the user's own variables.
    words : str
        The choice, to be printed; empty if there was none.
    """

    def __init__(self, trainer: Trainer, arguments: argparse.Namespace, saved: int | None = None) -> None:
        saved = saved if isinstance(saved, int) and saved > 0 else None
        self.count, self.words, self._trainer = saved, "", trainer
        self._automatic = arguments.threads == "auto" and arguments.variables_set
        self._before, self._pace, self._least = trainer.seconds, 0.0, math.inf
        if not self._automatic:
            self.count = None if arguments.threads == "auto" else arguments.threads
            return
        try:
            if trainer.ranks.size > 1:
                count, reason = 1, "for each rank"
            else:
                count, reason = _trial(trainer) if saved is None else (saved, "as before")
            if count > 1:
                threads(count)
        except ModuleNotFoundError:
            count, reason = 1, f"give --threads {saved or 2} for more, or pip install threadpoolctl"
        self.count, self.words = count, f"{count} thread{'s' * (count != 1)} ({reason})"

    def give_way(self) -> str:
        """Call this after each step. If several threads have become slow, use one; return a line that says so."""
        seconds, self._before = self._trainer.seconds - self._before, self._trainer.seconds
        if not self._automatic or self.count == 1:
            return ""
        self._pace = self._pace * 0.9 + seconds * 0.1 if self._pace else seconds
        self._least = min(self._least, self._pace)
        if self._pace < SLOWER * self._least:
            return ""
        count, self.count = self.count, 1
        threads(1)
        return f"1 thread from here on ({count} have become {SLOWER:g} x slower: another program uses the cores)"


def _trial(trainer: Trainer) -> tuple[int, str]:
    """Compare numbers of threads on the start of the first window. The trainer's next steps are not affected."""
    model, rng = trainer.model, trainer.model.rnn.rng.bit_generator
    weights = model.parameters().data.size - model.embedding.weight.data.size
    products = weights * trainer.plan.batch_size
    if products < LEAST:
        return 1, "the model is too small to gain from more"
    tokens, targets = (array[: max(1, TRIAL // products)] for array in trainer.streams.window(0))
    state, tape = rng.state, model.new_tape(*tokens.shape)
    try:
        return fastest(lambda: model.loss_and_gradients(tokens, targets, tape=tape))
    finally:
        rng.state = state  # dropout has drawn from it
