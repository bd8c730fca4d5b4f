"""numpy-rnn explain: write a web page that shows where every gradient comes from."""

from __future__ import annotations

import argparse
from typing import Any

import numpy_rnn as nr
from numpy_rnn.cli.arguments import add_training, untrained
from numpy_rnn.cli.output import check_output, write_output
from numpy_rnn.display.terminal import quote

__all__ = ["add"]


def add(commands: Any) -> None:
    command = commands.add_parser(
        "explain",
        help="write a web page that shows where every gradient comes from",
        description="Write an HTML file for the browser that trains a small model on one short text and shows every "
        "number of the forward and backward pass. It starts from the initial weights of 'tutorial' and computes in "
        "float64. With --run, it starts from a trained model instead.",
        examples=["explain", 'explain "to be or not to be" -o page.html', 'explain "to be" --run book-run'],
    )
    add_training(command, "text", nargs="?", metavar="TEXT")
    command.add_argument(
        "--run",
        metavar="RUN",
        dest="run_path",
        help="show a trained model: the output directory of numpy-rnn train --layers 1, or a checkpoint file in it",
    )
    command.add_argument("-o", "--output", metavar="FILE", default="explorer.html", help="file to write")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    check_output("-o", arguments.output)
    page = (_of_run(arguments) if arguments.run_path is not None else _of_training(arguments)).encode()
    write_output("-o", arguments.output, page)
    print(f"{quote(arguments.output)}: {len(page) / 1e3:.0f} kB, to be opened in a browser")


def _of_training(arguments: argparse.Namespace) -> str:
    model, vocabulary = untrained(arguments)
    given = {name: getattr(arguments, name) for name in ("lr", "epochs", "seed")}
    return nr.explain(model, vocabulary, arguments.text, **given)


def _of_run(arguments: argparse.Namespace) -> str:
    from numpy_rnn.storage.model_file import load_model

    options = ("epochs", "hidden_size", "lr", "seed", "dtype")
    given = [name for name in options if getattr(arguments, name) != arguments.parser.get_default(name)]
    if given:
        raise ValueError(f"--run takes a trained model: leave out {', '.join(map(arguments.flags.get, given))}")
    model, vocabulary, _ = load_model(arguments.run_path)
    if model.cell != "rnn":
        raise ValueError(
            f"{arguments.run_path!r} has cell {model.cell!r}, but the page can show only a tanh RNN: train with "
            "--cell rnn"
        )
    if model.rnn.num_layers > 1:
        raise ValueError(
            f"{arguments.run_path!r} has {model.rnn.num_layers} layers, but the page can show only one: train with "
            "--layers 1"
        )
    return nr.explain(model, vocabulary, arguments.text)
