"""numpy-rnn explain: write a page that shows where every gradient comes from."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy_rnn as nr
from numpy_rnn.cli.arguments import TUTORIAL_TEXT, add_training

__all__ = ["add"]


def add(commands: Any) -> None:
    command = commands.add_parser(
        "explain",
        help="write a page that shows where every gradient comes from",
        description="Train on one short text, and write one HTML file, to be opened in a browser, with the forward "
        "and the backward pass at each step, at several stages of the training.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    command.add_argument("text", nargs="?", metavar="TEXT", default=TUTORIAL_TEXT, help="at least two characters")
    add_training(command)
    command.add_argument("-o", "--output", metavar="FILE", default="explorer.html", help="where to write it")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from numpy_rnn.explorer import train_snapshots

    text, vocabulary = arguments.text, nr.Vocabulary.from_text(arguments.text)
    size = arguments.hidden_size
    model = nr.CharRNN(len(vocabulary), size, size, dtype=arguments.dtype, rng=arguments.seed)
    models = train_snapshots(model, vocabulary, text, epochs=arguments.epochs, lr=arguments.lr)
    page = nr.explain(models, vocabulary, text).encode()
    Path(arguments.output).write_bytes(page)
    print(f"{arguments.output}: {len(page) / 1e6:.1f} MB, to be opened in a browser")
