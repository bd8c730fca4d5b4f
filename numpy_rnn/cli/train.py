"""numpy-rnn train: learn a text, watch, stop, resume."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy_rnn.cli.arguments import TUTORIAL_TEXT, argument, positive_int, seed, step_size
from numpy_rnn.cli.output import discard_output
from numpy_rnn.cli.stop import Stop
from numpy_rnn.cli.watch import OutputLost, Watch
from numpy_rnn.storage.files import CheckpointError
from numpy_rnn.training.loop import steps
from numpy_rnn.training.options import CORPUS_CHARS, SCHEDULES, Options, Source
from numpy_rnn.training.run import Run, open_run
from numpy_rnn.training.state import restore
from numpy_rnn.training.trainer import Trainer

__all__ = ["add"]

not_negative = argument(int, lambda value: 0 <= value <= 10**9, "an integer from 0 to 10**9")
fraction = argument(float, lambda value: 0 <= value < 1, "a number of at least 0 and below 1")
above_zero = argument(float, lambda value: value > 0, "a number above 0")

# Flag, name among the Options, type, and help.
OPTIONS: list[tuple[str, str, Any, str]] = [
    ("--seq-len", "seq_len", positive_int, "characters of a window, through which gradients flow back"),
    ("--batch-size", "batch_size", positive_int, "streams through the text, side by side (32; of short texts fewer)"),
    ("--layers", "num_layers", positive_int, "layers of the RNN"),
    ("--hidden-size", "hidden_size", positive_int, "of each layer"),
    ("--embedding-dim", "embedding_dim", positive_int, "numbers that stand for a character"),
    ("--dropout", "dropout", fraction, "between layers"),
    ("--lr", "lr", step_size, "Adam's step size, the largest of the schedule"),
    ("--warmup-steps", "warmup_steps", not_negative, "steps until then (100, or a tenth of all)"),
    ("--clip", "clip", above_zero, "largest norm of the gradients, or inf"),
    (
        "--val-fraction",
        "val_fraction",
        fraction,
        "part of the text, its end, to validate with (0.05; of short texts 0)",
    ),
    ("--eval-every", "eval_every", positive_int, "steps between validations, each saved (a twentieth of all)"),
    ("--seed", "seed", seed, "of the initial weights and of dropout"),
]
LENGTHS = [
    ("--epochs", "epochs", positive_int, "times through the text (10, but at least 1000 steps)"),
    ("--steps", "steps", positive_int, "steps, one a window, instead of epochs"),
]
CHOICES = [
    ("--schedule", "schedule", SCHEDULES, "of the learning rate, over all steps"),
    ("--dtype", "dtype", ("float32", "float64"), "of all arithmetic"),
]


def add(commands: Any) -> None:
    command = commands.add_parser(
        "train",
        help="train on a text of yours",
        description="Train on the text of files by truncated backpropagation through time. An interrupt (Ctrl-C), "
        "SIGTERM and the end of the terminal save; --resume goes on as if never stopped.",
    )
    command.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help=f"'-' is standard input; none: the tutorial's text, {TUTORIAL_TEXT!r}",
    )
    command.add_argument("-o", "--output", metavar="RUN", help="a new directory (the first file's name with -run)")
    command.add_argument(
        "--resume", metavar="RUN", help="go on with this run; FILE is needed only if the text lies elsewhere by now"
    )
    text = command.add_argument_group("text")
    text.add_argument("--encoding", help="of the files (utf-8)")
    text.add_argument("--errors", help="what becomes of bytes that are not in this encoding, as in open() (strict)")
    text.add_argument("--corpus", choices=["stdlib"], help="instead of files: the sources of this Python's library")
    text.add_argument(
        "--max-chars", type=positive_int, help=f"take no more of the text (of the corpus: {CORPUS_CHARS:,})"
    )
    training = command.add_argument_group("training")
    defaults = Options()

    def option(group: Any, flag: str, name: str, words: str, **kind: Any) -> None:
        default = getattr(defaults, name)
        shown = "" if default is None else f" ({default})"
        group.add_argument(flag, dest=name, default=argparse.SUPPRESS, help=words + shown, **kind)

    for flag, name, convert, words in OPTIONS:
        option(training, flag, name, words, type=convert)
    for flag, name, choices, words in CHOICES:
        option(training, flag, name, words, choices=choices)
    length = command.add_argument_group("length").add_mutually_exclusive_group()
    for flag, name, convert, words in LENGTHS:
        option(length, flag, name, words, type=convert)
    command.add_argument("--minutes", type=above_zero, help="stop, and save, after so long; the schedule stays")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    given = {f.name: getattr(arguments, f.name) for f in dataclasses.fields(Options) if hasattr(arguments, f.name)}
    with Stop() as stop:
        if arguments.resume is not None:
            return _resume(arguments, given, stop)
        source, options = _source(arguments), Options(**given)
        trainer = Trainer(source.read(), options)
        directory = arguments.output or _new_name(source)
        with open_run(directory) as run:
            return _train(arguments, trainer, run, source, directory, stop)


def _resume(arguments: argparse.Namespace, given: dict[str, Any], stop: Stop) -> int:
    """Go on with a run as it was saved; only its length may be another."""
    if arguments.output is not None:
        raise ValueError(f"--resume goes on in its own directory, {arguments.resume!r}: leave out -o")
    typed = {name: flag for name, flag in arguments.flags.items() if getattr(arguments, name, None) is not None}
    others = [flag for name, flag in typed.items() if name not in ("resume", "epochs", "steps", "minutes")]
    if others:
        raise ValueError(f"--resume goes on with what the run began with: leave out {', '.join(others)}")
    with open_run(arguments.resume, resume=True) as run:
        arrays, header = run.read()
        try:
            source = Source(**header["source"])
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{run.last!r} has a source of another form ({error})") from error
        if arguments.files:
            source = dataclasses.replace(source, files=arguments.files, text=None)
        trainer = restore(source.read(), arrays, header, **given)
        words = f"resumed after step {trainer.step}"
        if not trainer.step:
            words += ": no later step had been saved"
        before = header["training"]["options"].get("steps") or 0
        if given and trainer.steps != before:
            words += f"\nthe schedule now runs over {trainer.steps:,} steps instead of {before:,}"
        return _train(arguments, trainer, run, source, arguments.resume, stop, words)


def _source(arguments: argparse.Namespace) -> Source:
    if arguments.corpus and arguments.files:
        raise ValueError(f"--corpus {arguments.corpus} stands instead of files: leave out one of them")
    text = None if arguments.corpus or arguments.files else TUTORIAL_TEXT
    return Source(
        arguments.files,
        arguments.encoding or "utf-8",
        arguments.errors or "strict",
        arguments.corpus,
        text,
        arguments.max_chars,
    )


def _train(
    arguments: argparse.Namespace,
    trainer: Trainer,
    run: Run,
    source: Source,
    directory: str,
    stop: Stop,
    words: str = "",
) -> int:
    deadline = time.monotonic() + 60 * arguments.minutes if arguments.minutes else float("inf")
    each = steps(trainer, run, dataclasses.asdict(source), lambda: bool(stop.status) or time.monotonic() > deadline)
    watch, resume = Watch(trainer), f"numpy-rnn train --resume {directory}"
    try:
        watch.say(_heading(trainer, directory))
        watch.say(words)
        with contextlib.closing(each), contextlib.closing(watch):
            watch.start()
            for progress in each:
                watch.show(progress)
        if trainer.step == trainer.steps:
            watch.say(f"done; try: numpy-rnn generate {directory} --temperature 0.8")
            return 0
        how = "interrupted" if stop.status else "time is up"
        watch.say(f"{how}: saved after step {trainer.step}; go on with: {resume}")
    except OutputLost as error:  # nobody watches, but what was learned is kept: closing the steps has saved it
        discard_output()
        try:
            print(f"numpy-rnn: {error}: saved after step {trainer.step}; go on with: {resume}", file=sys.stderr)
        except OSError:  # a terminal that is gone
            discard_output(sys.stderr)
        return stop.status or 1
    return stop.status


def _heading(trainer: Trainer, directory: str) -> str:
    options, size = trainer.options, trainer.model.parameters().data.size
    val = f", {trainer.val_length:,} to validate with" if trainer.val_length else ""
    return (
        f"{len(trainer.streams.tokens):,} characters{val}, {len(trainer.vocabulary)} distinct; {size:,} parameters; "
        f"{trainer.steps:,} steps of {options.batch_size} x {options.seq_len}, {len(trainer.streams):,} an epoch; "
        f"RUN {directory}"
    )


def _new_name(source: Source) -> str:
    """Return the name of a directory that is not there yet."""
    first = source.corpus or ("tutorial" if not source.files else "stdin")
    if source.files and source.files[0] != "-":
        first = Path(source.files[0]).stem
    names: Iterator[str] = itertools.chain([f"{first}-run"], (f"{first}-run-{n}" for n in itertools.count(2)))
    return next(name for name in names if not os.path.lexists(name))
