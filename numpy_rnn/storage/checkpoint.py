"""A checkpoint: arrays and a header in one file, which comes back bit for bit or is refused.

The file is an .npz, a zip of .npy members that `np.load(path, allow_pickle=False)` reads too, with one more member
`checkpoint.json` in front:

    {"format": "numpy_rnn checkpoint", "version": 1, "numpy_rnn": "0.1.0", "numpy": "2.4.6",
     "arrays": {name: {"dtype": "<f4", "shape": [2, 3], "sha256": "..."}, ...}, "header": ...}

Nothing is compressed, no date is written: the same content, in the same order, gives the same bytes. Nothing is
pickled, and nothing in the file is trusted: an .npy member's own header is compared with the one that dtype and shape
must give, never interpreted, and every size is held against the size of the file before memory is taken. So reading
needs the memory of the arrays and, at worst, forty times the bytes of the JSON (Python's objects for it).
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import struct
import zipfile
from collections import Counter
from collections.abc import Mapping
from typing import IO, Any, cast

import numpy as np

import numpy_rnn
from numpy_rnn.checks import Array
from numpy_rnn.storage import strict_json
from numpy_rnn.storage.files import CheckpointError, atomic_write, reason, resolve
from numpy_rnn.storage.npy import DTYPES, as_bytes, npy_header

__all__ = ["CheckpointError", "read_checkpoint", "write_checkpoint"]

FORMAT, VERSION = "numpy_rnn checkpoint", 1
JSON_MEMBER = "checkpoint.json"

_ARRAY_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}", re.ASCII)  # never a path to somewhere else

_NAME_WORDS = "letters, digits, '_', '.' and '-'"
_TAKE_ANOTHER = "take another copy"
_BLOCK = 1 << 20  # bytes read at a time

# What zipfile raises on what is no sound zip. (RecursionError and NotImplementedError are RuntimeErrors.)
_DAMAGE = (zipfile.BadZipFile, EOFError, RuntimeError, ValueError, OverflowError, struct.error)


def write_checkpoint(path: str | os.PathLike[str], arrays: Mapping[str, Array], header: Mapping[str, Any]) -> None:
    """Replace the file `path` by a checkpoint, all at once; see `atomic_write` for what can go wrong.

    Parameters
    ----------
    path : path
    arrays : mapping of str to ndarray
        Names are of letters, digits, `_`, `.` and `-`. dtype: float32, float64, complex128, bool or any integer, in
        little-endian order (a big-endian one is refused: convert it, and know that the dtype changes). Any shape and
        memory layout: they come back contiguous.
    header : mapping of str to JSON values
        None, bool, int of any length, any float, any str, and lists and dicts of these.

    Raises
    ------
    TypeError, ValueError
        Something in arrays or header would not come back as it is. Nothing was touched.
    CheckpointError
        The file cannot be written.
    """
    document = {
        "format": FORMAT,
        "version": VERSION,
        "numpy_rnn": numpy_rnn.__version__,
        "numpy": np.__version__,
        "arrays": {name: _describe(name, array) for name, array in arrays.items()},
        "header": dict(header),
    }
    text = strict_json.dumps(document, "checkpoint")
    with atomic_write(path) as file, zipfile.ZipFile(cast(IO[bytes], file), "w") as archive:
        _add(archive, JSON_MEMBER, text)
        for name, array in arrays.items():
            _add(archive, f"{name}.npy", npy_header(array.dtype, array.shape), as_bytes(array))


def _describe(name: str, array: Array) -> dict[str, Any]:
    if not isinstance(name, str) or not _ARRAY_NAME.fullmatch(name):
        raise ValueError(f"arrays has the name {name!r}, expected {_NAME_WORDS}")
    if type(array) is not np.ndarray:  # a subclass has more to it: the mask of a masked array would be lost
        raise TypeError(f"arrays[{name!r}] is of type {type(array).__name__}, expected ndarray")
    if array.dtype.str not in DTYPES:
        raise TypeError(f"arrays[{name!r}] has dtype {array.dtype.str!r}, expected one of {', '.join(DTYPES)}")
    digest = hashlib.sha256(as_bytes(array)).hexdigest()
    return {"dtype": array.dtype.str, "shape": list(array.shape), "sha256": digest}


def _add(archive: zipfile.ZipFile, name: str, *parts: bytes | memoryview) -> None:
    info = zipfile.ZipInfo(name)  # dated 1980-01-01
    info.create_system = 3  # on every system
    info.file_size = sum(len(part) for part in parts)  # from 2 GiB on, zip writes sizes in another way
    with archive.open(info, "w") as member:
        for part in parts:
            member.write(part)


def read_checkpoint(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays and the header that `write_checkpoint` was given.

    Raises
    ------
    CheckpointError
        There is no such file, it cannot be read, or it is not in every respect a checkpoint as it was written.
    """
    name, target = repr(os.fspath(path)), resolve(path)
    try:
        with open(target, "rb") as file:
            return _read(file)
    except FileNotFoundError:
        raise CheckpointError(f"{name} does not exist: check the path") from None
    except OSError as error:
        raise CheckpointError(f"{name} cannot be read: {reason(error)}") from error
    except _Refusal as refusal:
        raise CheckpointError(f"{name} {refusal}") from refusal.__cause__
    except _DAMAGE as error:
        raise CheckpointError(f"{name} is truncated or damaged ({reason(error)}): {_TAKE_ANOTHER}") from error


