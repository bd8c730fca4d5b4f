"""Checkpoints: arrays and a JSON header in one .npz file that is read back exactly, or refused.

A checkpoint is a zip archive of .npy members, as `np.savez` writes them, preceded by the member `checkpoint.json`:

    {"format": "numpy_rnn checkpoint", "version": 2, "numpy_rnn": "0.1.0", "numpy": "2.4.6",
     "arrays": {name: [dtype, shape], ...}, "header": ...}

Nothing is compressed or dated, so the same content always gives the same bytes. Nothing is pickled. A file is not
trusted when it is read: the sizes of its members are compared with the size of the file, their checksums with their
content, and each array's dtype and shape with "arrays", before any memory is allocated for an array.
"""

from __future__ import annotations

import json
import math
import os
import re
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from numpy_rnn.checks import Array, check_keys
from numpy_rnn.storage.files import CheckpointError, atomic_write, reason, resolve
from numpy_rnn.version import __version__

__all__ = ["read_checkpoint", "write_checkpoint"]

VERSION = 2
_DOCUMENT = "checkpoint.json"


def write_checkpoint(path: str | os.PathLike[str], arrays: Mapping[str, Array], header: Mapping[str, Any]) -> None:
    """Replace the file `path` by a checkpoint; see `atomic_write`.

    Parameters
    ----------
    path : path
    arrays : mapping of str to ndarray
        The names consist of letters, digits, `_`, `.` and `-`. The dtypes are bool, integer, real or complex. Arrays
        of any shape and memory layout are allowed and are read back contiguous.
    header : mapping of str to JSON values
        None, bool, int, float (also inf and nan), str (also with lone surrogates), and lists and dicts of these. As
        always with `json`, tuples are read back as lists and keys as strings.

    Raises
    ------
    TypeError, ValueError
        An array or a header value cannot be stored. Nothing was written.
    CheckpointError
        The file cannot be written.
    """
    for name, array in arrays.items():
        if not re.fullmatch(r"[\w.-]+", name):
            raise ValueError(f"arrays has the name {name!r}, expected letters, digits, '_', '.' and '-'")
        if type(array) is not np.ndarray:  # a subclass may hold more, such as a mask
            raise TypeError(f"arrays[{name!r}] must be an ndarray, got {type(array).__name__}")
        if array.dtype.kind not in "biufc":
            raise TypeError(f"arrays[{name!r}] must be of bool, integers, floats or complex, got {array.dtype}")
    document = {
        "format": "numpy_rnn checkpoint",
        "version": VERSION,
        "numpy_rnn": __version__,
        "numpy": np.__version__,
        "arrays": {name: [array.dtype.str, array.shape] for name, array in arrays.items()},
        "header": dict(header),
    }
    text = json.dumps(document, ensure_ascii=False)  # escapes would join two lone surrogates into one character
    with atomic_write(path) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo(_DOCUMENT), text.encode("utf-8", "surrogatepass"))
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def read_checkpoint(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays and the header that `write_checkpoint` was given.

    Raises
    ------
    CheckpointError
        The file does not exist, cannot be read, or is not exactly a checkpoint as it was written.
    """
    name, target = repr(os.fspath(path)), resolve(path)
    try:
        with open(target, "rb") as file:
            return _read(file)
    except FileNotFoundError:
        raise CheckpointError(f"{name} does not exist: check the path") from None
    except (OSError, MemoryError) as error:
        raise CheckpointError(f"{name} cannot be read: {reason(error)}") from error
    except _Refused as error:
        raise CheckpointError(f"{name} {error}") from None
    except Exception as error:  # damage makes zipfile, json and NumPy raise nearly anything
        raise CheckpointError(f"{name} is truncated or damaged ({reason(error)}): use another copy") from error


class _Refused(Exception):
    """The file is not a checkpoint that this version reads. The message follows the name of the file."""


def _read(file: BinaryIO) -> tuple[dict[str, Array], dict[str, Any]]:
    start = file.read(4)
    if start[:1] == b"\x80":
        raise _Refused("looks like a pickle, which can run any code and is never loaded: expected a checkpoint")
    if start != b"PK\x03\x04":
        raise _Refused(f"is {'not a checkpoint' if start else 'empty'}: expected a file that numpy-rnn train wrote")
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("a member is compressed")
        if sum(member.file_size for member in members) > os.fstat(file.fileno()).st_size:
            raise ValueError("its members claim more bytes than the file has")
        if damaged := archive.testzip():
            raise ValueError(f"the checksum of {damaged!r} does not match")
        arrays, header = _read_document(archive)
        check_keys("the list of members", archive.namelist(), [_DOCUMENT, *(f"{name}.npy" for name in arrays)])
        return {name: _read_array(archive, name, description) for name, description in arrays.items()}, header


def _read_document(archive: zipfile.ZipFile) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the descriptions of the arrays, and the header."""
    if _DOCUMENT not in archive.namelist():
        raise _Refused(f"is a zip file without {_DOCUMENT}: expected a file that numpy-rnn train wrote")
    match json.loads(archive.read(_DOCUMENT).decode("utf-8", "surrogatepass")):
        case {"format": "numpy_rnn checkpoint", "version": 2, "arrays": dict(arrays), "header": dict(header)}:
            return arrays, header
        case {"format": "numpy_rnn checkpoint", "version": 1}:
            raise _Refused(
                "was written by an older numpy_rnn, in format 1, which is no longer read: train again, or export the "
                "model with the old version (numpy-rnn export) and import it with this one"
            )
        case {"format": "numpy_rnn checkpoint", "version": int(version)} if version > VERSION:
            raise _Refused(f"was written by a newer numpy_rnn, in format {version}: update numpy_rnn")
    raise ValueError(f"{_DOCUMENT} does not describe a checkpoint")


def _read_array(archive: zipfile.ZipFile, name: str, description: Any) -> Array:
    member = archive.getinfo(f"{name}.npy")
    with archive.open(member) as file:  # NumPy allocates whatever an .npy header claims: check that first
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        size = file.tell() + math.prod(shape) * dtype.itemsize
    if [dtype.str, list(shape)] != description:
        raise ValueError(f"array {name!r} is {[dtype.str, list(shape)]}, expected {description}")
    if size != member.file_size:
        raise ValueError(f"array {name!r} has {member.file_size} bytes, expected {size}")
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
