"""One writer to a directory: a lock that ends with the process that holds it, however it ends."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

__all__ = ["LockError", "lock"]

_FILE = ".lock"


class LockError(OSError):
    """A directory is in use by another, or cannot be locked: one line that names it."""


@contextlib.contextmanager
def lock(directory: str | os.PathLike[str]) -> Iterator[None]:
    """Hold the directory for the length of the block.

    The lock is the kernel's (`flock`) on the file `.lock` in the directory. The file stays when the lock is gone: if
    it were removed, two processes could hold locks on two files of that name. Its content, the process id of the last
    holder, is for the error message alone; one that a killed process left behind does no harm. The lock is advisory:
    it keeps out who asks for it. A child made by `os.fork` holds it too, until it ends or the block does.

    On Windows, which has no `flock`, nothing is locked.

    Raises
    ------
    LockError
        Another holds the directory, in this process or in one that the message names; or it cannot be locked.
    """
    if os.name == "nt":
        yield
        return
    import fcntl

    name = repr(os.fspath(directory))
    try:
        descriptor = os.open(os.path.join(directory, _FILE), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        raise LockError(f"{name} cannot be locked: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            who = f"process {holder}" if holder.isdecimal() else "another process"
            raise LockError(f"{name} is in use by {who}: wait for its end, or take another directory") from None
        except OSError as error:
            raise LockError(f"{name} cannot be locked: {error.strerror}") from error
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a forked child may have the descriptor still
    finally:
        os.close(descriptor)
