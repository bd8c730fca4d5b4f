"""numpy-rnn train: learn a text, watch, stop, resume."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy_rnn.cli.arguments import TUTORIAL_TEXT, add_options, given_options, positive, positive_int
from numpy_rnn.cli.output import discard_output
from numpy_rnn.cli.stop import Stop
from numpy_rnn.cli.threads import Threads
from numpy_rnn.cli.watch import OutputLost, Watch
from numpy_rnn.storage.files import CheckpointError
from numpy_rnn.text.corpus import CORPUS_CHARS, Source
from numpy_rnn.text.vocabulary import tokenize
from numpy_rnn.training.loop import Paused, Training
from numpy_rnn.training.options import Options
from numpy_rnn.training.run import Run, open_run
from numpy_rnn.training.state import restore
from numpy_rnn.training.trainer import Trainer

__all__ = ["add"]

LENGTH = ("epochs", "steps")


def add(commands: Any) -> None:
    command = commands.add_parser(
        "train",
        help="train a model on your own text",
        description="Train on one or several text files by truncated backpropagation through time. Ctrl-C, SIGTERM "
        "and closing the terminal save the run; --resume continues it as if it had never been stopped.",
    )
    command.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help=f"text to learn; '-' is standard input (default: the tutorial's sentence, {TUTORIAL_TEXT!r})",
    )
    command.add_argument("-o", "--output", metavar="RUN", help="new directory for the run (FILE-run)")
    command.add_argument("--resume", metavar="RUN", help="continue this run; give FILE only if the text has moved")
    text = command.add_argument_group("text")
    text.add_argument("--encoding", help="encoding of the files (utf-8)")
    text.add_argument("--errors", help="how to treat bytes that are not in this encoding, as in open() (strict)")
    text.add_argument("--corpus", choices=["stdlib"], help="learn Python's standard library instead of files")
    text.add_argument(
        "--max-chars", type=positive_int, help=f"use only the start of the text (stdlib: {CORPUS_CHARS:,} characters)"
    )
    names = [option.name for option in dataclasses.fields(Options) if option.name not in LENGTH]
    add_options(command.add_argument_group("training"), names)
    length = command.add_argument_group("length")
    add_options(length.add_mutually_exclusive_group(), LENGTH)
    length.add_argument("--minutes", type=positive, help="save and stop after this time; the schedule is unaffected")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    with Stop(arguments.minutes) as stop:
        if arguments.resume is not None:
            return _resume(arguments, stop)
        source = _source(arguments)
        trainer = Trainer(*tokenize(source.read()), Options(**given_options(arguments)))
        with open_run(arguments.output or _new_name(source)) as run:
            return _train(trainer, run, source, stop, Threads(trainer, arguments))


def _resume(arguments: argparse.Namespace, stop: Stop) -> int:
    """Continue a run as it was saved; only its length may change."""
    if arguments.output is not None:
        raise ValueError(f"--resume writes to its own directory, {arguments.resume!r}: leave out -o")
    typed = {name: flag for name, flag in arguments.flags.items() if getattr(arguments, name, None) is not None}
    others = [flag for name, flag in typed.items() if name not in ("resume", "minutes", "threads", *LENGTH)]
    if others:
        raise ValueError(f"--resume keeps the options that the run was started with: leave out {', '.join(others)}")
    with open_run(arguments.resume, resume=True) as run:
        arrays, header = run.read()
        try:
            source = Source(**header["source"])
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{run.last!r} has a source of another form ({error})") from error
        if arguments.files:
            source = dataclasses.replace(source, files=arguments.files, text=None)
        given = given_options(arguments)
        trainer = restore(source.read(), arrays, header, **given)
        words = f"resumed after step {trainer.step}"
        if not trainer.step:
            words += ": no later step had been saved"
        steps, before = trainer.plan.steps, header["training"]["options"].get("steps")
        if given and steps != before:
            words += f"\nthe schedule now runs over {steps:,} steps instead of {before:,}"
        return _train(trainer, run, source, stop, Threads(trainer, arguments, header.get("threads")), words)


def _source(arguments: argparse.Namespace) -> Source:
    if arguments.corpus and arguments.files:
        raise ValueError(f"--corpus {arguments.corpus} replaces files: leave out one of them")
    text = None if arguments.corpus or arguments.files else TUTORIAL_TEXT
    encoding, errors = arguments.encoding or "utf-8", arguments.errors or "strict"
    return Source(arguments.files, encoding, errors, arguments.corpus, text, arguments.max_chars)


def _train(trainer: Trainer, run: Run, source: Source, stop: Stop, threads: Threads, words: str = "") -> int:
    stop.saves()
    run.threads = threads.count
    training = Training(trainer, run, dataclasses.asdict(source))
    watch, resume = Watch(trainer), f"numpy-rnn train --resume {shlex.quote(run.directory)}"

    def pause(doing: str) -> None:
        if stop:
            raise Paused
        watch.remind(f"  {doing}")

    trainer.pause = pause
    try:
        watch.say(_heading(trainer, run.directory))
        watch.say(words)
        watch.say(threads.words)
        with contextlib.closing(training), contextlib.closing(watch):
            watch.start()
            while not (training.done or stop):
                watch.show(training.step())
                watch.remind(training)
                watch.say(threads.give_way())
                run.threads = threads.count
        if not stop.status and (words := training.verdict()):
            raise FloatingPointError(words)
        if training.done:
            watch.say(f"done; try: numpy-rnn generate {shlex.quote(run.directory)} --temperature 0.8")
            return 0
        how = "interrupted" if stop.status else "time is up"
        watch.say(f"{how}: saved after step {trainer.step}; resume with: {resume}")
    except OutputLost as error:  # nobody is watching, but closing `training` has saved the run
        discard_output()
        try:
            print(f"numpy-rnn: {error}: saved after step {trainer.step}; resume with: {resume}", file=sys.stderr)
        except OSError:  # the terminal is gone
            discard_output(sys.stderr)
        return stop.status or 1
    return stop.status


def _heading(trainer: Trainer, directory: str) -> str:
    plan, size = trainer.plan, trainer.model.parameters().data.size
    val = f", {plan.val_length:,} for validation" if plan.val_length else ""
    return (
        f"{len(trainer.streams.tokens):,} characters{val}, {len(trainer.vocabulary)} distinct; "
        f"{size:,} parameters; {plan.steps:,} steps of {plan.batch_size} x {plan.seq_len}, "
        f"{plan.windows:,} per epoch; RUN {directory}"
    )


def _new_name(source: Source) -> str:
    """Return the name of a directory that does not exist yet."""
    first = source.corpus or ("tutorial" if not source.files else "stdin")
    if source.files and source.files[0] != "-":
        first = Path(source.files[0]).stem
    names: Iterator[str] = itertools.chain([f"{first}-run"], (f"{first}-run-{n}" for n in itertools.count(2)))
    return next(name for name in names if not os.path.lexists(name))
