"""The memory that reading and encoding a text takes, against what `corpus.py` states."""

import tracemalloc

import numpy as np
import pytest

import numpy_rnn as nr
from numpy_rnn.text.corpus import read_text

MB = 2**20


@pytest.fixture
def write(tmp_path):
    """Return a function that makes a file of some bytes and returns its path."""

    def write(data, name="book.txt"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


LINE = b"It was the best of times, it was the worst of times.\n"
BOOK = (LINE * (8 * MB // len(LINE) + 1))[: 8 * MB]
# Python widens a text when it meets a character that needs more bytes: the most of it when that is the last one.
WIDENED = "€".encode() + BOOK[:-7] + "😀".encode()


@pytest.mark.parametrize(
    ("files", "multiple"),
    [
        ([BOOK], 2),
        ([BOOK, BOOK], 2),
        ([b"\xef\xbb\xbf" + BOOK], 2),
        ([BOOK.replace(b"\n", b"\r\n")], 2),
        ([BOOK.replace(b"\n", b"\r").replace(b"times,", b"time\r\n")], 2),
        ([WIDENED], 8),
        ([WIDENED, WIDENED], 8),
        ([WIDENED.replace(b"\n", b"\r").replace(b"times,", b"time\r\n")], 8),
    ],
)
def test_memory_stays_within_the_multiple_that_is_stated(write, files, multiple):
    paths = [write(data, str(i)) for i, data in enumerate(files)]
    size = sum(map(len, files))
    tracemalloc.start()
    text = read_text(paths)
    reading = tracemalloc.get_traced_memory()[1]
    vocabulary = nr.Vocabulary.from_text(text)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    tokens = vocabulary.encode(text, np.uint8)
    encoding = tracemalloc.get_traced_memory()[1] - held
    tracemalloc.stop()
    spare = 2 * MB  # pieces on their way to numbers, and the table of a vocabulary with an emoji
    assert reading <= multiple * size + spare
    assert held <= multiple / 2 * size + spare
    assert len(tokens) <= encoding <= size + spare
