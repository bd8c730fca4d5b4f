"""`python -m benchmarks learning FILE`: run the learning race, print its report, save it."""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.command import add_load_and_publish, check_folder, publish, require, threads
from benchmarks.learning.plot import draw
from benchmarks.learning.race import run_learning
from benchmarks.learning.report import markdown
from benchmarks.learning.results import Learning
from benchmarks.measure.machine import available_cores
from numpy_rnn.cli.arguments import add_options, given_options, positive_int
from numpy_rnn.text.corpus import read_text
from numpy_rnn.text.vocabulary import tokenize
from numpy_rnn.training.options import Options
from numpy_rnn.training.trainer import Trainer

__all__ = ["run"]

EPOCHS, EVALUATIONS = 8, 40
OPTIONS = ("cell", "hidden_size", "num_layers", "seq_len", "batch_size", "lr", "val_fraction", "seed")


def run(argv: Sequence[str]) -> int:
    """Return the exit status: 1 if the race failed or may not be published; raise SystemExit(2) for wrong usage."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    given = given_options(arguments)
    if arguments.load and (arguments.file or arguments.threads or given):
        parser.error("--load cannot be combined with FILE or options of another race")
    if not arguments.load and not arguments.file:
        parser.error("one of FILE and --load is required")
    try:
        loaded = Learning.load(arguments.load) if arguments.load else None
    except (OSError, ValueError) as error:
        parser.error(str(error))
    require("matplotlib", "for the picture")
    check_folder(arguments.publish)
    try:
        learning = loaded or _learn(arguments, given)
    except (ValueError, FloatingPointError, MemoryError) as error:  # in the text or the options
        print(f"benchmarks: error: {error}", file=sys.stderr)
        return 1
    saved = arguments.load if loaded else learning.keep("learning-")
    report = markdown(learning)
    print(report, flush=True)
    if arguments.publish is None or learning.not_publishable():
        print(f"drew {draw(learning, saved.with_suffix('.png'))}", file=sys.stderr)
    return publish(
        learning, "learning", report, arguments.publish, lambda folder: [draw(learning, folder / "learning.png")]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks learning",
        description="Train numpy_rnn and PyTorch on a text, with the same initial weights, data order and options. "
        "Compare the times to the same validation loss.",
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("file", nargs="?", default=None, metavar="FILE", help="text file in UTF-8")
    add_options(parser, OPTIONS)
    parser.add_argument("--eval-every", type=positive_int, help=f"steps between validations ({EVALUATIONS} in all)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=positive_int, help=f"passes over the text ({EPOCHS})")
    add_options(length, ["steps"])
    parser.add_argument("--threads", type=threads, default=None, help="number of threads (the faster of 1 and all)")
    add_load_and_publish(parser, "learning.json, learning.md and learning.png")
    return parser


def _learn(arguments: argparse.Namespace, given: dict[str, Any]) -> Learning:
    require("threadpoolctl", "to read thread counts")
    text = read_text(arguments.file)
    default: dict[str, Any] = {"val_chars": 10**9} | ({} if "steps" in given else {"epochs": EPOCHS})
    trainer = Trainer(*tokenize(text), Options(**default | given))
    if not trainer.plan.val_length:
        raise ValueError(
            f"no part of the {len(text)} characters is kept for validation: use a text of at least 2000 characters, "
            "or --val-fraction 0.1"
        )
    if "eval_every" not in given:
        trainer.plan = dataclasses.replace(trainer.plan, eval_every=math.ceil(trainer.plan.steps / EVALUATIONS))
    settings = [arguments.threads] if arguments.threads else sorted({1, available_cores()})
    print("probing thread settings and Adam(fused=True) ...", file=sys.stderr, flush=True)
    return run_learning(text, trainer, Path(arguments.file).name, settings, _watch(trainer.plan.steps))


def _watch(steps: int) -> Callable[[Learning], None]:
    """Return a function that prints a line after each evaluation."""
    started: float | None = None

    def show(learning: Learning) -> None:
        nonlocal started
        started = started or time.monotonic()
        curves = zip(("numpy_rnn", "torch"), learning.curves(), strict=True)
        cells = (f"{name} {curve.losses[-1]:.4f} after {curve.seconds[-1]:.1f} s" for name, curve in curves)
        step, elapsed = learning.chunks[-1].step, time.monotonic() - started
        left = f", about {elapsed / step * (steps - step):.0f} s left" if step else ""
        print(f"step {step} of {steps}: validation loss {', '.join(cells)}{left}", file=sys.stderr, flush=True)

    return show
