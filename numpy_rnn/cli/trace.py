"""numpy-rnn trace: show how far gradients reach back in time."""

from __future__ import annotations

import argparse
import shutil
from typing import Any

import numpy_rnn as nr
from numpy_rnn.cli.arguments import add_training, progress, untrained
from numpy_rnn.cli.output import check_picture, write_picture
from numpy_rnn.display.pictures import figures
from numpy_rnn.layers import CELLS
from numpy_rnn.text.windows import inputs_and_targets
from numpy_rnn.training.tutorial import train_epochs

__all__ = ["add"]


def add(commands: Any) -> None:
    command = commands.add_parser(
        "trace",
        help="show how far gradients reach back in time",
        description="Train a small model on one short text. Print, for the model before and after training, how "
        "strongly the loss of each prediction pulls at the state after each character. The loss after training is "
        "that of the final weights; 'tutorial' prints the loss of each epoch before its update.",
        examples=['trace "to be or not to be"', "trace --cell lstm --state c --plot trace.png"],
    )
    add_training(command, "text", nargs="?", metavar="TEXT")
    command.add_argument("--cell", choices=list(CELLS), default="rnn", help="kind of recurrent layer")
    command.add_argument("--state", choices=["h", "c"], default="h", help="c: the cell state of --cell lstm")
    command.add_argument(
        "--plot", metavar="FILE", help="also draw a more detailed picture, such as trace.png (needs matplotlib)"
    )
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.plot is not None:
        check_picture("--plot", arguments.plot)
        with figures():  # if matplotlib is missing, say so before the training
            pass
    if arguments.state == "c" and arguments.cell != "lstm":
        raise ValueError(f"--state c is for --cell lstm, got --cell {arguments.cell}: it has no state c")
    model, vocabulary = untrained(arguments)
    tokens, targets = inputs_and_targets(vocabulary, arguments.text)
    before = nr.trace(model, tokens, targets)
    losses = train_epochs(model, vocabulary, arguments.text, epochs=arguments.epochs, lr=arguments.lr)
    for epoch, loss in enumerate(losses, 1):
        progress(f"epoch {epoch}/{arguments.epochs}  loss {loss:.4f}")
    progress("")
    after = nr.trace(model, tokens, targets)
    width = min(max(shutil.get_terminal_size((100, 24)).columns, 40), 120)
    print(before.heatmap(vocabulary, after, width=width, state=arguments.state), end="")
    if arguments.plot is not None:
        write_picture("--plot", arguments.plot, before.plot(vocabulary, after, state=arguments.state))
