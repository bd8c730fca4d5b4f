"""Replacing a file all at once: whatever happens on the way, a reader finds the old content or the new, whole.

    write a temporary file in the same directory                                    (1)
    fsync the file: its content is on the disk before its name is                   (2)
    rename it over the old file, which the kernel does as a whole or not at all     (3)
    fsync the directory: the new name is on the disk                                (4)

Without (2) a power cut after (3) can leave the new name on a file that is empty; without (4) it can bring the old
file back after the caller was told that the new one is there.

References
----------
T. S. Pillai et al., "All file systems are not created equal: on the complexity of crafting crash-consistent
applications", OSDI 2014.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from typing import Any

__all__ = ["CheckpointError", "Writer", "atomic_write", "remove_leftovers", "resolve"]

_BLOCK = 1 << 20  # bytes handed to the kernel at a time
_SUFFIX = ".numpy_rnn-tmp"
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class CheckpointError(ValueError):
    """A file that cannot be written or is not read: one line that names it, what is wrong, and what to do."""


class Writer:
    """All that a writer of a format needs of a file: bytes go to the kernel at once, so there is nothing to flush."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes | memoryview) -> int:
        """Write all of `data`, a view of single bytes included: the kernel may take less than it is given."""
        rest = memoryview(data)
        while len(rest):
            rest = rest[os.write(self._descriptor, rest[:_BLOCK]) :]
        return len(data)

    def flush(self) -> None:
        """Do nothing."""


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Writer]:
    """Give a `Writer`; what is written to it becomes the content of `path` when the block ends without an error.

    A symbolic link is followed: the file that it points to is replaced, and the link stays. The new file has the
    permissions that the umask gives. A process that is killed leaves its temporary file: see `remove_leftovers`.

    Raises
    ------
    CheckpointError
        `path` is a directory, a FIFO or a device, and nothing was touched; or the file cannot be written, and the old
        content is as it was; or, as the message then says, the new content is there but the directory could not be
        synced, so that a power cut may bring the old one back. Any other exception of the block goes through, and
        leaves the old content too.
    """
    target = resolve(path)
    directory = os.path.dirname(target)
    temporary = os.path.join(directory, f".{secrets.token_hex(8)}{_SUFFIX}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(temporary, flags, 0o666)  # less the umask
        try:
            try:
                yield Writer(descriptor)  # (1)
                os.fsync(descriptor)  # (2)
            finally:
                os.close(descriptor)
            os.replace(temporary, target)  # (3)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise CheckpointError(
            f"{_name(path)} cannot be written: {reason(error)}; what was there before is unchanged"
        ) from error
    try:
        _sync(directory)  # (4)
    except OSError as error:
        raise CheckpointError(
            f"{_name(path)} has its new content, but its directory cannot be synced: {reason(error)}; "
            "a power cut may bring the old content back: write it again"
        ) from error


def _sync(directory: str) -> None:
    if os.name == "nt":  # has no way to open a directory
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system, such as some of networks, that knows no fsync of directories
            raise
    finally:
        os.close(descriptor)


def remove_leftovers(directory: str | os.PathLike[str]) -> None:
    """Remove the temporary files that killed processes left. Only for who holds the lock: another's may be in use."""
    for name in os.listdir(directory):
        if name.startswith(".") and name.endswith(_SUFFIX):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(directory, name))


def resolve(path: str | os.PathLike[str]) -> str:
    """Return the absolute path behind all symbolic links; CheckpointError if what is there is no regular file.

    Opening a FIFO would wait for its other end, and opening a device can do anything; so this opens nothing.
    """
    try:
        target = os.path.realpath(path)
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return target
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise CheckpointError(f"{_name(path)} cannot be reached: {reason(error)}") from error
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no regular file")
        raise CheckpointError(f"{_name(path)} is {kind}, expected a file or a name that is not taken")
    return target


def _name(path: Any) -> str:
    return repr(os.fspath(path))


def reason(error: BaseException) -> str:
    """Return what the system or a library says of an error, on one line."""
    return " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())
