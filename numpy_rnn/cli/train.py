"""numpy-rnn train: learn a text, watch, stop, resume."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import os
import stat
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy_rnn.cli.arguments import add_options, given_options, positive, positive_int
from numpy_rnn.cli.output import discard_output
from numpy_rnn.cli.stop import Stop
from numpy_rnn.cli.threads import Threads
from numpy_rnn.cli.watch import OutputLost, Watch
from numpy_rnn.display.terminal import count, escape, quote
from numpy_rnn.storage.files import CheckpointError, reason
from numpy_rnn.text.corpus import CORPUS_CHARS, Source, join
from numpy_rnn.text.files import LOSSLESS
from numpy_rnn.text.vocabulary import Vocabulary, tokenize
from numpy_rnn.training.loop import Paused, Training
from numpy_rnn.training.options import Options
from numpy_rnn.training.run import Run, open_run
from numpy_rnn.training.state import restore
from numpy_rnn.training.trainer import Trainer

__all__ = ["add"]

LENGTH = ("epochs", "steps")
READING = ("encoding", "errors", "newline")


def add(commands: Any) -> None:
    command = commands.add_parser(
        "train",
        help="train a model on your own text",
        description="Train on one or several text files by truncated backpropagation through time. Ctrl-C, SIGTERM "
        "and closing the terminal save the run; --resume continues it as if it had never been stopped.",
        epilog="Several files are joined, with a newline between two of them, and the end of each is kept for "
        "validation. From a folder, all text files are read, in sorted order, without hidden ones.",
        examples=[
            "train book.txt",
            "train letters/ diary.txt -o mine --layers 1 --hidden-size 128 --minutes 5",
            "train --resume book-run --epochs 20",
            "train --bytes picture.bmp",
        ],
    )
    words = "text to learn: files and folders; '-' is standard input (default: standard input, if it is a pipe)"
    command.add_argument("files", nargs="*", metavar="FILE", help=words)
    command.add_argument("-o", "--output", metavar="RUN", help="new directory for the run (default: FILE-run)")
    command.add_argument("--resume", metavar="RUN", help="continue this run; give FILE only if the text has moved")
    text = command.add_argument_group("text")
    text.add_argument("--encoding", help="encoding of the files (default: utf-8)")
    words = "how to treat bytes that are not in this encoding, as in open() (default: strict)"
    text.add_argument("--errors", help=words)
    words = "line ends: make all of them a newline, or keep carriage returns (default: lf)"
    text.add_argument("--newline", choices=["lf", "keep"], help=words)
    words = "learn bytes instead of characters, all 256 of them, from files of any kind"
    text.add_argument("--bytes", action="store_true", default=None, help=words)
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
        source, options = _source(arguments), Options(**given_options(arguments))
        text, words = _read(source, options)
        trainer = Trainer(*tokenize(text, Vocabulary.of_bytes() if arguments.bytes else None), options)
        del text
        with open_run(_new_name(source) if arguments.output is None else arguments.output) as run:
            return _train(trainer, run, source, stop, Threads(trainer, arguments), words)


def _resume(arguments: argparse.Namespace, stop: Stop) -> int:
    """Continue a run as it was saved; only its length may change."""
    if arguments.output is not None:
        raise ValueError(f"--resume writes to its own directory, {arguments.resume!r}: leave out -o")
    typed = {name: flag for name, flag in arguments.flags.items() if getattr(arguments, name, None) is not None}
    others = [flag for name, flag in typed.items() if name not in ("files", "resume", "minutes", "threads", *LENGTH)]
    if others:
        raise ValueError(f"--resume keeps the options that the run was started with: leave out {', '.join(others)}")
    directory, name = os.path.split(arguments.resume)
    with open_run((directory or ".") if name == "last.npz" else arguments.resume, resume=True) as run:
        arrays, header = run.read()
        try:
            saved = {name: value for name, value in header["source"].items() if name != "text"}  # of older versions
            source, options = Source(**saved), Options(**header["training"]["options"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{run.last!r} has a source or options of another form ({reason(error)})"
            ) from error
        if arguments.files:
            source = dataclasses.replace(source, files=arguments.files)
        given = given_options(arguments)
        text, words = _read(source, options)
        trainer = restore(text, arrays, header, **given)
        del text
        words += f"\nresumed after step {trainer.step}" if words else f"resumed after step {trainer.step}"
        if not trainer.step:
            words += ": no later step had been saved"
        steps, before = trainer.plan.steps, header["training"]["options"].get("steps")
        if given and steps != before:
            words += f"\nthe schedule now runs over {steps:,} steps instead of {before:,}"
        return _train(trainer, run, source, stop, Threads(trainer, arguments, header.get("threads")), words)


def _source(arguments: argparse.Namespace) -> Source:
    if arguments.corpus and arguments.files:
        raise ValueError(f"--corpus {arguments.corpus} replaces files: leave out one of them")
    files = arguments.files
    if not (files or arguments.corpus):
        if not _is_piped():
            raise ValueError("train needs a text: name a FILE, '-' for standard input, or --corpus stdlib")
        print("numpy-rnn: no FILE is named: reading standard input", file=sys.stderr)
        files = ["-"]
    given = {name: value for name in READING if (value := getattr(arguments, name)) is not None}
    if arguments.bytes:
        if given or arguments.corpus:
            raise ValueError(
                "--bytes reads files as they are: leave out --encoding, --errors, --newline and --corpus"
            )
        given = {"encoding": "ascii", "errors": LOSSLESS, "newline": "keep"}
    return Source(files, corpus=arguments.corpus, max_chars=arguments.max_chars, **given)


def _is_piped() -> bool:
    """Return whether standard input is a pipe or a file. In services it is closed, a device or a socket."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _read(source: Source, options: Options) -> tuple[str, str]:
    """Return the text, and a line about how several files have become one."""
    if "-" in source.files and sys.stdin is not None and sys.stdin.isatty():
        print("numpy-rnn: reading standard input: type the text, and end it with Ctrl-D", file=sys.stderr)
    with warnings.catch_warnings(record=True) as left_out:
        warnings.simplefilter("always")
        texts = source.texts()
    for warning in left_out:
        print(f"numpy-rnn: {escape(str(warning.message))}", file=sys.stderr)
    words = f"{len(texts)} files, a newline between two of them" * (len(texts) > 1)
    if words and options.val_length(sum(map(len, texts))):
        words += "; the end of each is kept for validation"
    return join(texts, options.val_length), words


