"""The command line, `numpy-rnn`: reads arguments and prints; the arithmetic is elsewhere."""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import os
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import numpy_rnn as nr
from numpy_rnn.explorer import train_snapshots
from numpy_rnn.training import inputs_and_targets, train_epochs

__all__ = ["discard_output", "main"]

TUTORIAL_TEXT = "Hello, how are you?"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 1 for an error in one line, 2 for wrong usage."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has had enough, `| head` for one
        discard_output()
        return 0
    except OSError as error:
        discard_output()
        return _fail(str(error))
    except MemoryError as error:
        return _fail(f"not enough memory: {error}")
    except (ValueError, IndexError, FloatingPointError, ModuleNotFoundError) as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        print("numpy-rnn: interrupted", file=sys.stderr)
        return 130
    return 0


def discard_output() -> None:
    """Send what standard output still holds nowhere: at exit Python would try to write it once more."""
    with contextlib.suppress(io.UnsupportedOperation):  # no file behind it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str) -> int:
    print(f"numpy-rnn: error: {message}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="numpy-rnn", description="A character-level RNN in NumPy alone.")
    parser.add_argument("--version", action="version", version=f"numpy-rnn {nr.__version__}, numpy {np.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    tutorial = commands.add_parser(
        "tutorial",
        help="learn one sentence by heart and say it again",
        description="Train on one short text, print the loss every 10 epochs, and generate the text from its first "
        "character.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    tutorial.add_argument("--text", default=TUTORIAL_TEXT, help="what to learn, at least two characters")
    _add_training(tutorial)
    tutorial.add_argument(
        "--carry-hidden", action="store_true", help="start each epoch from the state that the last one ended in"
    )
    tutorial.add_argument(
        "--torch", action="store_true", help="train the PyTorch mirror from the same weights, side by side"
    )
    tutorial.set_defaults(run=_tutorial)

    trace = commands.add_parser(
        "trace",
        help="show how far gradients reach back in time",
        description="Train on one short text, and print, before and after, how strongly the loss of each prediction "
        "pulls at the state after each character.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    trace.add_argument("text", nargs="?", metavar="TEXT", default=TUTORIAL_TEXT, help="at least two characters")
    _add_training(trace)
    trace.add_argument(
        "--plot", metavar="FILE", help="draw a picture with more of it, such as trace.png (matplotlib)"
    )
    trace.set_defaults(run=_trace)

    explain = commands.add_parser(
        "explain",
        help="write a page that shows where every gradient comes from",
        description="Train on one short text, and write one HTML file, to be opened in a browser, with the forward "
        "and the backward pass at each step, at several stages of the training.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    explain.add_argument("text", nargs="?", metavar="TEXT", default=TUTORIAL_TEXT, help="at least two characters")
    _add_training(explain)
    explain.add_argument("-o", "--output", metavar="FILE", default="explorer.html", help="where to write it")
    explain.set_defaults(run=_explain)
    return parser


def _add_training(command: argparse.ArgumentParser) -> None:
    command.add_argument("--epochs", type=_positive_int, default=100, help="Adam steps, each over the whole text")
    command.add_argument("--hidden-size", type=_positive_int, default=32, help="of the RNN and of the embedding")
    command.add_argument("--lr", type=_step_size, default=0.01, help="Adam's step size")
    command.add_argument("--seed", type=_seed, default=0, help="of the initial weights")
    command.add_argument("--dtype", choices=["float32", "float64"], default="float32", help="of all arithmetic")


def _argument(
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


_positive_int = _argument(int, lambda value: 1 <= value <= 10**9, "an integer from 1 to 10**9")
_seed = _argument(int, lambda value: value >= 0, "an integer of at least 0")
_step_size = _argument(float, lambda value: 0 < value <= 1e30, "a number above 0 and at most 1e30")


def _tutorial(arguments: argparse.Namespace) -> None:
    vocabulary = nr.Vocabulary.from_text(arguments.text)
    inputs_and_targets(vocabulary, arguments.text)  # a text that is too short is said before anything else
    size = arguments.hidden_size
    model = nr.CharRNN(len(vocabulary), size, size, dtype=arguments.dtype, rng=arguments.seed)
    training = {"epochs": arguments.epochs, "lr": arguments.lr, "carry_hidden": arguments.carry_hidden}
    if arguments.torch:
        # Only here does the package reach for its PyTorch mirror, and only when asked to.
        from torch_reference.side_by_side import side_by_side

        side_by_side(model, vocabulary, arguments.text, **training)
        return

    started = time.perf_counter()
    for epoch, loss in enumerate(train_epochs(model, vocabulary, arguments.text, **training), 1):
        _progress(f"epoch {epoch}/{arguments.epochs}  loss {loss:.4f}")
        if epoch % 10 == 0 or epoch == arguments.epochs:
            _progress("")
            print(f"Epoch [{epoch}/{arguments.epochs}], Loss: {loss:.4f}")
    _progress("")
    print(f"Generated text: {nr.generate(model, vocabulary, arguments.text[0], len(arguments.text))}")
    print(f"({time.perf_counter() - started:.2f} s, NumPy alone)")


def _trace(arguments: argparse.Namespace) -> None:
    text, vocabulary = arguments.text, nr.Vocabulary.from_text(arguments.text)
    tokens, targets = inputs_and_targets(vocabulary, text)
    size = arguments.hidden_size
    model = nr.CharRNN(len(vocabulary), size, size, dtype=arguments.dtype, rng=arguments.seed)
    before = nr.trace(model, tokens, targets)
    for epoch, loss in enumerate(train_epochs(model, vocabulary, text, epochs=arguments.epochs, lr=arguments.lr), 1):
        _progress(f"epoch {epoch}/{arguments.epochs}  loss {loss:.4f}")
    _progress("")
    after = nr.trace(model, tokens, targets)
    width = min(max(shutil.get_terminal_size((100, 24)).columns, 40), 120)
    print(before.heatmap(vocabulary, after, width=width), end="")
    if arguments.plot is not None:
        with warnings.catch_warnings():  # a character that matplotlib's font lacks shows as a box
            warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
            before.plot(vocabulary, after).savefig(arguments.plot)
        print(f"(drawn in {arguments.plot})")


def _explain(arguments: argparse.Namespace) -> None:
    text, vocabulary = arguments.text, nr.Vocabulary.from_text(arguments.text)
    size = arguments.hidden_size
    model = nr.CharRNN(len(vocabulary), size, size, dtype=arguments.dtype, rng=arguments.seed)
    models = train_snapshots(model, vocabulary, text, epochs=arguments.epochs, lr=arguments.lr)
    page = nr.explain(models, vocabulary, text).encode()
    Path(arguments.output).write_bytes(page)
    print(f"{arguments.output}: {len(page) / 1e6:.1f} MB, to be opened in a browser")


def _progress(line: str) -> None:
    """Rewrite the line that a person watches; nothing where the output is no terminal."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
