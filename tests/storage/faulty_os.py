"""What stands in for `os` in a module under test: it watches the operations on files, and makes them fail."""

import os
import signal

__all__ = ["FaultyOS", "fails", "is_killed"]


class FaultyOS:
    """`operations` is the list of what was asked for: the name, the arguments, and the result if there was one.

    `fault` is called with number and name of each operation before it happens, and may raise or kill. A write takes
    at most `longest` bytes, as the kernel may. A close is never left out, or the tests would run out of descriptors.
    """

    def __init__(self, fault=lambda n, name: None, longest=1 << 30):
        self.operations, self.fault, self.longest = [], fault, longest

    def __getattr__(self, name):
        return getattr(os, name)

    def _watch(self, name, *arguments):
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
        return self._watch("open", path, flags, mode)

    def write(self, descriptor, data):
        return self._watch("write", descriptor, bytes(data[: self.longest]))

    def fsync(self, descriptor):
        return self._watch("fsync", descriptor)

    def close(self, descriptor):
        return self._watch("close", descriptor)

    def replace(self, source, target):
        return self._watch("replace", source, target)

    def unlink(self, path):
        return self._watch("unlink", path)


def fails(error, at, to_the_end=False):
    """Return a fault: operation number `at` raises `error`, and all later ones too if `to_the_end`."""

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
