"""The text of numpy-rnn train: which files the arguments name, and the name of a new run."""

from __future__ import annotations

import argparse
import itertools
import os
import stat
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from numpy_rnn.display.terminal import escape
from numpy_rnn.text.corpus import Source, join
from numpy_rnn.text.files import LOSSLESS
from numpy_rnn.training.options import Options

__all__ = ["new_name", "read_source", "source_of"]

READING = ("encoding", "errors", "newline")


def source_of(arguments: argparse.Namespace) -> Source:
    """Return where the arguments say that the text is; standard input if it is a pipe and no file is named."""
    if arguments.corpus and arguments.files:
        raise ValueError(f"--corpus {arguments.corpus} replaces files: leave out one of them")
    files = arguments.files
    if arguments.mpi and ("-" in files or not (files or arguments.corpus)):
        raise ValueError("--mpi needs a FILE: standard input reaches only one of the processes")
    if not (files or arguments.corpus):
        if not _is_piped():
            raise ValueError("train needs a text: name a FILE, '-' for standard input, or --corpus stdlib")
        print("numpy-rnn: no FILE is named: reading standard input", file=sys.stderr)
        files = ["-"]
    given = {name: value for name in READING if (value := getattr(arguments, name)) is not None}
    if arguments.bytes:
        if given or arguments.corpus:
            raise ValueError(
                "--bytes reads files as they are: leave out --encoding, --errors, --newline and --corpus"
            )
        given = {"encoding": "ascii", "errors": LOSSLESS, "newline": "keep"}
    return Source(files, corpus=arguments.corpus, max_chars=arguments.max_chars, **given)


def _is_piped() -> bool:
    """Return whether standard input is a pipe or a file. In services it is closed, a device or a socket."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def read_source(source: Source, options: Options) -> tuple[str, str]:
    """Return the text, and a line about how several files have become one."""
    if "-" in source.files and sys.stdin is not None and sys.stdin.isatty():
        print("numpy-rnn: reading standard input: type the text, and end it with Ctrl-D", file=sys.stderr)
    with warnings.catch_warnings(record=True) as left_out:
        warnings.simplefilter("always")
        texts = source.texts()
    for warning in left_out:
        print(f"numpy-rnn: {escape(str(warning.message))}", file=sys.stderr)
    words = f"{len(texts)} files, a newline between two of them" * (len(texts) > 1)
    if options.lines:
        return join(texts), words
    if words and options.val_length(sum(map(len, texts))):
        words += "; the end of each is kept for validation"
    return join(texts, options.val_length), words


def new_name(source: Source) -> str:
    """Return the name of a directory that does not exist yet."""
    first = source.corpus or "stdin"
    if source.files and source.files[0] != "-":
        first = Path(os.path.abspath(source.files[0])).stem.lstrip("-")
    names: Iterator[str] = itertools.chain([f"{first}-run"], (f"{first}-run-{n}" for n in itertools.count(2)))
    return next(name for name in names if not os.path.lexists(name))
