import builtins
import os
import re
import shlex
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn.text.corpus import join, read_text

MB = 2**20


@pytest.fixture
def write(tmp_path):
    """Return a function that makes a file of some bytes and returns its path."""

    def write(data, name="book.txt"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """Return one file that all examples of a property write to."""
    return tmp_path_factory.mktemp("corpus") / "scratch.txt"


# Any characters, lone surrogates among them; a mark in front is another test's matter.
TEXTS = st.text(st.characters(exclude_characters="\r")).filter(lambda text: not text.startswith("\ufeff"))


@given(st.lists(TEXTS, min_size=1, max_size=3).filter(any), st.sampled_from(["utf-8", "utf-32"]))
def test_what_was_written_is_read_back(scratch, texts, encoding):
    paths = [scratch.with_suffix(f".{i}") for i in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode(encoding, "surrogatepass"))
    *before, last = filter(None, texts)
    assert (
        read_text(paths, encoding, "surrogatepass") == "".join([x.removesuffix("\n") + "\n" for x in before]) + last
    )


def test_nul_and_lone_surrogates_are_kept(write):
    text = "a\0b\ud800\0"
    assert read_text(write(text.encode("utf-8", "surrogatepass")), errors="surrogatepass") == text
    assert read_text(write(b"\0\xff"), errors="surrogateescape") == "\0\udcff"


@given(st.text("a\r\n", min_size=1))
def test_ends_of_lines_are_those_of_open(scratch, text):
    scratch.write_bytes(text.encode())
    with open(scratch) as file:
        assert read_text(scratch) == file.read()


@given(st.binary(min_size=1), st.sampled_from(["utf-8", "ascii"]))
def test_any_bytes_survive_as_surrogates(scratch, data, encoding):
    scratch.write_bytes(b"a" + data)
    text = read_text(scratch, encoding, errors="surrogateescape")
    assert text.encode(encoding, "surrogateescape") == b"a" + data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    vocabulary = nr.Vocabulary.from_text(text)
    assert vocabulary.decode(vocabulary.encode(text)) == text


def test_files_are_joined_in_the_order_given(write):
    a, b, empty = write(b"one\n", "b"), write(b"two\n", "a"), write(b"", "c")
    assert read_text(a) == read_text(str(a)) == "one\n"
    assert read_text([a, empty, str(b), a]) == "one\ntwo\none\n"
    assert read_text(path for path in (b, a)) == "two\none\n"
    # Each file's lines end for themselves: a \r at the end of one and a \n at the start of the next are two.
    assert read_text([write(b"a\r", "d"), write(b"\nb", "e")]) == "a\n\nb"


@given(st.lists(st.text("abc\n", min_size=1, max_size=30), min_size=2, max_size=5), st.data())
def test_the_end_of_each_file_is_at_the_end_of_the_whole(texts, data):
    files = [text if text.endswith("\n") else text + "\n" for text in texts[:-1]] + [texts[-1]]
    N, k = sum(map(len, files)), len(files)
    n, asked = data.draw(st.integers(1, N)), []
    whole = join(list(texts), lambda length: asked.append(length) or n)
    assert asked == [N + k] == [len(whole)]
    start, end = whole[:-n], whole[-n:]
    for i, file in enumerate(files):
        held = len(file) - sum(map(len, files[: i + 1])) * n // N + sum(map(len, files[:i])) * n // N
        kept, start = start[:held], start[held:]
        moved, end = end[: len(file) - held], end[len(file) - held :]
        assert kept + moved == file
        assert abs(len(moved) - n * len(file) / N) < 1
        assert start[:1] == "\n"
        start = start[1:]
    assert start == end == ""
    assert join(list(texts)) == "".join(files)
    assert join([texts[0]], lambda length: n) == texts[0]


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf-8-sig"])
def test_a_mark_at_the_start_of_utf_8_is_dropped(write, encoding):
    paths = write("\ufeffone\ufeff".encode(), "a"), write("\ufefftwo".encode(), "b"), write(b"three", "c")
    assert read_text(paths, encoding) == "one\ufeff\ntwo\nthree"
    # The offset counts from the start of the file, mark included; a mark that is cut short is no mark.
    with pytest.raises(ValueError, match=r"'.*/d' is not utf-8: byte 0xff at offset 5, invalid start byte; give"):
        read_text(write(b"\xef\xbb\xbfab\xff", "d"), encoding)
    with pytest.raises(ValueError, match="byte 0xef at offset 0, unexpected end of data"):
        read_text(write(b"\xef\xbb", "e"), encoding)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
@pytest.mark.parametrize("given", ["utf-8", "ascii"])
def test_utf_16_and_32_are_recognised_by_their_marks(write, encoding, given):
    little = "Hello".encode(encoding)
    assert little[:2] == (
        b"\xff\xfe" if sys.byteorder == "little" else b"\xfe\xff" if encoding == "utf-16" else b"\0\0"
    )
    swap = 2 if encoding == "utf-16" else 4
    big = np.frombuffer(little, f"u{swap}").byteswap().tobytes()
    for data in (little, big):
        path = write(data)
        with pytest.raises(ValueError, match=f"looks like {encoding.upper()}: give --encoding {encoding}, or"):
            read_text(path, given)
        assert read_text(path, encoding) == "Hello"


@pytest.mark.parametrize(
    ("data", "encoding", "words"),
    [
        (
            b"caf\xe9 au lait",
            "utf-8",
            "is not utf-8: byte 0xe9 at offset 3, invalid continuation byte; give its --encoding",
        ),
        (
            b"ab\xe2\x82",
            "utf-8",
            "is not utf-8: byte 0xe2 at offset 2, unexpected end of data; give its --encoding",
        ),
        (b"\xed\xa0\x80", "utf-8", "is not utf-8: byte 0xed at offset 0, invalid continuation byte"),
        (b"x" * 3 * MB + b"\x80", "utf-8", f"is not utf-8: byte 0x80 at offset {3 * MB}, invalid start byte"),
        (b"caf\xc3\xa9", "ascii", "is not ascii: byte 0xc3 at offset 3, ordinal not in range"),
        (b"a\0b", "utf-16", "is not utf-16: byte 0x62 at offset 2, truncated data"),
        (b"a", "hex", "cannot be read with encoding='hex', errors='strict': 'hex' is not a text encoding"),
        (b"a", "undefined", "cannot be read with encoding='undefined', errors='strict'"),
    ],
)
def test_bytes_that_are_no_text_are_named(write, data, encoding, words):
    with pytest.raises(ValueError, match=f"^{re.escape(repr(str(write(data))))} {words}") as raised:
        read_text(write(data), encoding)
    assert "\n" not in str(raised.value)


def test_errors_says_what_becomes_of_such_bytes(write):
    path = write(b"caf\xe9!")
    assert read_text(path, errors="replace") == "caf\ufffd!"
    assert read_text(path, errors="ignore") == "caf!"
    assert read_text(path, encoding="latin-1") == "café!"
    with pytest.raises(ValueError, match="errors='xmlcharrefreplace': don't know how to handle UnicodeDecodeError"):
        read_text(path, errors="xmlcharrefreplace")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"encoding": "utf-9"}, "encoding must be one that Python knows, such as 'utf-8', .*, got 'utf-9'"),
        ({"encoding": "a\0b"}, r"encoding must be one that Python knows, .*, got 'a\\x00b'"),
        ({"encoding": None}, "encoding must be one that Python knows, .*, got None"),
        ({"errors": "escape"}, "errors must be one that Python knows, such as 'strict', .*, got 'escape'"),
        ({"errors": None}, "errors must be one that Python knows, .*, got None"),
    ],
)
def test_bad_options_are_named_whatever_is_in_the_file(write, options, words):
    with pytest.raises(ValueError, match=words) as raised:
        read_text(write(b"all is well"), **options)
    assert "\n" not in str(raised.value)


