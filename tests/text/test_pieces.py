"""Texts in pieces, against the same done to the whole text at once."""

import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpy_rnn.text import pieces as module
from numpy_rnn.text.corpus import read_text
from numpy_rnn.text.pieces import known_pieces, read_pieces
from numpy_rnn.text.vocabulary import Vocabulary


@given(st.lists(st.text("abxy", max_size=6), max_size=6))
def test_unknown_characters_are_left_out_or_counted(pieces):
    text, unknown = "".join(pieces), Counter()
    assert "".join(known_pieces(pieces, Vocabulary("ab"), "f", True, unknown)) == text.translate({120: "", 121: ""})
    assert unknown == Counter(text.translate({97: "", 98: ""}))
    if unknown:
        words = rf"'f' has {unknown.total()} of {len(text)} characters that are not in .*: '\w' \(\d+\)"
        with pytest.raises(ValueError, match=words):
            list(known_pieces(pieces, Vocabulary("ab"), "f", False, Counter()))


def test_the_most_frequent_unknown_characters_are_named():
    text = "".join(chr(0x4E00 + i) * (i + 1) for i in range(25))
    with pytest.raises(ValueError, match=r"'f' has 325 of 325 .*: '丘' \(25\), '丗' \(24\), .* and 5 others; leave"):
        list(known_pieces([text], Vocabulary("ab"), "f", False, Counter()))


def test_equally_frequent_unknown_characters_are_named_in_order():
    with pytest.raises(ValueError, match=r"'z' \(2\), '1' \(1\), '5' \(1\), 'x' \(1\), 'é' \(1\); leave"):
        list(known_pieces(["5éx1zz"], Vocabulary("ab"), "f", False, Counter()))


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("\ufeffaé€\r\nb\rc\n\0".encode(), "utf-8"),
        ("aé€\r\nb\rc\n".encode("utf-16"), "utf-16"),
        (b"a\xe9\r\nb\rc\n", "latin-1"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_file_is_read_as_it_is_for_training(tmp_path, monkeypatch, data, encoding, size):
    monkeypatch.setattr(module, "_PIECE", size)
    path = tmp_path / "text.txt"
    path.write_bytes(data)
    pieces = list(read_pieces(str(path), encoding))
    assert "".join(pieces) == read_text(path, encoding)
    assert all(len(piece) <= size for piece in pieces)
    with open(path) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert "".join(read_pieces("-", encoding)) == read_text(path, encoding)


def test_what_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"ab\xff")
    with pytest.raises(
        ValueError, match=r"text.txt' is not utf-8: invalid start byte; give its --encoding, such as latin-1"
    ):
        list(read_pieces(str(path)))
    path.write_bytes("é".encode())
    with pytest.raises(ValueError, match=r"is not ascii: ordinal not in range.*; give --encoding utf-8$"):
        list(read_pieces(str(path), "ascii"))
    with pytest.raises(ValueError, match=r"is not utf-16: .*; give --encoding utf-8$"):
        list(read_pieces(str(path), "utf-16"))
    path.write_bytes(b"ab\xff")
    with pytest.raises(ValueError, match="encoding must be one that Python knows, such as 'latin-1', got 'x'"):
        list(read_pieces(str(path), "x"))
    with pytest.raises(FileNotFoundError, match="cannot read 'nowhere': No such file"):
        list(read_pieces("nowhere"))
    assert list(read_pieces(str(path), errors="surrogateescape")) == ["ab\udcff"]


def test_standard_input_is_called_by_its_name(tmp_path, monkeypatch):
    path = tmp_path / "text.gz"
    path.write_bytes(b"\x1f\x8b")
    with open(path) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(ValueError, match=r"^standard input looks like gzip, not text: unpack it first$"):
            list(read_pieces("-"))
