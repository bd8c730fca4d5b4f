import re
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr

texts = st.text(st.characters(), min_size=1)  # lone surrogates included


@given(texts)
def test_each_character_becomes_its_number_wherever_a_piece_ends(text):
    with mock.patch("numpy_rnn.text.vocabulary._PIECE", 3):
        vocabulary = nr.Vocabulary.from_text(text)
        tokens = vocabulary.encode(text)
    assert vocabulary.characters == tuple(sorted(set(text)))
    assert tokens.tolist() == [vocabulary.characters.index(character) for character in text]


@given(st.text("abc", max_size=20), st.text("dé€😀\ud800\0", min_size=1, max_size=3), st.text("abcdé😀", max_size=9))
def test_every_unknown_character_is_named_where_it_comes_first(known, unknown, rest):
    text = known + unknown + rest
    with (
        mock.patch("numpy_rnn.text.vocabulary._PIECE", 3),
        pytest.raises(ValueError, match="not among the 3 of the") as error,
    ):
        nr.Vocabulary("cab").encode(text)
    places = re.findall(r"('[^']+') at position (\d+)", str(error.value))
    strangers = sorted(set(text) - set("abc"), key=text.index)
    assert places == [(repr(character), str(text.index(character))) for character in strangers]


def test_every_character_that_there_is():
    text = "".join(map(chr, range(sys.maxunicode + 1)))
    vocabulary = nr.Vocabulary.from_text(text[::-1])
    np.testing.assert_array_equal(vocabulary.encode(text), np.arange(sys.maxunicode + 1))
    assert nr.Vocabulary(text[:128:-1]).encode(text[-1]).tolist() == [0]


def test_a_text_of_many_pieces():
    numbers = np.random.default_rng(0).integers(0, 300, 1_000_003)
    vocabulary = nr.Vocabulary(map(chr, range(1000, 1300)))
    text = vocabulary.decode(numbers)
    np.testing.assert_array_equal(vocabulary.encode(text, np.uint16), numbers)
    with pytest.raises(ValueError, match="has the characters 'x' at position 900001, 'y' at position 1000004, which"):
        vocabulary.encode(f"{text[:900_001]}x{text[900_001:]}y")


@pytest.mark.parametrize(("size", "dtype"), [(1, "uint8"), (256, "uint8"), (257, "uint16"), (65537, "uint32")])
def test_numbers_are_as_narrow_as_they_are_asked_for(size, dtype):
    vocabulary = nr.Vocabulary(map(chr, range(size)))
    text = "".join(vocabulary.characters)
    assert np.min_scalar_type(size - 1) == dtype
    for narrow in (dtype, "int32"):
        tokens = vocabulary.encode(text, narrow)
        assert tokens.dtype == narrow
        np.testing.assert_array_equal(tokens, range(size))
        assert vocabulary.decode(tokens) == text
    assert vocabulary.encode(text).dtype == np.intp
    if size == 257:
        with pytest.raises(ValueError, match="dtype uint8 is too narrow for the numbers of 257 characters"):
            vocabulary.encode("a", np.uint8)
    for wrong in (np.float32, bool):
        with pytest.raises(TypeError, match=f"dtype must be an integer type, got {np.dtype(wrong)}"):
            vocabulary.encode("a", wrong)


def test_the_model_takes_narrow_tokens():
    model = nr.CharRNN(256, 3, 4, rng=0)
    tokens = np.random.default_rng(0).integers(0, 256, (9, 2))
    results = []
    for dtype in (np.intp, np.uint8):
        narrow = tokens.astype(dtype)
        loss, _ = model.loss_and_gradients(narrow[:-1], narrow[1:])
        results.append([loss, *model.parameters().grad])
    assert results[0] == results[1]


@given(texts)
def test_decoding_undoes_encoding(text):
    vocabulary = nr.Vocabulary.from_text(text)
    tokens = vocabulary.encode(text)
    assert tokens.shape == (len(text),)
    assert tokens.dtype.kind == "i"
    assert vocabulary.decode(tokens) == text
    assert vocabulary.decode(tokens.tolist()) == text


@given(texts)
def test_numbers_are_in_sorted_order(text):
    vocabulary = nr.Vocabulary.from_text(text)
    assert len(vocabulary) == len(set(text))
    assert vocabulary.decode(range(len(vocabulary))) == "".join(sorted(set(text)))


def test_vocabularies_compare_by_their_characters():
    assert nr.Vocabulary("ab") == nr.Vocabulary.from_text("bab")
    assert nr.Vocabulary("ab") != nr.Vocabulary("ba")
    assert len({nr.Vocabulary("ab"), nr.Vocabulary("ab")}) == 1


def test_the_numbering_is_the_same_in_every_process():
    code = "import numpy_rnn as nr; print(nr.Vocabulary.from_text('Hello, how are you?').encode('Hello').tolist())"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in "123"
    }
    assert len(outputs) == 1


def test_bad_input_is_named():
    vocabulary = nr.Vocabulary.from_text("Hello")
    with pytest.raises(ValueError, match="text has the character '!' at position 5, which is not among the 4"):
        vocabulary.encode("Hello!")
    with pytest.raises(IndexError, match=r"tokens must be in \[0, 4\), got 4 at \[1\]"):
        vocabulary.decode([0, 4])
    with pytest.raises(TypeError, match="tokens must be integers"):
        vocabulary.decode([0.5])
    with pytest.raises(ValueError, match="text is empty"):
        nr.Vocabulary.from_text("")
    with pytest.raises(TypeError, match="text must be a str, got list"):
        nr.Vocabulary.from_text(["H", "e"])
    with pytest.raises(ValueError, match="characters of a vocabulary must be distinct"):
        nr.Vocabulary("hello")
    with pytest.raises(ValueError, match="at least one character"):
        nr.Vocabulary("")
    with pytest.raises(ValueError, match="characters must be single characters, got 'ab'"):
        nr.Vocabulary(["ab", "c"])
    with pytest.raises(TypeError, match="text must be a str, got NoneType"):
        vocabulary.encode(None)
    with pytest.raises(ValueError, match=r"tokens has shape \(2, 1\), expected one number per character"):
        vocabulary.decode([[0], [1]])
    assert vocabulary.encode("").shape == (0,)
    assert vocabulary.decode(np.array([], int)) == ""
