"""The command line, `numpy-rnn`: reads arguments and prints; the arithmetic is elsewhere."""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import os
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

import numpy_rnn as nr
from numpy_rnn.training import inputs_and_targets, train_epochs

__all__ = ["discard_output", "main"]

TUTORIAL_TEXT = "Hello, how are you?"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, 1 for an error, in one line, or a wrong gradient, 2 for wrong usage."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments) or 0
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
    return status


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
    tutorial.add_argument("--epochs", type=_positive_int, default=100, help="Adam steps, each over the whole text")
    tutorial.add_argument("--hidden-size", type=_positive_int, default=32, help="of the RNN and of the embedding")
    tutorial.add_argument("--lr", type=_step_size, default=0.01, help="Adam's step size")
    tutorial.add_argument("--seed", type=_seed, default=0, help="of the initial weights")
    tutorial.add_argument("--dtype", choices=["float32", "float64"], default="float32", help="of all arithmetic")
    tutorial.add_argument(
        "--carry-hidden", action="store_true", help="start each epoch from the state that the last one ended in"
    )
    tutorial.add_argument(
        "--torch", action="store_true", help="train the PyTorch mirror from the same weights, side by side"
    )
    tutorial.set_defaults(run=_tutorial)

    gradcheck = commands.add_parser(
        "gradcheck",
        help="check backward passes: the package's own, or one of yours",
        description="Compare backward passes with numerical derivatives, and say what is wrong, where, and the "
        "likely mistake. Without FILE, every layer of this package. The exit status is 1 if a gradient is wrong.",
        epilog="FILE is run, as python would run it.",
    )
    gradcheck.add_argument(
        "target",
        nargs="?",
        metavar="FILE.py:EXPRESSION",
        help="a layer, a class that needs no arguments, or a pair: my.py:MyRNN, 'my.py:MyRNN(8)', 'my.py:fwd, bwd'",
    )
    array = "name=shape for numbers from N(0, 1), as x=4,3,8, or name=shape:n for integers below n; one for each"
    gradcheck.add_argument("--input", action="append", default=[], metavar="NAME=SHAPE", help=array)
    gradcheck.add_argument(
        "--param", action="append", default=[], metavar="NAME=SHAPE", help="the same, for the params of a pair"
    )
    gradcheck.add_argument("--method", choices=["complex step", "differences"], help="default: what forward allows")
    gradcheck.add_argument("--seed", type=_seed, default=0, help="of all random numbers")
    gradcheck.add_argument("--plot", metavar="PNG", help="draw the (last) report; needs the extra 'plot'")
    gradcheck.set_defaults(run=_gradcheck)
    return parser


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


def _gradcheck(arguments: argparse.Namespace) -> int:
    from numpy_rnn.gradient_checking.command import check_file, check_shipped

    options = {"method": arguments.method, "seed": arguments.seed}
    if arguments.target is None:
        if arguments.input or arguments.param:
            raise ValueError("--input and --param belong to a file's layer: name it, path/to/file.py:ClassOrPair")
        reports = check_shipped(**options)
    else:
        reports = iter([check_file(arguments.target, arguments.input, arguments.param, **options)])
    ok = True
    for report in reports:
        print(report, end="\n\n")
        ok &= report.ok
    if arguments.plot:
        report.plot(arguments.plot)
    return 0 if ok else 1


def _progress(line: str) -> None:
    """Rewrite the line that a person watches; nothing where the output is no terminal."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
