"""The command line, `numpy-rnn`: one file per command. It reads arguments and prints; the arithmetic is elsewhere.

NumPy, and all that imports it, is imported in `main`, once the thread variables are set.
"""

from __future__ import annotations

from numpy_rnn.cli.stop import quick_exit

with quick_exit():
    import argparse
    import contextlib
    import re
    import sys
    from collections.abc import Sequence
    from typing import Any

    from numpy_rnn import blas
    from numpy_rnn.cli.output import discard_output, prepare_output

__all__ = ["discard_output", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 1 for an error, 2 for wrong usage.

    gradcheck returns 1 for a wrong gradient, and 2 for any error.
    """
    prepare_output()
    argv = sys.argv[1:] if argv is None else argv
    with quick_exit():
        variables_set = blas.set_variables(argv)
        parser = _parser()

        from numpy_rnn.checks import ArgumentError
        from numpy_rnn.display.terminal import escape
    error_status = 1
    try:
        arguments = _parse(parser, argv, variables_set)
        error_status = arguments.error_status
        with _threads(arguments):
            status: int = arguments.run(arguments) or 0
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has closed the pipe, such as `| head`
        discard_output()
        return 0
    except OSError as error:
        discard_output()
        ours = error.errno is None or error.filename is not None  # otherwise it comes from `print`
        message = str(error) if ours else f"standard output cannot be written: {error.strerror}"
    except MemoryError as error:
        message = f"not enough memory: {error}"
    except ArgumentError as error:
        message = f"{arguments.flags.get(error.argument, error.argument)} {error.words}"
    except (ValueError, IndexError, FloatingPointError, ModuleNotFoundError) as error:
        # Options as they are typed: --hidden-size for hidden_size. What is in quotes may be a file.
        message = re.sub(
            r"(?<![-\w.'/(])(lr|\w+_\w+)(?![\w'/.(=])", lambda m: arguments.flags.get(m[0], m[0]), str(error)
        )
    except KeyboardInterrupt:
        print("numpy-rnn: interrupted", file=sys.stderr)
        return 130
    else:
        return status
    print(f"numpy-rnn: error: {escape(message)}", file=sys.stderr)
    return error_status


def _threads(arguments: argparse.Namespace) -> contextlib.AbstractContextManager[object]:
    """Return the context in which a command runs: with its `--threads`, if it was too late to set the variables."""
    if arguments.variables_set or getattr(arguments, "threads", "auto") == "auto":
        return contextlib.nullcontext()
    return blas.threads(arguments.threads)


def _parse(parser: argparse.ArgumentParser, argv: Sequence[str], variables_set: bool) -> Any:
    try:
        arguments, unknown = parser.parse_known_args(argv, argparse.Namespace(variables_set=variables_set))
        if unknown:
            arguments.parser.refuse(unknown)
        return arguments
    finally:
        sys.stdout.flush()  # --help may have printed into a closed pipe


def _parser() -> argparse.ArgumentParser:
    import numpy as np

    import numpy_rnn as nr
    from numpy_rnn.cli import evaluate, explain, export, generate, gradcheck, learn, plot, trace, train, tutorial
    from numpy_rnn.cli.arguments import add_threads
    from numpy_rnn.cli.parser import Parser

    parser = Parser(
        prog="numpy-rnn",
        description="A character-level RNN language model in NumPy.",
        examples=["tutorial", "train book.txt", "generate book-run --temperature 0.8", "train --help"],
    )
    parser.add_argument("--version", action="version", version=f"numpy-rnn {nr.__version__}, numpy {np.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (tutorial, train, generate, evaluate, plot, export, gradcheck, trace, explain, learn):
        command.add(commands)
    for name in ("tutorial", "train", "generate", "evaluate", "gradcheck", "trace", "explain"):
        add_threads(commands.choices[name])
    for subparser in commands.choices.values():
        named = {a.dest: a.option_strings or [str(a.metavar or a.dest)] for a in subparser._actions}
        flags = {name: [s for s in strings if not s.startswith("--no-")][-1] for name, strings in named.items()}
        subparser.set_defaults(flags=flags, parser=subparser)
    parser.set_defaults(error_status=1)
    return parser
