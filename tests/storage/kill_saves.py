"""A program: `python -m tests.storage.kill_saves FILE` kills a save before each of its operations, one process each.

It prints one line a process: what FILE holds then, and what it holds after the next save. (A program of its own
because it forks, which a process that runs PyTorch's threads had better not do.)
"""

import os
import signal
import sys

import numpy as np

from numpy_rnn.storage import files as atomic
from numpy_rnn.storage.checkpoint import read_checkpoint, write_checkpoint
from tests.storage.faulty_os import FaultyOS, is_killed

LONGEST = 300  # bytes a write takes: many are killed in the middle of an array


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
            atomic.os = FaultyOS(is_killed(at), LONGEST)
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
