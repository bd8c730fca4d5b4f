"""What the tests of checkpoints share: layouts of arrays, exact comparison, and how a file is refused."""

import tracemalloc

import numpy as np
import pytest

from numpy_rnn.storage.checkpoint import read_checkpoint, write_checkpoint
from numpy_rnn.storage.files import CheckpointError

__all__ = ["LAYOUTS", "bits", "peak", "read_or_refuse", "refusal", "same", "write_small"]

LAYOUTS = [
    lambda a: a,
    lambda a: a.T,
    np.asfortranarray,
    lambda a: a[..., ::-1] if a.ndim else a,
    lambda a: a[::2] if a.ndim else a,
    lambda a: np.broadcast_to(a, (3, *a.shape)),  # read-only, with a stride of zero
]


def same(a, b):
    """Whether two headers are equal, with the same types: 1 is not 1.0 or True, -0.0 is not 0.0, and nan is nan."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return repr(a) == repr(b)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return a == b


def bits(array):
    return array.dtype.str, array.shape, array.tobytes()


def write_small(path):
    """Write a checkpoint of about a kilobyte."""
    arrays = {"fc.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "h": np.array(1.5 + 2j), "none": np.zeros(0)}
    write_checkpoint(path, arrays, {"vocabulary": "aé\ud800\0", "best": float("inf"), "seed": 2**90})


def check_message(path, error):
    """Return the message, without the path at its beginning."""
    message = str(error)
    assert len(message.splitlines()) == 1
    assert message.startswith(repr(str(path)) + " ")
    return message.removeprefix(repr(str(path)) + " ")


def refusal(path):
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    return check_message(path, caught.value)


def read_or_refuse(path, original):
    """Check that the file is refused in one line, or loads as `original`; return which of the two."""
    try:
        tensors, header = read_checkpoint(path)
    except CheckpointError as error:
        check_message(path, error)
        return "refused"
    assert {name: bits(array) for name, array in tensors.items()} == {n: bits(a) for n, a in original[0].items()}
    assert same(header, original[1])
    return "loads"


def peak(function, *arguments):
    """Return the result of a call, and the most memory that it took."""
    tracemalloc.start()
    try:
        return function(*arguments), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