def test_what_is_no_file_is_named(tmp_path):
    missing = str(tmp_path / "no\nfile")
    with pytest.raises(FileNotFoundError, match=r"^cannot read '.*no.nfile': No such file or directory$") as raised:
        read_text(missing)
    assert "\n" not in str(raised.value)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match=r"^cannot read '.*loop': Too many levels of symbolic links$"):
        read_text(tmp_path / "loop")
    for name in ("a\0b", "\ud800"):
        with pytest.raises(ValueError, match=f"^cannot read {re.escape(repr(name))}: "):
            read_text(name)
    with pytest.raises(ValueError, match="paths is empty, expected at least one file"):
        read_text([])


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (OSError(5, "Input/output error"), "Input/output error"),
    ],
)
def test_what_the_system_refuses_is_named(monkeypatch, write, error, words):
    """Raised by a stand-in for `open`: the superuser is denied nothing, and disks rarely fail when asked to."""

    def refuse(*arguments):
        raise error

    path = write(b"text")
    monkeypatch.setattr(builtins, "open", refuse)
    with pytest.raises(type(error), match=f"^cannot read '{path}': {words}$"):
        read_text(path)


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf"])
def test_no_text_at_all_is_named(write, data):
    one, two = write(data, "one"), write(data, "two")
    with pytest.raises(ValueError, match=f"^no text in '{one}', '{two}': empty, expected at least one"):
        read_text([one, two])
    with pytest.raises(ValueError, match=f"^no text in '{one}': empty"):
        read_text(one, errors="ignore")


def test_a_pipe_is_read_to_its_end(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    data = "zwölf\n".encode() * 50_000  # several times what a pipe holds

    def feed():
        with open(path, "wb", buffering=0) as pipe:
            for start in range(0, len(data), 4097):
                pipe.write(data[start : start + 4097])

    thread = threading.Thread(target=feed)
    thread.start()
    assert read_text(path) == data.decode()
    thread.join()


def test_standard_input_is_read(write):
    code = "import sys; from numpy_rnn.text.corpus import read_text; print(ascii(read_text(sys.argv[1:])))"
    run = [sys.executable, "-c", code, "-", str(write(b"file"))]
    done = subprocess.run(run, input="\ufeffzwölf\r\n".encode(), capture_output=True, check=True)
    assert done.stdout.decode().strip() == ascii("zwölf\nfile")
    done = subprocess.run(f"{shlex.join(run)} <&-", shell=True, capture_output=True, check=False)
    assert done.stderr.endswith(b"OSError: cannot read standard input: there is none; name a file\n")