def _train(trainer: Trainer, run: Run, source: Source, stop: Stop, threads: Threads, words: str = "") -> int:
    stop.saves()
    run.threads = threads.count
    training = Training(trainer, run, dataclasses.asdict(source))
    watch, resume = Watch(trainer), f"numpy-rnn train --resume {quote(run.directory)}"
    resume += " < TEXT" * ("-" in source.files)

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
            watch.say(f"done; try: numpy-rnn generate {quote(run.directory)} --temperature 0.8")
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
    unit = "byte" if trainer.vocabulary.is_bytes else "character"
    return (
        f"{count(len(trainer.streams.tokens), unit)}{val}, {len(trainer.vocabulary)} distinct; "
        f"{count(size, 'parameter')}; {count(plan.steps, 'step')} of {plan.batch_size} x {plan.seq_len}, "
        f"{plan.windows:,} per epoch; RUN {quote(directory)}"
    )


def _new_name(source: Source) -> str:
    """Return the name of a directory that does not exist yet."""
    first = source.corpus or "stdin"
    if source.files and source.files[0] != "-":
        first = Path(os.path.abspath(source.files[0])).stem.lstrip("-")
    names: Iterator[str] = itertools.chain([f"{first}-run"], (f"{first}-run-{n}" for n in itertools.count(2)))
    return next(name for name in names if not os.path.lexists(name))
