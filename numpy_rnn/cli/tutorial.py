"""numpy-rnn tutorial: memorise one sentence and recite it."""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy_rnn as nr
from numpy_rnn.cli.arguments import add_training, progress, untrained
from numpy_rnn.display.terminal import escape
from numpy_rnn.layers import CELLS
from numpy_rnn.training.progress import worse_than_guessing
from numpy_rnn.training.tutorial import train_epochs

__all__ = ["add"]


def add(commands: Any) -> None:
    command = commands.add_parser(
        "tutorial",
        help="memorise one sentence and recite it",
        description="Train on one short text, print the loss every 10 epochs, and generate the text from its first "
        "character.",
        examples=["tutorial", 'tutorial --text "to be or not to be" --epochs 200', "tutorial --cell lstm --torch"],
    )
    add_training(command, "--text")
    command.add_argument("--cell", choices=list(CELLS), default="rnn", help="kind of recurrent layer")
    command.add_argument(
        "--carry-hidden", action="store_true", help="start each epoch from the final hidden state of the previous one"
    )
    command.add_argument(
        "--torch", action="store_true", help="train the PyTorch version from the same weights, side by side"
    )
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    model, vocabulary = untrained(arguments)
    training = {"epochs": arguments.epochs, "lr": arguments.lr, "carry_hidden": arguments.carry_hidden}
    if arguments.torch:
        from torch_reference import side_by_side  # the only import of the mirror in this package

        side_by_side(model, vocabulary, arguments.text, **training)
        return

    started = time.perf_counter()
    for epoch, loss in enumerate(train_epochs(model, vocabulary, arguments.text, **training), 1):
        progress(f"epoch {epoch}/{arguments.epochs}  loss {loss:.4f}")
        if epoch % 10 == 0 or epoch == arguments.epochs:
            progress("")
            print(f"Epoch [{epoch}/{arguments.epochs}], Loss: {loss:.4f}")
    progress("")
    text = nr.generate(model, vocabulary, arguments.text[0], len(arguments.text))
    print(f"Generated text: {escape(text)}")
    print(f"({time.perf_counter() - started:.2f} s, NumPy alone)")
    if words := worse_than_guessing(loss, len(vocabulary), "loss", arguments.lr):
        raise FloatingPointError(words)
