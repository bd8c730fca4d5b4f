"""numpy-rnn plot: draw the course of trainings."""

from __future__ import annotations

import argparse
from typing import Any

from numpy_rnn.cli.output import check_picture
from numpy_rnn.training.metrics import read_metrics
from numpy_rnn.training.plot import draw

__all__ = ["add"]


def add(commands: Any) -> None:
    command = commands.add_parser(
        "plot",
        help="draw the course of trainings",
        description="Draw loss and validation loss, gradient norm and learning rate against the steps; several runs "
        "on the same axes. Needs the extra 'plot'.",
    )
    command.add_argument("runs", nargs="+", metavar="RUN", help="what numpy-rnn train wrote")
    command.add_argument("-o", "--output", metavar="FILE", default="training.png", help="a picture (training.png)")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    check_picture("-o", arguments.output)
    draw({name: read_metrics(name) for name in arguments.runs}).savefig(arguments.output)
    print(f"(drawn in {arguments.output})")
