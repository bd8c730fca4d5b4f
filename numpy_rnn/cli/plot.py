"""numpy-rnn plot: draw training curves."""

from __future__ import annotations

import argparse
from typing import Any

from numpy_rnn.cli.output import check_picture, write_picture
from numpy_rnn.training.metrics import read_metrics
from numpy_rnn.training.plot import draw

__all__ = ["add"]


def add(commands: Any) -> None:
    command = commands.add_parser(
        "plot",
        help="draw training curves",
        description="Draw loss, validation loss, gradient norm and learning rate by step, for one or more runs in "
        "one picture. Needs matplotlib.",
        examples=["plot book-run", "plot book-run book-run-2 -o compared.png"],
    )
    command.add_argument("runs", nargs="+", metavar="RUN", help="output directory of numpy-rnn train")
    command.add_argument("-o", "--output", metavar="FILE", default="training.png", help="picture to write")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    check_picture("-o", arguments.output)
    write_picture("-o", arguments.output, draw({name: read_metrics(name) for name in arguments.runs}))
