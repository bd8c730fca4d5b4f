"""numpy-rnn explain: write a web page that shows where every gradient comes from."""

from __future__ import annotations

import argparse
from typing import Any

import numpy_rnn as nr
from numpy_rnn.cli.arguments import add_training, untrained
from numpy_rnn.cli.output import check_output, write_output

__all__ = ["add"]


def add(commands: Any) -> None:
    command = commands.add_parser(
        "explain",
        help="write a web page that shows where every gradient comes from",
        description="Train a small model on one short text, and write an HTML file for the browser that shows the "
        "forward and backward pass at each step, at several stages of training. With --run, show a trained model "
        "instead. The losses on the page are those after each update; 'tutorial' prints them before.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add_training(command, "text", nargs="?", metavar="TEXT")
    command.add_argument(
        "--run",
        metavar="RUN",
        dest="run_path",
        help="show a trained model: the output directory of numpy-rnn train --layers 1, or a checkpoint file in it",
    )
    command.add_argument("-o", "--output", metavar="FILE", default="explorer.html", help="file to write")
    command.set_defaults(run=_run, parser=command)


def _run(arguments: argparse.Namespace) -> None:
    check_output("-o", arguments.output)
    page = (_of_run(arguments) if arguments.run_path is not None else _of_training(arguments)).encode()
    write_output("-o", arguments.output, page)
    print(f"{arguments.output}: {len(page) / 1e6:.1f} MB, to be opened in a browser")


def _of_training(arguments: argparse.Namespace) -> str:
    from numpy_rnn.explorer import train_snapshots

    model, vocabulary = untrained(arguments)
    models = train_snapshots(model, vocabulary, arguments.text, epochs=arguments.epochs, lr=arguments.lr)
    return nr.explain(models, vocabulary, arguments.text)


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
