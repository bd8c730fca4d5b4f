"""Where texts come from: one or several files, joined, or the source code of Python's standard library.

Memory: Python stores a text in one byte per character if it is all ASCII, and in four if it has a character beyond
U+FFFF, such as an emoji. Reading also holds the bytes of the file, so it needs at most twice the size of an ASCII
file, and at most eight times the size of any UTF-8 file.
"""

from __future__ import annotations

import codecs
import os
import sys
import sysconfig
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from numpy_rnn.checks import ArgumentError, as_size

__all__ = ["CORPUS_CHARS", "Source", "read_text", "stdlib_text"]

CORPUS_CHARS = 1_000_000

PathLike = str | os.PathLike[str]

# UTF-32's byte order mark, in little-endian order, starts with that of UTF-16, so it is tried first.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_text(
    paths: PathLike | Iterable[PathLike],
    encoding: str = "utf-8",
    errors: str = "strict",
) -> str:
    """Return the text of one or several files, joined in the order given.

    Line ends "\\r\\n" and "\\r" become "\\n", so that the model need not learn another character, and a typed prompt
    matches the text.

    Parameters
    ----------
    paths : str or path, or several of them
        "-" is standard input. Pipes are read to their end.
    encoding, errors : str
        As in `open`. A byte order mark at the start of a UTF-8 file is dropped. Everything else is kept, including
        NUL and, with a suitable `errors`, lone surrogates.

    Raises
    ------
    OSError
        A file is missing, a directory or not readable: FileNotFoundError, IsADirectoryError, PermissionError, ...
    ValueError
        A file is not valid in this encoding, all files are empty, or Python knows no such encoding or error handler.
    """
    names = [os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    if not names:
        raise ValueError("paths is empty, expected at least one file")
    _check_known("encoding", encoding, codecs.lookup, "'utf-8', 'utf-16' or 'latin-1'")
    _check_known("errors", errors, codecs.lookup_error, "'strict', 'replace' or 'surrogateescape'")
    text = "".join([_read_file(name, encoding, errors) for name in names])
    if not text:
        raise ValueError(f"no text in {', '.join(map(repr, names))}: empty, expected at least two characters")
    return text


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
            texts.append(_read_file(str(path), "utf-8", "strict"))
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


def _check_known(name: str, value: str, look_up: Callable[[str], object], examples: str) -> None:
    try:
        look_up(value)
    except (LookupError, TypeError, ValueError):
        raise ArgumentError(name, f"must be one that Python knows, such as {examples}, got {value!r}") from None


def _read_file(name: str, encoding: str, errors: str) -> str:
    data = _read_bytes(name)
    dropped = 0
    if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
        encoding = "utf-8"
        if data.startswith(codecs.BOM_UTF8):
            dropped = len(codecs.BOM_UTF8)
            data = data[dropped:]
    try:
        text = data.decode(encoding, errors)
    except UnicodeDecodeError as error:
        marked = [known for mark, known in _MARKS.items() if data.startswith(mark)]
        likely = [f"it looks like {known.upper()}: set the encoding to {known!r}" for known in marked]
        advice = [*likely, "set the right encoding, or set errors to 'replace' or 'ignore'"]
        raise ValueError(
            f"{name!r} is not {encoding}: byte 0x{data[error.start]:02x} at offset {error.start + dropped}, "
            f"{error.reason}; {advice[0]}"
        ) from None
    except (LookupError, TypeError, UnicodeError) as error:  # a codec or error handler that is not for decoding text
        raise ValueError(f"{name!r} cannot be read with encoding={encoding!r}, errors={errors!r}: {error}") from None
    if "\r" in text:
        del data
        text = text.replace("\r\n", "\n")  # two statements, so that at most two texts are in memory
        text = text.replace("\r", "\n")
    return text


def _read_bytes(name: str) -> bytes:
    try:
        if name != "-":
            with open(name, "rb") as file:
                return file.read()
        stdin = getattr(sys.stdin, "buffer", None)  # sys.stdin is None if standard input is closed
        if stdin is None:
            raise OSError("there is no standard input; name a file")
        return bytes(stdin.read())
    except OSError as error:
        raise type(error)(f"cannot read {name!r}: {error.strerror or error}") from None
    except ValueError as error:  # a NUL in the name, say
        raise ValueError(f"cannot read {name!r}: {error}") from None


@dataclass(frozen=True)
class Source:
    """Where a text comes from, so that it can be read again when a run is resumed.

    Parameters
    ----------
    files : list of str
        Relative names are relative to the current directory. Empty, without `corpus` and `text`: the text was passed
        to `nr.train`.
    encoding, errors : str
        See `read_text`.
    corpus : {"stdlib"}, optional
        Python's standard library instead of files.
    text : str, optional
        The text itself instead of files.
    max_chars : int, optional
        Use only the first `max_chars` characters. None: all; of the standard library, `CORPUS_CHARS`.
    """

    files: list[str]
    encoding: str = "utf-8"
    errors: str = "strict"
    corpus: str | None = None
    text: str | None = None
    max_chars: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.files, list) or not all(isinstance(name, str) for name in self.files):
            raise TypeError(f"files must be a list of str, got {self.files!r}")
        for name in ("encoding", "errors", "corpus", "text"):
            value = getattr(self, name)
            if not isinstance(value, str) and (value is not None or name in ("encoding", "errors")):
                raise TypeError(f"{name} must be a str, got {value!r}")
        if self.max_chars is not None:
            as_size("max_chars", self.max_chars)

    def read(self) -> str:
        """Return the text, at least two characters."""
        if self.text is not None:
            text = self.text
        elif self.corpus is not None:
            text = stdlib_text(self.max_chars or CORPUS_CHARS)
        elif self.files:
            text = read_text(self.files, self.encoding, self.errors)
        else:
            raise ValueError("the text was passed to nr.train and is not saved in the run: name a file that has it")
        text = text[: self.max_chars]
        if len(text) < 2:
            name = ", ".join(map(repr, self.files)) or "the text"
            limit = "" if self.max_chars is None else f", limited to {self.max_chars}"
            length = f"{name} has length {len(text)}{limit}"
            raise ValueError(f"{length}, expected at least 2: one to read and one to predict")
        return text
