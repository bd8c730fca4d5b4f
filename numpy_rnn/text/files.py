"""Reading text files: folders, encodings, line ends, and files that are no text.

Memory: Python stores a text in one byte per character if it is all ASCII, and in four if it has a character beyond
U+FFFF, such as an emoji. Reading also holds the bytes of the file, so it needs at most twice the size of an ASCII
file, and at most eight times the size of any UTF-8 file.
"""

from __future__ import annotations

import codecs
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator

from numpy_rnn.checks import ArgumentError

__all__ = ["LOSSLESS", "called", "check_kind", "files_in", "read_file", "read_files"]

PathLike = str | os.PathLike[str]

LOSSLESS = "surrogateescape"  # the error handler that keeps every byte: whoever names it wants any file

# UTF-32's byte order mark, in little-endian order, starts with that of UTF-16, so it is tried first.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What files begin with that are often taken for texts.
_UNPACK, _CONVERT, _OTHER = "unpack it first", "save it as plain text first", "name a text file"
_KINDS = {
    b"\x1f\x8b": ("gzip", _UNPACK),
    b"BZh91AY&SY": ("bzip2", _UNPACK),
    b"\xfd7zXZ\0": ("xz", _UNPACK),
    b"\x28\xb5\x2f\xfd": ("zstd", _UNPACK),
    b"7z\xbc\xaf\x27\x1c": ("7-Zip", _UNPACK),
    b"PK\x03\x04": ("a zip file (as .docx, .epub and .odt are)", f"{_UNPACK}, or {_CONVERT}"),
    b"%PDF-": ("PDF", _CONVERT),
    b"{\\rtf": ("RTF", _CONVERT),
    b"\xd0\xcf\x11\xe0": ("an old Word or Excel file", _CONVERT),
    b"\x89PNG": ("a PNG picture", _OTHER),
    b"\xff\xd8\xff": ("a JPEG picture", _OTHER),
    b"\x7fELF": ("a program", _OTHER),
    b"SQLite format 3\0": ("a database", _OTHER),
}


def called(name: str) -> str:
    """Return what messages call a file."""
    return "standard input" if name == "-" else repr(name)


def read_files(paths: Iterable[PathLike], encoding: str, errors: str, newline: str) -> list[str]:
    """Return the text of each file that has any, the files in a folder included; see `read_text`."""
    _check_known("encoding", encoding, codecs.lookup, "'utf-8', 'utf-16' or 'latin-1'")
    _check_known("errors", errors, codecs.lookup_error, "'strict', 'replace' or 'surrogateescape'")
    if newline not in ("lf", "keep"):
        raise ArgumentError("newline", f"must be one of 'lf', 'keep', got {newline!r}")
    texts = []
    for name in map(str, paths):
        if not os.path.isdir(name):
            texts.append(read_file(name, encoding, errors, newline))
            continue
        reasons, before = [], len(texts)
        for file in files_in(name):
            try:
                texts.append(read_file(file, encoding, errors, newline))
            except ValueError as error:
                reasons.append(str(error))
        if len(texts) == before:
            raise ValueError(f"the folder {name!r} has no text file: {reasons[0] if reasons else 'it has no files'}")
        if reasons:
            others = f"; and {len(reasons) - 1} more" * (len(reasons) > 1)
            warnings.warn(f"left out of the folder {name!r}: {reasons[0]}{others}", stacklevel=3)
    return [text for text in texts if text]


def files_in(folder: str) -> Iterator[str]:
    """Yield the files in a folder and its folders in sorted order, without hidden ones and the output of training."""
    for directory, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = [os.path.join(directory, name) for name in sorted(names) if not name.startswith(".")]
        if "last.npz" not in names:
            yield from filter(os.path.isfile, paths)  # opening a pipe would wait for its other end


def _check_known(name: str, value: str, look_up: Callable[[str], object], examples: str) -> None:
    try:
        look_up(value)
    except (LookupError, TypeError, ValueError):
        raise ArgumentError(name, f"must be one that Python knows, such as {examples}, got {value!r}") from None


def read_file(name: str, encoding: str, errors: str, newline: str = "lf") -> str:
    """Return the text of one file."""
    data = _read_bytes(name)
    codec = codecs.lookup(encoding).name
    if errors != LOSSLESS:
        check_kind(name, data, codec, ", or learn its bytes with --bytes")
    dropped = 0
    if codec in ("utf-8", "utf-8-sig"):
        encoding = "utf-8"
        if data.startswith(codecs.BOM_UTF8):
            dropped = len(codecs.BOM_UTF8)
            data = data[dropped:]
    try:
        text = data.decode(encoding, errors)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{called(name)} is not {encoding}: byte 0x{data[error.start]:02x} at offset {error.start + dropped}, "
            f"{error.reason}; give its --encoding, such as latin-1, or --errors replace, or --bytes"
        ) from None
    except (LookupError, TypeError, UnicodeError) as error:  # a codec or error handler that is not for decoding text
        raise ValueError(
            f"{called(name)} cannot be read with encoding={encoding!r}, errors={errors!r}: {error}"
        ) from None
    if newline == "lf" and "\r" in text:
        del data
        text = text.replace("\r\n", "\n")  # two statements, so that at most two texts are in memory
        text = text.replace("\r", "\n")
    return text


def check_kind(name: str, data: bytes, codec: str, otherwise: str = "") -> None:
    """Refuse what would be decoded without an error, or with one that does not help; `otherwise` is more advice."""
    for start, (kind, advice) in _KINDS.items():
        if data.startswith(start):
            raise ValueError(f"{called(name)} looks like {kind}, not text: {advice}{otherwise}")
    if data[257:262] == b"ustar":
        raise ValueError(f"{called(name)} looks like a tar archive, not text: {_UNPACK}{otherwise}")
    if codec.startswith(("utf-16", "utf-32")):
        return
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            raise ValueError(f"{called(name)} looks like {encoding.upper()}: give --encoding {encoding}{otherwise}")
    start = data[:1000]  # in UTF-16, every second byte of English is zero
    for first, encoding in ((0, "utf-16-be"), (1, "utf-16-le")):
        zeros, others = start[first::2].count(0), start[1 - first :: 2].count(0)
        if len(start) >= 64 and zeros > 0.4 * len(start) and not others:
            raise ValueError(f"{called(name)} looks like UTF-16: give --encoding {encoding}{otherwise}")


def _read_bytes(name: str) -> bytes:
    try:
        if name != "-":
            with open(name, "rb") as file:
                return file.read()
        stdin = getattr(sys.stdin, "buffer", None)  # sys.stdin is None if standard input is closed
        if stdin is None:
            raise OSError("there is none; name a file")
        return bytes(stdin.read())
    except OSError as error:
        raise type(error)(f"cannot read {called(name)}: {error.strerror or error}") from None
    except ValueError as error:  # a NUL in the name, say
        raise ValueError(f"cannot read {name!r}: {error}") from None
