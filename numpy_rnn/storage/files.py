"""Files that are always whole: atomic writes, and a lock that allows one writer per directory.

An atomic write replaces a file in one step. Whatever goes wrong, a reader finds either the old content or the new:

    write a temporary file in the same directory                       (1)
    fsync the file, so that its content is on disk                     (2)
    rename it over the old file, which the kernel does atomically      (3)
    fsync the directory, so that the new name is on disk               (4)

Without (2), a power cut after (3) can leave an empty file under the new name. Without (4), it can bring back the old
file after the caller has been told that the new one is in place.

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
from typing import BinaryIO

__all__ = ["CheckpointError", "LockError", "atomic_write", "lock", "reason", "remove_leftovers", "resolve"]

_SUFFIX = ".numpy_rnn-tmp"
_LOCK = ".lock"


class CheckpointError(ValueError):
    """A file cannot be written or is refused. The message is one line: the file, the problem, and what to do."""


class LockError(OSError):
    """A directory is in use or cannot be locked. The message is one line that names it."""


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Yield a binary file whose content replaces that of `path` when the block ends without an error.

    A symbolic link is kept and its target replaced. The new file gets the permissions that the umask allows. A killed
    process leaves its temporary file behind: see `remove_leftovers`.

    Raises
    ------
    CheckpointError
        `path` is a directory, a FIFO or a device, or the file cannot be written; the old content is unchanged. Or the
        new content is in place but its directory could not be synced, as the message then says. Other exceptions
        raised in the block propagate, and the old content is unchanged.
    """
    target = resolve(path)
    directory = os.path.dirname(target)
    temporary = os.path.join(directory, f".{secrets.token_hex(8)}{_SUFFIX}")
    try:
        try:
            with open(temporary, "xb") as file:
                yield file  # (1)
                file.flush()
                os.fsync(file.fileno())  # (2)
            os.replace(temporary, target)  # (3)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        kept = "; its previous content is unchanged" * os.path.lexists(path)
        raise CheckpointError(f"{os.fspath(path)!r} cannot be written: {reason(error)}{kept}") from error
    try:
        _sync(directory)  # (4)
    except OSError as error:
        raise CheckpointError(
            f"{os.fspath(path)!r} has its new content, but its directory cannot be synced: {reason(error)}; "
            "a power cut may bring back the old content: write it again"
        ) from error


def _sync(directory: str) -> None:
    if os.name == "nt":  # Windows cannot open a directory
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync directories
            raise
    finally:
        os.close(descriptor)


def remove_leftovers(directory: str | os.PathLike[str]) -> None:
    """Remove the temporary files of killed processes. Call it only with the lock held: others may still be in use."""
    for name in os.listdir(directory):
        if name.startswith(".") and name.endswith(_SUFFIX):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(directory, name))


@contextlib.contextmanager
def lock(directory: str | os.PathLike[str]) -> Iterator[None]:
    """Hold a lock on the directory while the block runs; the kernel releases it however the process ends.

    The lock is a `flock` on the file `.lock` in the directory. That file is never removed: otherwise two processes
    could each lock a different file of that name. It contains the process id of the last holder, which is used in the
    error message only, so a stale one does no harm. The lock is advisory: it stops only processes that ask for it. A
    child made by `os.fork` shares it until the child or the block ends.

    Windows has no `flock`; nothing is locked there.

    Raises
    ------
    LockError
        This process or another one holds the lock, or the directory cannot be locked.
    """
    if os.name == "nt":
        yield
        return
    import fcntl

    name = repr(os.fspath(directory))
    try:
        descriptor = os.open(os.path.join(directory, _LOCK), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        raise LockError(f"{name} cannot be locked: {reason(error)}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            who = f"process {holder}" if holder.isdecimal() else "another process"
            raise LockError(f"{name} is in use by {who}: wait until it ends, or use another directory") from None
        except OSError as error:
            raise LockError(f"{name} cannot be locked: {reason(error)}") from error
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a forked child may still have the descriptor open
    finally:
        with contextlib.suppress(OSError):  # on a full disk, it would hide the block's own error
            os.close(descriptor)


def resolve(path: str | os.PathLike[str]) -> str:
    """Return the absolute path with all symbolic links resolved, without opening anything.

    Opening a FIFO would wait for its other end, and opening a device can do anything.

    Raises
    ------
    CheckpointError
        Something other than a regular file is there, or the path cannot be followed.
    """
    try:
        target = os.path.realpath(path)
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return target
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise CheckpointError(f"{os.fspath(path)!r} cannot be reached: {reason(error)}") from error
    if not stat.S_ISREG(mode):
        kind = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
        raise CheckpointError(f"{os.fspath(path)!r} is {kind}, expected a file or an unused name")
    return target


def reason(error: BaseException) -> str:
    """Return the message of an error on one line: a KeyError's without quotes, an OSError's without its number."""
    text = error.args[0] if isinstance(error, KeyError) and error.args else getattr(error, "strerror", None) or error
    return " ".join(str(text).split()) or type(error).__name__
