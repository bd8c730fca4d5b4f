"""numpy-rnn train: learn a text, watch, stop, resume."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import sys
from contextlib import AbstractContextManager
from typing import Any

from numpy_rnn.checks import ArgumentError
from numpy_rnn.cli.arguments import add_options, given_options, positive, positive_int
from numpy_rnn.cli.output import discard_output
from numpy_rnn.cli.ranks import closing, together
from numpy_rnn.cli.source import new_name, read_source, source_of
from numpy_rnn.cli.stop import Stop
from numpy_rnn.cli.threads import Threads
from numpy_rnn.cli.watch import OutputLost, Watch
from numpy_rnn.display.terminal import count, escape, quote
from numpy_rnn.storage.files import CheckpointError, reason
from numpy_rnn.storage.model_file import load_model, model_options
from numpy_rnn.text.corpus import CORPUS_CHARS, Source
from numpy_rnn.text.lines import Lines
from numpy_rnn.text.vocabulary import Vocabulary, tokenize
from numpy_rnn.training.fine_tuning import grown
from numpy_rnn.training.loop import Paused, Training
from numpy_rnn.training.options import CHANGEABLE, Options
from numpy_rnn.training.ranks import Ranks
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
        epilog="Several files are joined, with a newline between two of them, and the end of each is kept for "
        "validation. From a folder, all text files are read, in sorted order, without hidden ones.",
        examples=[
            "train book.txt",
            "train letters/ diary.txt -o mine --layers 1 --hidden-size 128 --minutes 5",
            "train --resume book-run --epochs 20 --lr 0.001",
            "train other.txt --from book-run --lr 0.0005",
            "train names.txt --lines",
            "train --bytes picture.bmp",
        ],
    )
    words = "text to learn: files and folders; '-' is standard input (default: standard input, if it is a pipe)"
    command.add_argument("files", nargs="*", metavar="FILE", help=words)
    command.add_argument("-o", "--output", metavar="RUN", help="new directory for the run (default: FILE-run)")
    command.add_argument("--resume", metavar="RUN", help="continue this run; give FILE only if the text has moved")
    command.add_argument(
        "--from", metavar="RUN", dest="from_run", help="start from the best model of this run, and write to a new one"
    )
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
    words = "share the work with the other processes of mpiexec; see docs/training.md"
    command.add_argument("--mpi", action="store_true", help=words)
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    with Stop(arguments.minutes) as stop, together(arguments) as ranks:
        stop.quiet = ranks.rank > 0
        if arguments.resume is not None:
            return _resume(arguments, stop, ranks)
        source, given = source_of(arguments), given_options(arguments)
        if arguments.from_run is not None:
            trainer, words = _fine_tune(arguments, source, given, ranks)
        else:
            options = Options(**given)
            text, words = read_source(source, options)
            vocabulary = Vocabulary.of_bytes() if arguments.bytes else None
            trainer = Trainer(*tokenize(text, vocabulary, options.lines), options, ranks=ranks)
            del text
        with _open(new_name(source) if arguments.output is None else arguments.output, ranks) as run:
            return _train(trainer, run, source, stop, Threads(trainer, arguments), words)


def _open(directory: str, ranks: Ranks, resume: bool = False) -> AbstractContextManager[Run]:
    """Return the run in a context. Only the first rank locks and writes it."""
    return open_run(directory, resume) if ranks.rank == 0 else contextlib.nullcontext(Run(directory))


def _fine_tune(
    arguments: argparse.Namespace, source: Source, given: dict[str, Any], ranks: Ranks
) -> tuple[Trainer, str]:
    """Return a trainer that starts from a trained model, and what to say about it."""
    old, vocabulary, header = load_model(arguments.from_run)
    kind = model_options(old)
    del kind["vocab_size"], kind["tie_weights"]
    others = [flag for name, flag in arguments.flags.items() if name in kind.keys() & given.keys() - {"dropout"}]
    if others:
        raise ValueError(f"--from keeps the model as it is: leave out {', '.join(others)}")
    if vocabulary.is_bytes != bool(arguments.bytes):
        raise ArgumentError("from_run", f"needs {'' if vocabulary.is_bytes else 'no '}--bytes, as in the old run")
    options = Options(**({"lines": "lines" in header} | kind | given))
    text, words = read_source(source, options)
    model, grown_vocabulary = grown(old, vocabulary, text + "\n" * options.lines, options.seed, options.dropout)
    new = len(grown_vocabulary) - len(vocabulary)
    words += "\n" * bool(words) + f"from {escape(arguments.from_run)}: {count(new, 'new character')}"
    return Trainer(*tokenize(text, grown_vocabulary, options.lines), options, model, ranks), words


def _resume(arguments: argparse.Namespace, stop: Stop, ranks: Ranks) -> int:
    """Continue a run as it was saved; only its length, step size and evaluations may change."""
    if arguments.from_run is not None:
        raise ValueError("--from starts a new run and --resume continues one: leave out one of them")
    if arguments.output is not None:
        raise ValueError(f"--resume writes to its own directory, {arguments.resume!r}: leave out -o")
    typed = {name: flag for name, flag in arguments.flags.items() if getattr(arguments, name, None) is not None}
    changeable = ("minutes", "threads", "mpi", *CHANGEABLE)
    others = [flag for name, flag in typed.items() if name not in ("files", "resume", *changeable)]
    if others:
        allowed = ", ".join(flag for name, flag in arguments.flags.items() if name in changeable)
        raise ValueError(f"--resume can change only {allowed}: leave out {', '.join(others)}")
    directory, name = os.path.split(arguments.resume)
    with _open((directory or ".") if name == "last.npz" else arguments.resume, ranks, resume=True) as run:
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
        try:
            text, words = read_source(source, options)
        except OSError as error:
            moved = f"if the text has moved: --resume {quote(arguments.resume)} FILE"
            raise type(error)(f"{error}; {moved}") from error
        trainer = restore(text, arrays, header, ranks=ranks, **given)
        del text
        words += f"\nresumed after step {trainer.step}" if words else f"resumed after step {trainer.step}"
        if not trainer.step:
            words += ": no later step had been saved"
        plan, before = trainer.plan, header["training"]["options"]
        if plan.steps != before.get("steps"):
            words += f"\nthe schedule now runs over {plan.steps:,} steps instead of {before['steps']:,}"
        for name in (name for name in given if name not in LENGTH and getattr(plan, name) != before.get(name)):
            was = "" if before.get(name) is None else f" instead of {before[name]}"
            words += f"\n{arguments.flags[name]} is now {getattr(plan, name)}{was}"
        return _train(trainer, run, source, stop, Threads(trainer, arguments, header.get("threads")), words)


def _train(trainer: Trainer, run: Run, source: Source, stop: Stop, threads: Threads, words: str = "") -> int:
    stop.saves()
    run.threads = threads.count
    ranks = trainer.ranks
    training = Training(trainer, run if ranks.rank == 0 else None, dataclasses.asdict(source))
    watch, resume = Watch(trainer), f"numpy-rnn train --resume {quote(run.directory)}"
    if ranks.size > 1:
        resume = f"mpiexec -n {ranks.size} {resume} --mpi"
    resume += " < TEXT" * ("-" in source.files)

    def pause(doing: str) -> None:
        if ranks.any(stop):
            raise Paused
        watch.remind(f"  {doing}")

    trainer.pause = pause
    try:
        watch.say(_heading(trainer, run.directory))
        watch.say(words)
        watch.say(threads.words)
        with closing(training), contextlib.closing(watch):
            watch.start()
            complete = training.done
            while not (training.done or ranks.any(stop)):
                watch.show(training.step())
                watch.remind(training)
                watch.say(threads.give_way())
                run.threads = threads.count
        stop.status = ranks.max(stop.status)
        if not stop.status and (words := training.verdict()):
            raise FloatingPointError(words)
        if training.done:
            if trainer.step < trainer.plan.steps:
                watch.say(
                    f"stopped: {count(trainer.since_best, 'validation')} without a loss below the best, "
                    f"{trainer.best_val_loss:.4f}; to continue: {resume} --patience {2 * trainer.since_best}"
                )
            elif complete:
                watch.say(f"the run was complete; to continue: {resume} --steps {2 * trainer.step}")
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
    length, window = count(len(trainer.streams.tokens), unit), f"{plan.batch_size} x {plan.seq_len}"
    if isinstance(trainer.streams, Lines):
        length, window = count(len(trainer.streams.trained), "line"), count(plan.batch_size, "line")
    return (
        f"{length}{val}, {len(trainer.vocabulary)} distinct{f' {unit}s' * plan.lines}; "
        f"{count(size, 'parameter')}; {count(plan.steps, 'step')} of {window}, "
        f"{plan.windows:,} per epoch; RUN {quote(directory)}"
    )
