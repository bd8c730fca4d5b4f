"""A substitute for `os` and `open` in numpy_rnn.storage.files that records file operations and makes them fail."""

import io
import os
import signal

from numpy_rnn.storage import files

__all__ = ["FaultyOS", "fails", "is_killed"]


class FaultyOS:
    """`operations` lists each operation as (name, arguments, result); the result is None if the operation failed.

    `fault` is called with the number and the name of each operation before it runs, and may raise or kill. A write
    takes at most `longest` bytes, as the kernel may do. Files are always closed, so that the tests do not run out of
    descriptors.
    """

    def __init__(self, fault=lambda n, name: None, longest=1 << 30):
        self.operations, self.fault, self.longest = [], fault, longest

    def install(self, patch):
        """Use it in numpy_rnn.storage.files until `patch`, a pytest.MonkeyPatch, is undone."""
        patch.setattr(files, "os", self)
        patch.setattr(files, "open", lambda path, mode: io.BufferedWriter(_File(self, path)), raising=False)

    def names(self):
        return [name for name, *_ in self.operations]

    def __getattr__(self, name):
        return getattr(os, name)

    def watch(self, name, *arguments):
        self.operations.append((name, arguments, None))
        try:
            self.fault(len(self.operations) - 1, name)
        except BaseException:
            if name == "close":
                os.close(*arguments)
            raise
        result = getattr(os, name)(*arguments)
        self.operations[-1] = (name, arguments, result)
        return result

    def open(self, path, flags, mode=0o777):
        return self.watch("open", path, flags, mode)

    def write(self, descriptor, data):
        return self.watch("write", descriptor, data)

    def fsync(self, descriptor):
        return self.watch("fsync", descriptor)

    def close(self, descriptor):
        return self.watch("close", descriptor)

    def replace(self, source, target):
        return self.watch("replace", source, target)

    def unlink(self, path):
        return self.watch("unlink", path)


class _File(io.RawIOBase):
    """A new file, unbuffered: each write is one operation, a `pwrite` with its offset."""

    def __init__(self, system, path):
        self.system, self.offset = system, 0
        self.descriptor = system.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)

    def writable(self):
        return True

    def seekable(self):
        return True

    def fileno(self):
        return self.descriptor

    def seek(self, offset, whence=os.SEEK_SET):
        self.offset = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self.offset}[whence]
        return self.offset

    def write(self, data):
        written = self.system.watch("pwrite", self.descriptor, bytes(data[: self.system.longest]), self.offset)
        self.offset += written
        return written

    def close(self):
        if not self.closed:
            super().close()
            if hasattr(self, "descriptor"):
                self.system.close(self.descriptor)


def fails(error, at, to_the_end=False):
    """Return a fault: operation number `at` raises `error`, and so do all later ones if `to_the_end`."""

    def fault(n, name):
        if n == at or (to_the_end and n > at):
            raise error

    return fault


def is_killed(at):
    """Return a fault: the process is killed before operation number `at`."""

    def fault(n, name):
        if n == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return fault
