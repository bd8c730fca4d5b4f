"""What the commands share: argument types, options generated from their declarations, a progress line."""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy_rnn as nr
from numpy_rnn.cli.output import as_typed
from numpy_rnn.text.windows import inputs_and_targets
from numpy_rnn.training.memory import check_memory
from numpy_rnn.training.options import COUNT, POSITIVE, SEED, STEP_SIZE, Options

__all__ = [
    "TUTORIAL_TEXT",
    "add_options",
    "add_threads",
    "add_training",
    "argument",
    "given_options",
    "positive",
    "positive_int",
    "progress",
    "seed",
    "untrained",
]

TUTORIAL_TEXT = "Hello, how are you?"


def argument(
    convert: Callable[[str], float], accept: Callable[[float], bool], expected: str
) -> Callable[[str], float]:
    """Return a `type` for argparse: a number in some range."""

    def parse(text: str) -> float:
        try:
            value = convert(text)
        except ValueError:
            value = math.nan
        if not accept(value):
            raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
        return value

    return parse


positive_int, seed, step_size, positive = (argument(*accepted) for accepted in (COUNT, SEED, STEP_SIZE, POSITIVE))


def add_options(group: Any, names: Iterable[str]) -> None:
    """Add some training options, as `Options` declares them. Those that are not given are left out of the result."""
    declared = {option.name: option for option in dataclasses.fields(Options)}
    for name in names:
        option = declared[name]
        flag = "--" + name.removeprefix("num_").replace("_", "-")
        accepted, words = option.metadata["accepted"], option.metadata["help"]
        if option.default is not None and option.default is not False:
            words += f" (default: {option.default})"
        if accepted == (False, True):
            kind: dict[str, Any] = {"action": argparse.BooleanOptionalAction}
        else:
            kind = {"choices": accepted} if isinstance(accepted[0], str) else {"type": argument(*accepted)}
        group.add_argument(flag, dest=name, default=argparse.SUPPRESS, help=words, **kind)


def given_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the training options that were given on the command line."""
    names = [option.name for option in dataclasses.fields(Options)]
    return {name: getattr(arguments, name) for name in names if hasattr(arguments, name)}


def add_training(command: argparse.ArgumentParser, text: str, **how: Any) -> None:
    """Add the arguments of the commands that train a small model on one text; `text` is the name of the first."""
    words = "text to train on, at least two characters"
    command.add_argument(text, type=as_typed, default=TUTORIAL_TEXT, help=words, **how)
    command.add_argument("--epochs", type=positive_int, default=100, help="Adam steps, each on the whole text")
    command.add_argument(
        "--hidden-size", type=positive_int, default=32, help="size of the hidden state and of the embedding"
    )
    command.add_argument("--lr", type=step_size, default=0.01, help="Adam's step size")
    command.add_argument("--seed", type=seed, default=0, help="random seed for the initial weights")
    command.add_argument("--dtype", choices=["float32", "float64"], default="float32", help="floating-point type")


def add_threads(command: argparse.ArgumentParser) -> None:
    """Add `--threads`, which `numpy_rnn.blas` has read from the command line before."""
    auto = "one, or more if a short trial shows a gain" if command.prog.endswith(" train") else "one"
    words = f"threads for matrix products (default: auto, that is {auto})"
    command.add_argument("--threads", type=_threads, default="auto", metavar="N", help=words)


def _threads(text: str) -> float | str:
    return text if text == "auto" else argument(int, COUNT.accepts, f"auto or {COUNT.words}")(text)


def untrained(arguments: argparse.Namespace) -> tuple[nr.CharRNN, nr.Vocabulary]:
    """Return a new model for the text of such a command, and the text's vocabulary."""
    vocabulary = nr.Vocabulary.from_text(arguments.text)
    inputs_and_targets(vocabulary, arguments.text)  # reports a text that is too short before anything else
    size, cell = arguments.hidden_size, getattr(arguments, "cell", "rnn")
    check_memory(len(vocabulary), size, size, 1, cell, arguments.dtype, len(arguments.text) - 1, 1)
    return nr.CharRNN(len(vocabulary), size, size, cell=cell, dtype=arguments.dtype, rng=arguments.seed), vocabulary


def progress(line: str) -> None:
    """Rewrite the progress line, if standard error is a terminal."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
