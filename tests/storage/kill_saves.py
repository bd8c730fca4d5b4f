"""A program: `python -m tests.storage.kill_saves FILE` kills a save before each of its operations, one process each.

For each process it prints what FILE contains then, and what it contains after the next save. (It is a separate
program because it forks, which is unsafe in a process with threads, such as PyTorch's.)
"""

import os
import signal
import sys

import numpy as np
import pytest

from numpy_rnn.storage.checkpoint import read_checkpoint, write_checkpoint
from tests.storage.faulty_os import FaultyOS, is_killed

LONGEST = 100  # bytes per write, so that many processes are killed in the middle of an array


def save(path, text):
    write_checkpoint(path, {"x": np.frombuffer(text.encode() * 400, np.uint8)}, {"text": text})


def load(path):
    arrays, header = read_checkpoint(path)
    assert bytes(arrays["x"]) == header["text"].encode() * 400
    return header["text"]


def main(path):
    at, killed = 0, True
    while killed:
        save(path, "old")
        child = os.fork()
        if not child:
            FaultyOS(is_killed(at), LONGEST).install(pytest.MonkeyPatch())
            save(path, "new")
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert killed or status == 0
        found = load(path)
        save(path, "next")
        print("killed" if killed else "lives", found, load(path))
        at += 1


if __name__ == "__main__":
    main(sys.argv[1])
