"""numpy-rnn evaluate: how well a trained model predicts other texts."""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import math
import os
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

import numpy_rnn as nr
from numpy_rnn.checks import ArgumentError
from numpy_rnn.cli.arguments import progress
from numpy_rnn.cli.output import check_output
from numpy_rnn.display.terminal import count, escape
from numpy_rnn.storage.files import atomic_write
from numpy_rnn.storage.model_file import load_model
from numpy_rnn.text.files import called, files_in
from numpy_rnn.text.lines import line_pieces
from numpy_rnn.text.pieces import known_pieces, read_pieces, reading_of
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
        "--per-char", metavar="FILE.csv", help="a new file for character, probability, bits and rank, one line each"
    )
    command.add_argument(
        "--skip-unknown",
        action="store_true",
        help="leave out characters that the model does not know, and count them",
    )
    command.add_argument("--encoding", help="encoding of the files (default: that of the training text)")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.per_char is not None:
        check_output("--per-char", arguments.per_char)
        if os.path.lexists(arguments.per_char):
            raise FileExistsError(
                f"--per-char {arguments.per_char!r} already exists: name another file, or remove it"
            )
    model, vocabulary, header = load_model(arguments.run_path)
    reading, unit = reading_of(header, vocabulary, arguments.encoding), "byte" if vocabulary.is_bytes else "character"
    names = [file for name in arguments.files for file in (_texts(name, reading) if os.path.isdir(name) else [name])]
    with contextlib.ExitStack() as stack:
        writer = None
        if arguments.per_char is not None:
            if len(names) > 1:
                raise ValueError(f"--per-char is for one file, got {len(names)}: evaluate one after the other")
            file = stack.enter_context(atomic_write(arguments.per_char))
            text = io.TextIOWrapper(file, "utf-8", errors="backslashreplace", newline="")
            stack.callback(text.detach)  # flushes; the file itself is closed by atomic_write
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(["character", "probability", "bits", "rank"])
        results = []
        for name in names:
            unknown = Counter[str]()
            pieces = known_pieces(_read(name, reading), vocabulary, name, arguments.skip_unknown, unknown)
            loss, chars = _sums(model, vocabulary, header.get("lines", False), name, pieces, unit, writer)
            results.append((loss, chars, unknown.total()))
            _report(name, *results[-1], arguments.json, unit)
        if len(results) > 1:
            losses, lengths, skipped = zip(*results, strict=True)
            _report(None, sum(losses), sum(lengths), sum(skipped), arguments.json, unit)


def _texts(folder: str, reading: dict[str, str]) -> list[str]:
    """Return the text files in a folder. As in training, empty ones are left out, and others with a message."""
    names, reasons = [], []
    for name in files_in(folder):
        try:
            if sum(len(piece) for piece in read_pieces(name, **reading)):
                names.append(name)
        except ArgumentError:  # it is about --encoding, not about this file
            raise
        except ValueError as error:
            reasons.append(str(error))
    if not names:
        raise ValueError(f"the folder {folder!r} has no text file: {reasons[0] if reasons else 'it has no files'}")
    if reasons:
        others = f"; and {len(reasons) - 1} more" * (len(reasons) > 1)
        print(f"numpy-rnn: left out of the folder {escape(f'{folder!r}: {reasons[0]}{others}')}", file=sys.stderr)
    return names


def _read(name: str, reading: dict[str, str]) -> Iterator[str]:
    try:
        yield from read_pieces(name, **reading)
    except OSError as error:  # `atomic_write` would take it for one of the file that --per-char names
        raise ValueError(str(error)) from None


def _sums(
    model: nr.CharRNN,
    vocabulary: nr.Vocabulary,
    lines: bool,
    name: str,
    pieces: Iterator[str],
    unit: str,
    writer: Any,
) -> tuple[float, int]:
    """Return the sum of the losses and the number of characters predicted; write a line for each."""
    loss, chars = 0.0, 0
    for tokens, log_p, ranks in predictions(model, vocabulary, line_pieces(pieces) if lines else pieces, lines):
        loss, chars = loss - float(log_p.sum()), chars + len(tokens)
        progress(f"{_shown(name)}: {count(chars, unit)}, {loss / chars / math.log(2):.3f} bits/{unit[:4]}")
        if writer is not None:
            columns = [vocabulary.decode(tokens), np.exp(log_p), -log_p / math.log(2), ranks]
            writer.writerows(zip(*columns, strict=True))
    progress("")
    if not chars:
        raise ValueError(
            f"{called(name)} has nothing to predict: expected at least {'one line' if lines else f'two {unit}s'}"
        )
    return loss, chars


def _shown(name: str) -> str:
    return called(name) if name == "-" else escape(name)


def _report(name: str | None, loss: float, chars: int, skipped: int, as_json: bool, unit: str) -> None:
    loss /= chars
    bits, perplexed = loss / math.log(2), perplexity(loss)
    if as_json:
        found = {"file": name, "loss": loss, "bits_per_char": bits, "perplexity": perplexed, "chars": chars}
        print(json.dumps({**found, "skipped": skipped}))
        return
    of = "all files" if name is None else _shown(name)
    words = f"{of}: {count(chars, unit)}, loss {loss:.4f}, {bits:.3f} bits/{unit[:4]}, "
    words += "perplexity " + ("above 1e307" if perplexed is None else f"{perplexed:.4g}")
    print(words + f"; {count(skipped, 'unknown character')} left out" * bool(skipped))
