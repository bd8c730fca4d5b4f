"""numpy-rnn evaluate: how well a trained model predicts other texts."""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import math
import os
from collections import Counter
from typing import Any

import numpy as np

import numpy_rnn as nr
from numpy_rnn.cli.arguments import progress
from numpy_rnn.cli.output import check_output
from numpy_rnn.display.terminal import count, escape
from numpy_rnn.storage.files import atomic_write
from numpy_rnn.storage.model_file import load_model
from numpy_rnn.text.files import LOSSLESS, files_in
from numpy_rnn.text.lines import line_pieces
from numpy_rnn.text.pieces import known_pieces, read_pieces
from numpy_rnn.training.evaluation import predictions
from numpy_rnn.training.trainer import perplexity

__all__ = ["add"]


def add(commands: Any) -> None:
    command = commands.add_parser(
        "evaluate",
        help="measure how well a model predicts other texts",
        description="Print the loss of the best model of a run on one or several files, in bits per character and as "
        "perplexity. The first character of a file has no prediction and is not counted. For a run that was trained "
        "with --lines, each line is predicted on its own, with its end.",
        examples=[
            "evaluate book-run test.txt",
            "evaluate book-run a.txt b.txt --json",
            "evaluate book-run test.txt --per-char test.csv --skip-unknown",
        ],
    )
    command.add_argument("run_path", metavar="RUN", help="output of numpy-rnn train, or a checkpoint file in it")
    command.add_argument(
        "files", nargs="+", metavar="FILE", help="a text of any length, or a folder of them; '-' is standard input"
    )
    command.add_argument("--json", action="store_true", help="write one JSON object per file, each on its own line")
    command.add_argument(
        "--per-char", metavar="FILE.csv", help="write character, probability, bits and rank, one line per character"
    )
    command.add_argument(
        "--skip-unknown",
        action="store_true",
        help="leave out characters that the model does not know, and count them",
    )
    command.add_argument("--encoding", help="encoding of the files (default: that of the training text)")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    names = [file for name in arguments.files for file in (files_in(name) if os.path.isdir(name) else [name])]
    if not names:
        raise ValueError(f"there are no files in {', '.join(map(repr, arguments.files))}")
    with contextlib.ExitStack() as stack:
        writer = None
        if arguments.per_char is not None:
            if len(names) > 1:
                raise ValueError(f"--per-char is for one file, got {len(names)}: evaluate one after the other")
            check_output("--per-char", arguments.per_char)
            file = stack.enter_context(atomic_write(arguments.per_char))
            text = io.TextIOWrapper(file, "utf-8", errors="backslashreplace", newline="")
            stack.callback(text.detach)  # flushes; the file itself is closed by atomic_write
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(["character", "probability", "bits", "rank"])
        model, vocabulary, header = load_model(arguments.run_path)
        results = []
        for name in names:
            results.append(_sums(model, vocabulary, header, name, arguments, writer))
            _report(name, *results[-1], arguments.json)
        if len(results) > 1:
            losses, chars, skipped = zip(*results, strict=True)
            _report(None, sum(losses), sum(chars), sum(skipped), arguments.json)


def _sums(
    model: nr.CharRNN,
    vocabulary: nr.Vocabulary,
    header: dict[str, Any],
    name: str,
    arguments: argparse.Namespace,
    writer: Any,
) -> tuple[float, int, int]:
    """Return the sum of the losses, the characters predicted, and those left out; write a line for each."""
    lines, unknown = header.get("lines", False), Counter[str]()
    reading = {k: v for k, v in header.get("source", {}).items() if k in ("encoding", "errors", "newline")}
    if vocabulary.is_bytes:
        reading = {"encoding": "ascii", "errors": LOSSLESS, "newline": "keep"}
    pieces = read_pieces(name, **reading | ({"encoding": arguments.encoding} if arguments.encoding else {}))
    pieces = known_pieces(pieces, vocabulary, name, arguments.skip_unknown, unknown)
    loss, chars = 0.0, 0
    for tokens, log_p, ranks in predictions(model, vocabulary, line_pieces(pieces) if lines else pieces, lines):
        loss, chars = loss - float(log_p.sum()), chars + len(tokens)
        progress(f"{escape(name)}: {chars:,} characters, {loss / chars / math.log(2):.3f} bits/char")
        if writer is not None:
            columns = [vocabulary.decode(tokens), np.exp(log_p), -log_p / math.log(2), ranks]
            writer.writerows(zip(*columns, strict=True))
    progress("")
    if not chars:
        raise ValueError(
            f"{name!r} has nothing to predict: expected at least {'one line' if lines else 'two characters'}"
        )
    return loss, chars, unknown.total()


def _report(name: str | None, loss: float, chars: int, skipped: int, as_json: bool) -> None:
    loss /= chars
    bits, perplexed = loss / math.log(2), perplexity(loss)
    if as_json:
        found = {"file": name, "loss": loss, "bits_per_char": bits, "perplexity": perplexed, "chars": chars}
        print(json.dumps({**found, "skipped": skipped}))
        return
    of = "all files" if name is None else escape(name)
    words = f"{of}: {count(chars, 'character')}, loss {loss:.4f}, {bits:.3f} bits/char, "
    words += "perplexity " + ("above 1e307" if perplexed is None else f"{perplexed:.4g}")
    print(words + f"; {count(skipped, 'unknown character')} left out" * bool(skipped))
