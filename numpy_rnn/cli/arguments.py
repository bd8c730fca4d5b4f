"""What the commands share: types of arguments, the options of a small training, a line of progress."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable

__all__ = ["TUTORIAL_TEXT", "add_training", "positive_int", "progress", "seed", "step_size"]

TUTORIAL_TEXT = "Hello, how are you?"


def argument(
    convert: Callable[[str], float], accept: Callable[[float], bool], expected: str
) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = convert(text)
        except ValueError:
            value = math.nan
        if not accept(value):
            raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
        return value

    return parse


positive_int = argument(int, lambda value: 1 <= value <= 10**9, "an integer from 1 to 10**9")
seed = argument(int, lambda value: value >= 0, "an integer of at least 0")
step_size = argument(float, lambda value: 0 < value <= 1e30, "a number above 0 and at most 1e30")


def add_training(command: argparse.ArgumentParser) -> None:
    command.add_argument("--epochs", type=positive_int, default=100, help="Adam steps, each over the whole text")
    command.add_argument("--hidden-size", type=positive_int, default=32, help="of the RNN and of the embedding")
    command.add_argument("--lr", type=step_size, default=0.01, help="Adam's step size")
    command.add_argument("--seed", type=seed, default=0, help="of the initial weights")
    command.add_argument("--dtype", choices=["float32", "float64"], default="float32", help="of all arithmetic")


def progress(line: str) -> None:
    """Rewrite the line that a person watches; nothing where the output is no terminal."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
