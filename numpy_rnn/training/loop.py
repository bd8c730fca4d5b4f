"""`train`: a training run for programs and notebooks, and the iterator that it shares with `numpy-rnn train`."""

from __future__ import annotations

import contextlib
import math
import os
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, fields
from typing import Any

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.storage.model_file import model_options
from numpy_rnn.text.corpus import Source
from numpy_rnn.text.vocabulary import Vocabulary, tokenize
from numpy_rnn.training.options import CHANGEABLE, Options
from numpy_rnn.training.progress import Progress, worse_than_guessing
from numpy_rnn.training.run import Run, open_run
from numpy_rnn.training.state import restore, state_of
from numpy_rnn.training.trainer import Trainer

__all__ = ["Paused", "Training", "train"]

SAVE_SECONDS = 60.0  # a kill loses at most this much work, and the step in progress
FORWARD = 0.5  # part of the time of a training step, as long as no validation has been timed


class Paused(Exception):
    """Raised by `trainer.pause` to stop an evaluation. A resumed run starts with this evaluation."""


class Training(Iterator[Progress]):
    """A training run in progress: an iterator of `Progress`, or `step` for one step at a time.

    The run is saved at the start, after each evaluation, once a minute, and when the iterator is exhausted, closed or
    garbage-collected. It is not saved when a step fails: the previous checkpoint stays.

    Parameters
    ----------
    trainer : Trainer
        A new one, or one restored from `run.read()`.
    run : Run, optional
        None: nothing is written.
    source : dict
        Where the text came from, kept in the checkpoints as JSON.

    Attributes
    ----------
    held : ExitStack
        Closed when the iterator ends, to release the run.
    """

    def __init__(self, trainer: Trainer, run: Run | None, source: dict[str, Any]) -> None:
        self.trainer, self._run, self._source = trainer, run, source
        self.held, self._open = contextlib.ExitStack(), True
        self._saved, self._saved_at = trainer.step, time.monotonic()
        self._evaluations: list[float] = []  # the seconds that each took
        self._loss = 0.0
        if run is not None:
            run.drop_metrics_after(trainer.step)
            if not trainer.step:
                self._save()  # report a directory that cannot be written at once

    def __next__(self) -> Progress:
        while self._open and not self.done:
            progress = self.step()
            if progress is not None:
                return progress
        words = self.verdict() if self._open else ""
        self.close()
        if words:
            warnings.warn(words, RuntimeWarning, stacklevel=2)
        raise StopIteration

    def step(self) -> Progress | None:
        """Take one step; return its progress if this step is logged or evaluated, unless the evaluation is paused."""
        try:
            return self._step()
        except BaseException:
            self.release()
            raise

    def _step(self) -> Progress | None:
        trainer, metrics = self.trainer, None
        if not self._is_due():  # due already if the evaluation was paused
            trainer.train_step()
        evaluates, started = trainer.step % trainer.plan.eval_every == 0 or trainer.done, time.monotonic()
        if self._is_due():
            try:
                evaluation = trainer.evaluate() if evaluates else {}
            except Paused:
                return None
            metrics = trainer.metrics() | evaluation
            self._loss = metrics["loss"]
            if self._run is not None:
                self._run.append(metrics)
        if evaluates or trainer.ranks.any(time.monotonic() - self._saved_at > SAVE_SECONDS):
            self._save(best=metrics is not None and metrics.get("best", False))
        if evaluates:
            self._evaluations.append(time.monotonic() - started)
        return None if metrics is None else self._progress(metrics)

    def _is_due(self) -> bool:
        """Whether there have been steps since the last line of metrics, and it is time for one."""
        trainer, plan = self.trainer, self.trainer.plan
        step, is_new = trainer.step, trainer.sums["steps"] > 0
        return is_new and (step % plan.log_every == 0 or step % plan.eval_every == 0 or trainer.done)

    @property
    def done(self) -> bool:
        """Whether all steps are taken, and the last one is evaluated."""
        return self.trainer.done and not self._is_due()

    def __str__(self) -> str:
        """Return the progress since the last line of metrics, between two of them; empty if there is none."""
        return str(self._progress(self.trainer.metrics(restart=False))) if self.trainer.sums["steps"] else ""

    def _progress(self, metrics: dict[str, Any]) -> Progress:
        trainer, plan = self.trainer, self.trainer.plan
        left = -(-plan.steps // plan.eval_every) - trainer.step // plan.eval_every if not trainer.done else 0
        if self._evaluations:
            each = sum(self._evaluations) / len(self._evaluations)
        else:
            chars = min(plan.val_length, plan.val_chars) / (plan.batch_size * plan.seq_len)
            each = FORWARD * (chars + (chars > 0)) * trainer.seconds / trainer.step
        V = len(trainer.vocabulary)
        return Progress(steps=plan.steps, vocab_size=V, evaluation_seconds_left=left * each, **metrics)

    def verdict(self) -> str:
        """Return a sentence if the model is worse than guessing; otherwise nothing."""
        trainer, V = self.trainer, len(self.trainer.vocabulary)
        words = worse_than_guessing(self._loss, V, "loss", trainer.plan.lr)
        if words and trainer.best_val_loss < math.log(V):
            words += f"; best.npz, with a validation loss of {trainer.best_val_loss:.4f}, is from before"
        if not words and trainer.best_val_loss < math.inf:
            words = worse_than_guessing(trainer.best_val_loss, V, "best validation loss", trainer.plan.lr)
        return words

    def _save(self, best: bool = False) -> None:
        if self._run is not None:
            self._run.save(self.trainer, self._source, best)
        elif self.trainer.ranks.rank:
            state_of(self.trainer)  # rank 0 saves; the others send it their part
        self._saved, self._saved_at = self.trainer.step, time.monotonic()

    def close(self) -> None:
        """Save the steps taken since the last save, and release the run."""
        try:
            if self._open and self._saved != self.trainer.step:
                self._save()
        finally:
            self.release()

    def release(self) -> None:
        """Release the run without saving."""
        self._open = False
        self.held.close()

    def __del__(self) -> None:
        if hasattr(self, "_saved"):  # not if __init__ failed before
            self.close()


def train(
    model: CharRNN,
    text: str,
    vocabulary: Vocabulary | None = None,
    *,
    run: str | os.PathLike[str] | None = None,
    resume: bool = False,
    **options: Any,
) -> Training:
    """Train a model on a text, in place, and return an iterator over its progress.

        for progress in nr.train(model, text, epochs=5):
            print(progress)

    Starting from the same weights, it takes the same steps as `numpy-rnn train`, bit for bit. Between two steps, and
    after a `break`, you can use the model for anything.

    Parameters
    ----------
    model : CharRNN
        float32 or float64.
    text : str
        At least two characters.
    vocabulary : Vocabulary, optional
        The one that the model was made for. The text may use only some of its characters. None: that of the text.
    run : path, optional
        A new directory for checkpoints and metrics, as `numpy-rnn train` writes it: `numpy-rnn generate`, `plot` and
        `train --resume` accept it. None: nothing is written.
    resume : bool, default False
        Continue a `run` that was stopped, with the options it was started with. The model must be of the same kind,
        and is set to the saved state. Only `epochs` or `steps`, `lr`, `eval_every`, `val_chars`
        and `patience` may be changed.
    **options
        epochs or steps, seq_len, batch_size, lr, schedule, warmup_steps, clip, val_fraction, eval_every, patience,
        lines, seed: see `numpy-rnn train --help`. The seed is used for samples and for the order of `lines`. Weights
        and dropout come from the model's `rng`.

    Returns
    -------
    Training
        An iterator of `Progress`: five objects from one evaluation to the next. The fifth has the evaluation, which
        is the loss on the end of the text, which is not trained on, and a sample. `close()` saves and releases the
        run; the end of the loop, a `break` and an exception do so too.

    Raises
    ------
    TypeError, ValueError, OSError
        An argument is wrong, the text has characters that the vocabulary lacks, or the run cannot be written. Raised
        by the call itself, before the first step.
    FloatingPointError
        Raised by a step: the loss, or the norm of its gradients, is not finite.

    Warns
    -----
    RuntimeWarning
        At the end, if the model is worse than guessing.
    """
    if not isinstance(model, CharRNN):
        raise TypeError(f"model must be a CharRNN, got {type(model).__name__}")
    model.check_own("train")
    if vocabulary is not None and not isinstance(vocabulary, Vocabulary):
        raise TypeError(f"vocabulary must be a Vocabulary, got {type(vocabulary).__name__}")
    if resume and run is None:
        raise ValueError("resume=True needs the directory of a run: pass run=...")
    kind = model_options(model)
    known = [field.name for field in fields(Options) if field.name not in kind]
    for name in options:
        if name in kind:
            raise TypeError(f"{name} is a property of the model: pass it to CharRNN")
        if name not in known:
            raise TypeError(f"train has no option {name!r}, expected one of {', '.join(known)}")
        if resume and name not in CHANGEABLE:
            raise ValueError(f"resume=True can change only {', '.join(CHANGEABLE)}: leave out {name}")
    with contextlib.ExitStack() as held:
        opened = None if run is None else held.enter_context(open_run(run, resume))
        if opened is not None and resume:
            trainer = restore(text, *opened.read(), model, **options)
        else:
            del kind["vocab_size"], kind["tie_weights"]
            chosen = Options(**kind, **options)
            trainer = Trainer(*tokenize(text, vocabulary, chosen.lines), chosen, model)
        training = Training(trainer, opened, asdict(Source([])))
        training.held = held.pop_all()
    return training
