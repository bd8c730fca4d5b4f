"""The loop of a training: step after step, what is to be seen of it, and what is to be kept.

`train` is for programs and notebooks; the command line has `steps`, which it is made of.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Generator
from typing import Any

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.storage.model_file import model_options
from numpy_rnn.text.vocabulary import Vocabulary
from numpy_rnn.training.options import Options, Source
from numpy_rnn.training.progress import Progress
from numpy_rnn.training.run import Run, open_run
from numpy_rnn.training.state import restore
from numpy_rnn.training.trainer import Trainer

__all__ = ["steps", "train"]

SAVE_SECONDS = 60.0  # the most that a kill loses, and the step that it falls in


def train(
    model: CharRNN,
    text: str,
    vocabulary: Vocabulary | None = None,
    *,
    run: str | os.PathLike[str] | None = None,
    resume: bool = False,
    **options: Any,
) -> Generator[Progress, None, None]:
    """Train a model on a text, in place, and yield what is to be seen of it as it goes.

    This is what `numpy-rnn train` does: from a model with the same weights it takes the same steps, bit for bit.

        for progress in nr.train(model, text, epochs=5):
            print(progress)

    Between two of its objects, and after a `break`, the model can be used for anything.

    Parameters
    ----------
    model : CharRNN
        Of float32 or float64.
    text : str
        At least two characters.
    vocabulary : Vocabulary, optional
        The one that the model was made for; the text may have fewer characters. None: that of the text.
    run : path, optional
        A new directory to keep checkpoints and metrics in, as `numpy-rnn train` does: `numpy-rnn generate`, `plot`
        and `train --resume` take it. None: nothing is written.
    resume : bool, default False
        Go on with a `run` that was stopped, with the options that it began with: the model, one of the same kind, is
        set to what was saved. Another `epochs` or `steps` may be given.
    **options
        epochs or steps, seq_len, batch_size, lr, schedule, warmup_steps, clip, val_fraction, eval_every, seed: see
        `Options`. The seed is that of the samples alone; weights and dropout are the model's own, by its `rng`.

    Yields
    ------
    Progress
        Five times from one evaluation to the next, the last time with the evaluation: the loss over the end of the
        text, which is not trained on, and a sample.

    Raises
    ------
    TypeError, ValueError
        An argument is not what is expected, or the text has characters that the vocabulary lacks. This and what is
        wrong with the RUN are said at the call, not at the first step.
    FloatingPointError
        While training: the loss, or the norm of its gradients, is not finite.
    """
    if not isinstance(model, CharRNN):
        raise TypeError(f"model must be a CharRNN, got {type(model).__name__}")
    if vocabulary is not None and not isinstance(vocabulary, Vocabulary):
        raise TypeError(f"vocabulary must be a Vocabulary, got {type(vocabulary).__name__}")
    if resume and run is None:
        raise ValueError("resume=True goes on with a RUN: name its directory, run=...")
    kind = model_options(model)
    known = [field.name for field in dataclasses.fields(Options) if field.name not in kind]
    for name in options:
        if name in kind:
            raise TypeError(f"{name} is the model's own: give it to CharRNN")
        if name not in known:
            raise TypeError(f"train has no option {name!r}, expected some of {', '.join(known)}")
        if resume and name not in ("epochs", "steps"):
            raise ValueError(f"resume=True goes on with what the run began with: leave out {name}")
    progress = _train(model, text, vocabulary, run, resume, options)
    next(progress)  # up to the first step: all that can be wrong is said now
    return progress


def _train(
    model: CharRNN,
    text: str,
    vocabulary: Vocabulary | None,
    directory: str | os.PathLike[str] | None,
    resume: bool,
    options: dict[str, Any],
) -> Generator[Any, None, None]:
    """Yield once when all is ready for the first step, and then each Progress."""
    with contextlib.ExitStack() as stack:
        run = None
        if directory is not None and resume:
            run = stack.enter_context(open_run(directory, resume=True))
            trainer = restore(text, *run.read(), model, **options)
        else:
            kind = {name: value for name, value in model_options(model).items() if name != "vocab_size"}
            trainer = Trainer(text, Options(**kind, **options), model, vocabulary)
            if directory is not None:
                run = stack.enter_context(open_run(directory))
        each = stack.enter_context(contextlib.closing(steps(trainer, run, dataclasses.asdict(Source([])))))
        yield None
        for progress in each:
            if progress is not None:
                yield progress


def steps(
    trainer: Trainer, run: Run | None, source: dict[str, Any], stop: Callable[[], bool] = lambda: False
) -> Generator[Progress | None, None, None]:
    """Train until the last step or until `stop()`; yield after each step, now and then with what is to be seen.

    The run is saved at the start, after each evaluation, when a minute has passed, and at the end; also when the
    caller has had enough, and closes the iterator. Not when a step fails: then the checkpoint before it stays.

    Parameters
    ----------
    trainer : Trainer
        A new one, or restored from `run.read()`.
    run : Run, optional
        None: nothing is kept.
    source : dict
        Where the text came from, to be kept in the checkpoints: JSON.
    stop : callable
        Asked before each step.
    """
    if run is not None:
        run.drop_metrics_after(trainer.step)
        if not trainer.step:
            run.save(trainer, source)  # a directory that cannot be written is said now
    return _steps(trainer, run, source, stop)


def _steps(
    trainer: Trainer, run: Run | None, source: dict[str, Any], stop: Callable[[], bool]
) -> Generator[Progress | None, None, None]:
    options, saved, saved_at = trainer.options, trainer.step, time.monotonic()

    def save(best: bool = False) -> None:
        nonlocal saved, saved_at
        if run is not None and (best or saved != trainer.step):
            run.save(trainer, source, best)
        saved, saved_at = trainer.step, time.monotonic()

    try:
        while trainer.step < trainer.steps and not stop():
            trainer.train_step()
            evaluates = trainer.step % (options.eval_every or 1) == 0 or trainer.step == trainer.steps
            progress = None
            if evaluates or trainer.step % options.log_every == 0:
                metrics = trainer.metrics() | (trainer.evaluate() if evaluates else {})
                if run is not None:
                    run.append(metrics)
                progress = Progress(steps=trainer.steps, **metrics)
            if evaluates or time.monotonic() - saved_at > SAVE_SECONDS:
                save(best=progress is not None and progress.best)
            yield progress
    except GeneratorExit:
        save()
        raise
    save()
