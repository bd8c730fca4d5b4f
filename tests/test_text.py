import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr

texts = st.text(min_size=1)


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
    with pytest.raises(IndexError, match=r"tokens must lie in \[0, 4\), got 4 at \[1\]"):
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
