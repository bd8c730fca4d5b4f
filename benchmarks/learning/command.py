"""`python -m benchmarks learning FILE`: run the learning race, show it, keep it."""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.arguments import check_place, require, threads
from benchmarks.learning.plot import draw
from benchmarks.learning.race import run_learning
from benchmarks.learning.report import markdown
from benchmarks.learning.results import Learning
from benchmarks.measure.machine import available_cores
from benchmarks.measure.saved import keep
from numpy_rnn.cli.arguments import argument, positive_int, seed, step_size
from numpy_rnn.text.corpus import read_text
from numpy_rnn.text.vocabulary import tokenize
from numpy_rnn.training.options import Options
from numpy_rnn.training.trainer import Trainer

__all__ = ["run"]

EPOCHS, EVALUATIONS = 8, 40

_fraction = argument(float, lambda value: 0 < value < 1, "a number above 0 and below 1")


def run(argv: Sequence[str]) -> int:
    """Return 0; 1 where the race failed or may not be published; raise SystemExit(2) for wrong usage."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    given = {f.name: getattr(arguments, f.name) for f in dataclasses.fields(Options) if hasattr(arguments, f.name)}
    if arguments.load and (arguments.file or arguments.threads or given):
        parser.error("--load stands alone: it does not go with FILE and options of another race")
    if not arguments.load and not arguments.file:
        parser.error("the following arguments are required: FILE, or --load")
    try:
        loaded = Learning.load(arguments.load) if arguments.load else None
    except (OSError, ValueError) as error:
        parser.error(str(error))
    require("matplotlib", "the picture is drawn with")
    if arguments.publish is not None:
        check_place(arguments.publish)
    if loaded is not None:
        return _show(loaded, arguments.load, arguments.publish)
    try:
        learning = _learn(arguments, given)
    except (ValueError, FloatingPointError, MemoryError) as error:  # of the text, or of the options
        print(f"benchmarks: error: {error}", file=sys.stderr)
        return 1
    return _show(learning, keep(learning, "learning-"), arguments.publish)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks learning",
        description="Train numpy_rnn and PyTorch on a text, from the same weights on, in the same order and with the "
        "same options, and compare the times to the same validation loss.",
        argument_default=argparse.SUPPRESS,
    )
    defaults = Options()
    parser.add_argument("file", nargs="?", default=None, metavar="FILE", help="the text, in UTF-8")
    for flag, name, convert, words in (
        ("--hidden-size", "hidden_size", positive_int, f"of each layer ({defaults.hidden_size})"),
        ("--layers", "num_layers", positive_int, f"layers of the RNN ({defaults.num_layers})"),
        ("--seq-len", "seq_len", positive_int, f"characters of a window ({defaults.seq_len})"),
        ("--batch-size", "batch_size", positive_int, "streams through the text (32; of short texts fewer)"),
        ("--lr", "lr", step_size, f"Adam's step size, the largest of the schedule ({defaults.lr})"),
        ("--val-fraction", "val_fraction", _fraction, "part of the text, its end, to validate with (0.05)"),
        ("--eval-every", "eval_every", positive_int, f"steps between validations (a {EVALUATIONS}th of all)"),
        ("--seed", "seed", seed, f"of the initial weights ({defaults.seed})"),
    ):  # fmt: skip
        parser.add_argument(flag, dest=name, type=convert, help=words)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=positive_int, help=f"times through the text ({EPOCHS})")
    length.add_argument("--steps", type=positive_int, help="steps, one a window, instead of epochs")
    parser.add_argument(
        "--threads", type=threads, default=None, help="the thread setting; without it the better of 1 and all cores"
    )
    parser.add_argument(
        "--load", type=Path, default=None, metavar="LEARNING.json", help="show a race that was saved, run none"
    )
    parser.add_argument(
        "--publish",
        type=Path,
        default=None,
        metavar="FOLDER",
        help="write learning.json, learning.md and learning.png there, unless the A/A control forbids it",
    )
    return parser


def _learn(arguments: argparse.Namespace, given: dict[str, Any]) -> Learning:
    require("threadpoolctl", "reading thread counts back needs")
    text = read_text(arguments.file)
    length: dict[str, Any] = {} if "steps" in given else {"epochs": EPOCHS}
    trainer = Trainer(*tokenize(text), Options(**length | given))
    if not trainer.plan.val_length:
        raise ValueError(
            f"the text has {len(text)} characters: none are kept to validate with; take a text of at least 2000, or "
            "--val-fraction 0.1"
        )
    if "eval_every" not in given:
        trainer.plan = dataclasses.replace(trainer.plan, eval_every=math.ceil(trainer.plan.steps / EVALUATIONS))
    settings = [arguments.threads] if arguments.threads else sorted({1, available_cores()})
    print("probing thread settings and Adam(fused=True) ...", file=sys.stderr, flush=True)
    return run_learning(text, trainer, Path(arguments.file).name, settings, _watch(trainer.plan.steps))


def _watch(steps: int) -> Callable[[Learning], None]:
    """Return what prints a line after each evaluation."""
    started: float | None = None

    def show(learning: Learning) -> None:
        nonlocal started
        started = time.monotonic() if started is None else started
        curves = zip(("numpy_rnn", "torch"), learning.curves(), strict=True)
        cells = (f"{name} {curve.losses[-1]:.4f} after {curve.seconds[-1]:.1f} s" for name, curve in curves)
        step, elapsed = learning.chunks[-1].step, time.monotonic() - started
        left = f", about {elapsed / step * (steps - step):.0f} s left" if step else ""
        print(f"step {step} of {steps}: validation loss {', '.join(cells)}{left}", file=sys.stderr, flush=True)

    return show


def _show(learning: Learning, saved: Path, publish: Path | None) -> int:
    print(markdown(learning), flush=True)
    picture, reasons = saved.with_suffix(".png"), learning.not_publishable()
    if publish is not None and not reasons:
        learning.save(publish / "learning.json")
        (publish / "learning.md").write_text(markdown(learning))
        picture = publish / "learning.png"
    draw(learning, picture)
    print(f"drew {picture}", file=sys.stderr)
    if publish is not None and reasons:
        print(f"benchmarks: not published: {'; '.join(reasons)}", file=sys.stderr)
        return 1
    return 0
