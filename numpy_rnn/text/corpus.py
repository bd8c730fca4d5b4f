"""Files as one text.

Memory, as a multiple of the size of the files: Python keeps a character in one byte if the whole text is ASCII, and
in four if there is one beyond U+FFFF, an emoji for one. With the bytes of the file beside it, reading takes at most
twice the size of an ASCII text, and at most eight times that of any UTF-8; `Vocabulary.encode` into uint8 adds one.
"""

from __future__ import annotations

import codecs
import os
import sys
import sysconfig
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

from numpy_rnn.checks import as_size

__all__ = ["read_text", "stdlib_text"]

PathLike = str | os.PathLike[str]

_WHAT_TO_DO: dict[type[OSError], str] = {
    FileNotFoundError: "there is no such file; check the name and the directory",
    IsADirectoryError: "it is a directory; name the files in it",
    PermissionError: "permission denied; make it readable, or take a copy of your own",
}

# UTF-32's mark in little-endian order begins with that of UTF-16: it is looked for first.
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
    newline: str | None = None,
) -> str:
    """Return the text of one or several files, joined in the order given.

    Parameters
    ----------
    paths : str or path, or several of them
        "-" is standard input. Pipes are read to their end.
    encoding, errors : str
        As in `open`. A byte order mark at the start of a UTF-8 file is dropped; everything else is kept, NUL and, as
        `errors` says, lone surrogates included.
    newline : {None, ""}
        As in `open`. None: the ends of lines of all systems, "\\r\\n" and "\\r", become "\\n", so that a model does
        not spend a character on them, and a prompt that is typed looks like the text. "": they are kept.

    Raises
    ------
    OSError
        A file is missing, a directory, not readable: FileNotFoundError, IsADirectoryError, PermissionError, ...
    ValueError
        A file is not valid in this encoding; or there is no text in any of them; or Python knows no such encoding
        or error handler.
    """
    names = [os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    if not names:
        raise ValueError("paths is empty, expected at least one file")
    if newline not in (None, ""):
        raise ValueError(f"newline must be None (all become '\\n') or '' (all are kept), got {newline!r}")
    _check_known("encoding", encoding, codecs.lookup, "'utf-8', 'utf-16' or 'latin-1'")
    _check_known("errors", errors, codecs.lookup_error, "'strict', 'replace' or 'surrogateescape'")
    text = "".join([_read_file(name, encoding, errors, newline) for name in names])
    if not text:
        raise ValueError(f"no text in {', '.join(map(repr, names))}: empty; name a file with at least two characters")
    return text


def stdlib_text(max_chars: int | None = None) -> str:
    """Return the sources of the standard library of the Python that runs this: a text that every machine has.

    All modules of `sys.stdlib_module_names`, in sorted order, without directories of tests; what is installed beside
    them is not among them. The same Python gives the same text, in a virtual environment or out of it.

    Parameters
    ----------
    max_chars : int, optional
        Return no more than the first `max_chars` characters. None: all, 12 million in Python 3.11.

    Warns
    -----
    UserWarning
        A file is not UTF-8; it is left out, and named.

    Raises
    ------
    FileNotFoundError
        This Python came without its sources.
    """
    if max_chars is not None:
        max_chars = as_size("max_chars", max_chars)
    root = Path(sysconfig.get_path("stdlib"))
    texts, length = [], 0
    for path in _stdlib_files(root):
        if max_chars is not None and length >= max_chars:
            break
        try:
            texts.append(_read_file(str(path), "utf-8", "strict", None))
        except ValueError as error:
            warnings.warn(f"left out of the text: {error}", stacklevel=2)
        else:
            length += len(texts[-1])
    if not length:
        raise FileNotFoundError(f"this Python has no sources of its standard library in {str(root)!r}: name a file")
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
        raise ValueError(f"{name} must be one that Python knows, such as {examples}, got {value!r}") from None


def _read_file(name: str, encoding: str, errors: str, newline: str | None) -> str:
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
        likely = [f"it looks like {e.upper()}: encoding={e!r}" for mark, e in _MARKS.items() if data.startswith(mark)]
        advice = [*likely, "name its encoding=, or say with errors='replace' or 'ignore' what becomes of such bytes"]
        raise ValueError(
            f"{name!r} is not {encoding}: byte 0x{data[error.start]:02x} at offset {error.start + dropped}, "
            f"{error.reason}; {advice[0]}"
        ) from None
    except (LookupError, TypeError, UnicodeError) as error:  # encodings and handlers that are not for reading text
        raise ValueError(f"{name!r} cannot be read with encoding={encoding!r}, errors={errors!r}: {error}") from None
    if newline is None and "\r" in text:
        del data
        text = text.replace("\r\n", "\n")  # two statements: three texts at a time would be one too many
        text = text.replace("\r", "\n")
    return text


def _read_bytes(name: str) -> bytes:
    try:
        if name != "-":
            with open(name, "rb") as file:
                return file.read()
        stdin = getattr(sys.stdin, "buffer", None)  # where standard input is closed, sys.stdin is None
        if stdin is None:
            raise OSError("there is no standard input; name a file")
        return bytes(stdin.read())
    except OSError as error:
        reason = _WHAT_TO_DO.get(type(error)) or error.strerror or error
        raise type(error)(f"cannot read {name!r}: {reason}") from None
    except ValueError as error:  # a NUL in the name, say
        raise ValueError(f"cannot read {name!r}: {error}") from None
