"""Where texts come from: one or several files, joined, or the source code of Python's standard library."""

from __future__ import annotations

import os
import sys
import sysconfig
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from numpy_rnn.checks import as_size
from numpy_rnn.text.files import PathLike, read_file, read_files

__all__ = ["CORPUS_CHARS", "Source", "join", "read_text", "stdlib_text"]

CORPUS_CHARS = 1_000_000


def read_text(
    paths: PathLike | Iterable[PathLike],
    encoding: str = "utf-8",
    errors: str = "strict",
    newline: str = "lf",
) -> str:
    """Return the text of one or several files, joined in the order given.

    Between two files there is a newline: one is added to a file that does not end with one.

    Parameters
    ----------
    paths : str or path, or several of them
        "-" is standard input. Pipes are read to their end. A folder stands for all text files in it and in its
        folders, in sorted order. Hidden ones, runs, and (with a warning) files that are no text are left out.
    encoding, errors : str
        As in `open`. A byte order mark at the start of a UTF-8 file is dropped. Everything else is kept, including
        NUL and, with a suitable `errors`, lone surrogates. "ascii" and "surrogateescape" keep every byte of any file.
    newline : {"lf", "keep"}
        "lf": line ends "\\r\\n" and "\\r" become "\\n", so that the model need not learn another character, and a
        typed prompt matches the text. "keep": they are kept.

    Raises
    ------
    OSError
        A file is missing or not readable: FileNotFoundError, PermissionError, ...
    ValueError
        A file is not valid in this encoding or is recognised as something else than text, such as gzip; all files are
        empty; or Python knows no such encoding or error handler.
    """
    names = [os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    if not names:
        raise ValueError("paths is empty, expected at least one file")
    texts = read_files(names, encoding, errors, newline)
    if not texts:
        raise ValueError(f"no text in {', '.join(map(repr, names))}: empty, expected at least one character")
    return join(texts)


def join(texts: list[str], held_out: Callable[[int], int] = lambda length: 0) -> str:
    """Return the texts of several files as one, with a newline between two of them; the list is emptied.

    Validation reads the end of a text. `held_out` returns its length for a text of some length. If it is not 0, all
    files share in it by their lengths: the end of each one is moved to the end of the whole,

        start of file 1, newline, start of file 2, newline, ..., end of file 1, end of file 2, ...
    """
    texts[:-1] = [text if text.endswith(("\n", "\r")) else text + "\n" for text in texts[:-1]]
    ends = list(accumulate(map(len, texts)))
    n = held_out(ends[-1] + len(texts)) if len(texts) > 1 else 0
    starts: list[str] = []
    tails: list[str] = []
    while texts:  # each text is freed once it is cut: this keeps to twice the memory of the whole
        end, text = ends[len(starts)], texts.pop(0)
        cut = len(text) - (n * end // ends[-1] - n * (end - len(text)) // ends[-1])
        starts.append(text[:cut])
        tails.append(text[cut:])
    return "\n".join([*starts, "".join(tails)]) if n else "".join(starts)


def stdlib_text(max_chars: int | None = None) -> str:
    """Return the source code of the standard library of the running Python: a text that every machine has.

    It joins the modules of `sys.stdlib_module_names`, in sorted order, without their tests. The same Python gives the
    same text, in a virtual environment or outside.

    Parameters
    ----------
    max_chars : int, optional
        Return only the first `max_chars` characters. None: all of them, 12 million in Python 3.11.

    Warns
    -----
    UserWarning
        A file is not UTF-8. It is left out.

    Raises
    ------
    FileNotFoundError
        This Python was installed without its source code.
    """
    if max_chars is not None:
        max_chars = as_size("max_chars", max_chars)
    root = Path(sysconfig.get_path("stdlib"))
    texts, length = [], 0
    for path in _stdlib_files(root):
        if max_chars is not None and length >= max_chars:
            break
        try:
            texts.append(read_file(str(path), "utf-8", "strict"))
        except ValueError as error:
            warnings.warn(f"left out of the text: {error}", stacklevel=2)
        else:
            length += len(texts[-1])
    if not length:
        raise FileNotFoundError(f"this Python has no source code in {str(root)!r}: name a file")
    return "".join(texts)[:max_chars]


def _stdlib_files(root: Path) -> Iterable[Path]:
    for name in sorted(sys.stdlib_module_names):
        for path in sorted([root / f"{name}.py", *(root / name).rglob("*.py")]):
            directories = path.relative_to(root).parts[:-1]
            is_test = any(part in ("test", "tests") or part.endswith("_test") for part in directories)
            if path.is_file() and not is_test:
                yield path


@dataclass(frozen=True)
class Source:
    """Where a text comes from, so that it can be read again when a run is resumed.

    Parameters
    ----------
    files : list of str
        Files and folders; see `read_text`. Relative names are relative to the current directory. Empty, without
        `corpus`: the text was passed to `nr.train`.
    encoding, errors, newline : str
        See `read_text`.
    corpus : {"stdlib"}, optional
        Python's standard library instead of files.
    max_chars : int, optional
        Use only the first `max_chars` characters. None: all; of the standard library, `CORPUS_CHARS`.
    """

    files: list[str]
    encoding: str = "utf-8"
    errors: str = "strict"
    corpus: str | None = None
    max_chars: int | None = None
    newline: str = "lf"

    def __post_init__(self) -> None:
        if not isinstance(self.files, list) or not all(isinstance(name, str) for name in self.files):
            raise TypeError(f"files must be a list of str, got {self.files!r}")
        for name in ("encoding", "errors", "newline", "corpus"):
            value = getattr(self, name)
            if not isinstance(value, str) and (value is not None or name != "corpus"):
                raise TypeError(f"{name} must be a str, got {value!r}")
        if self.max_chars is not None:
            as_size("max_chars", self.max_chars)

    def texts(self) -> list[str]:
        """Return the text of each file, at least two characters together."""
        if self.corpus is not None:
            texts = [stdlib_text(self.max_chars or CORPUS_CHARS)]
        elif self.files:
            texts = read_files(self.files, self.encoding, self.errors, self.newline)
        else:
            raise ValueError("the text was passed to nr.train and is not saved in the run: name a file that has it")
        left = sys.maxsize if self.max_chars is None else self.max_chars
        for i, text in enumerate(texts):
            texts[i], left = text[:left], max(0, left - len(text))
        texts = [text for text in texts if text]
        length = sum(map(len, texts))
        if length < 2:
            names = ", ".join(map(repr, self.files)).replace("'-'", "standard input") or "the text"
            limit = "" if self.max_chars is None else f", limited to {self.max_chars}"
            raise ValueError(
                f"{names} has length {length}{limit}, expected at least 2: one to read and one to predict"
            )
        return texts

    def read(self, held_out: Callable[[int], int] = lambda length: 0) -> str:
        """Return the text, at least two characters; for `held_out` see `join`."""
        return join(self.texts(), held_out)