class _Refusal(Exception):
    """What is wrong with a file, to be read behind its name."""


def _read(file: IO[bytes]) -> tuple[dict[str, Array], dict[str, Any]]:
    start = file.read(4)
    if not start:
        raise _Refusal(f"is empty: {_TAKE_ANOTHER}")
    if start.startswith(b"\x80"):
        raise _Refusal("looks like a pickle, which can run any code and is never loaded: give a checkpoint")
    if not b"PK\x03\x04".startswith(start):
        raise _Refusal("is no zip file and so no checkpoint: give a checkpoint")
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        _check_sizes(members, os.fstat(file.fileno()).st_size)
        described, header = _read_document(archive.read(JSON_MEMBER))
        _check_names(members, [JSON_MEMBER, *(f"{name}.npy" for name in described)])
        return {name: _read_array(archive, name, entry) for name, entry in described.items()}, header


def _check_sizes(members: list[zipfile.ZipInfo], size: int) -> None:
    """Refuse what could unpack to more than the file holds."""
    if all(member.filename != JSON_MEMBER for member in members):
        raise _Refusal(f"is a zip file without {JSON_MEMBER} and so no checkpoint: give a checkpoint")
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise _Refusal(f"has the compressed member {member.filename!r}, which no checkpoint has: {_TAKE_ANOTHER}")
    if sum(member.file_size for member in members) > size:
        raise _Refusal(f"is truncated or damaged, its members have more than its {size} bytes: {_TAKE_ANOTHER}")


def _check_names(members: list[zipfile.ZipInfo], expected: list[str]) -> None:
    got, wanted = Counter(member.filename for member in members), Counter(expected)
    for name in got | wanted:
        if got[name] != wanted[name]:
            raise _Refusal(f"has {got[name]} members {name!r}, expected {wanted[name]}: {_TAKE_ANOTHER}")


def _read_document(text: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the descriptions of the arrays, and the header."""
    try:
        document = strict_json.loads(text)
    except ValueError as error:
        raise _Refusal(f"has a {JSON_MEMBER} that is no JSON ({reason(error)}): {_TAKE_ANOTHER}") from error
    match document:
        case {"format": "numpy_rnn checkpoint", "version": int(version)} if version != VERSION:
            made = document.get("numpy_rnn")
            raise _Refusal(
                f"has format version {version}, written by numpy_rnn {made!r}; numpy_rnn "
                f"{numpy_rnn.__version__} knows version {VERSION}: update numpy_rnn"
            )
        case {"format": "numpy_rnn checkpoint", "version": int(), "arrays": dict(arrays), "header": dict(header)}:
            return arrays, header
    raise _Refusal(f"has a {JSON_MEMBER} of another form than a checkpoint's: {_TAKE_ANOTHER}")


def _read_array(archive: zipfile.ZipFile, name: str, entry: Any) -> Array:
    match entry:
        case {"dtype": str(code), "shape": list(sizes), "sha256": str(digest)}:
            pass
        case _:
            raise _Refusal(f"has a {JSON_MEMBER} without dtype, shape and sha256 of {name!r}: {_TAKE_ANOTHER}")
    if not _ARRAY_NAME.fullmatch(name):
        raise _Refusal(f"has an array of the name {name!r}, expected {_NAME_WORDS}: {_TAKE_ANOTHER}")
    if code not in DTYPES:
        raise _Refusal(f"has array {name!r} of dtype {code!r}, expected one of {', '.join(DTYPES)}: {_TAKE_ANOTHER}")
    if not all(type(n) is int and n >= 0 for n in sizes):
        raise _Refusal(f"has array {name!r} of a shape that is not of integers of at least 0: {_TAKE_ANOTHER}")
    dtype, shape = DTYPES[code], tuple(sizes)
    start = npy_header(dtype, shape)
    size = len(start) + math.prod(shape) * dtype.itemsize
    with archive.open(f"{name}.npy") as member:
        if archive.getinfo(f"{name}.npy").file_size != size or member.read(len(start)) != start:
            raise _Refusal(f"has array {name!r} of another dtype or shape than {JSON_MEMBER} says: {_TAKE_ANOTHER}")
        array = np.empty(shape, dtype)
        rest = as_bytes(array)
        while block := member.read(_BLOCK):
            rest[: len(block)] = block
            rest = rest[len(block) :]
    if hashlib.sha256(as_bytes(array)).hexdigest() != digest:
        raise _Refusal(f"is damaged, the SHA-256 of array {name!r} is not what {JSON_MEMBER} says: {_TAKE_ANOTHER}")
    return array
