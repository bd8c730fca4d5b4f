"""numpy-rnn trace: show how far gradients reach back in time."""

from __future__ import annotations

import argparse
import io
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy_rnn as nr
from numpy_rnn.cli.arguments import TUTORIAL_TEXT, add_training, progress
from numpy_rnn.cli.output import check_picture, write_output
from numpy_rnn.text.windows import inputs_and_targets
from numpy_rnn.training.tutorial import train_epochs

__all__ = ["add"]


def add(commands: Any) -> None:
    command = commands.add_parser(
        "trace",
        help="show how far gradients reach back in time",
        description="Train on one short text, and print, before and after, how strongly the loss of each prediction "
        "pulls at the state after each character.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    command.add_argument("text", nargs="?", metavar="TEXT", default=TUTORIAL_TEXT, help="at least two characters")
    add_training(command)
    command.add_argument(
        "--plot", metavar="FILE", help="draw a picture with more of it, such as trace.png (matplotlib)"
    )
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.plot is not None:
        check_picture("--plot", arguments.plot)
    text, vocabulary = arguments.text, nr.Vocabulary.from_text(arguments.text)
    tokens, targets = inputs_and_targets(vocabulary, text)
    size = arguments.hidden_size
    model = nr.CharRNN(len(vocabulary), size, size, dtype=arguments.dtype, rng=arguments.seed)
    before = nr.trace(model, tokens, targets)
    for epoch, loss in enumerate(train_epochs(model, vocabulary, text, epochs=arguments.epochs, lr=arguments.lr), 1):
        progress(f"epoch {epoch}/{arguments.epochs}  loss {loss:.4f}")
    progress("")
    after = nr.trace(model, tokens, targets)
    if arguments.plot is not None:  # first: without matplotlib nothing is printed
        with warnings.catch_warnings():  # a character that matplotlib's font lacks shows as a box
            warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
            picture = io.BytesIO()
            before.plot(vocabulary, after).savefig(picture, format=Path(arguments.plot).suffix[1:])
        write_output("--plot", arguments.plot, picture.getvalue())
    width = min(max(shutil.get_terminal_size((100, 24)).columns, 40), 120)
    print(before.heatmap(vocabulary, after, width=width), end="")
    if arguments.plot is not None:
        print(f"(drawn in {arguments.plot})")
