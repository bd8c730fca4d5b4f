"""Generation with bad arguments, and with weights that are nan."""

import math

import pytest

import numpy_rnn as nr
from tests.generation.test_generate import make


@pytest.mark.parametrize("name", ["embedding.weight", "rnn.weight_hh_l1", "fc.weight", "fc.bias"])
def test_weights_that_are_nan_are_an_error(name):
    model, vocabulary = make(0, 4, 3, 3, 2)
    model.parameters()[name].data[...] = math.nan
    said = "the largest logit is nan, expected a finite number"
    for options in ({}, {"temperature": 1.0}):
        with pytest.raises(FloatingPointError, match=said):
            nr.generate(model, vocabulary, "ab", 9, **options)
        with pytest.raises(FloatingPointError, match=said):
            list(nr.stream(model, vocabulary, "ab", 9, **options))
        with pytest.raises(FloatingPointError, match=said):
            nr.generate_batch(model, vocabulary, "ab", 9, 3, **options)


def test_greedy_notices_a_nan_that_comes_up_on_the_way():
    model, vocabulary = make(0, 4, 3, 3, 2)
    text = nr.generate(model, vocabulary, "a", 9)
    token = vocabulary.encode(text[4])[0]
    model.embedding.weight.data[token] = math.nan  # met at position 4 at the latest, never before it was generated
    with pytest.raises(FloatingPointError, match="the largest logit is nan"):
        nr.generate(model, vocabulary, "a", 9)


@pytest.mark.parametrize("call", [nr.generate, nr.stream, lambda *a, **k: nr.generate_batch(*a, 2, **k)])
def test_bad_input_is_named_at_once(call):
    vocabulary = nr.Vocabulary.from_text("Hello")
    model = nr.CharRNN(len(vocabulary), rng=0)
    with pytest.raises(ValueError, match="prompt is empty"):
        call(model, vocabulary, "", 5)
    with pytest.raises(ValueError, match="prompt has the character 'x' at position 1, which is not among the 4"):
        call(model, vocabulary, "Hx", 5)
    unknown = (
        r"prompt has the characters 'x' at position 1, '\\n' at position 3, 'é' at position 5, which are not among"
    )
    with pytest.raises(ValueError, match=unknown):
        call(model, vocabulary, "Hxl\nxéo\n", 9)
    with pytest.raises(ValueError, match=r"length must be an integer of at least len\(prompt\) = 5, got 4"):
        call(model, vocabulary, "Hello", 4)
    with pytest.raises(ValueError, match="length must be an integer"):
        call(model, vocabulary, "H", 4.5)
    with pytest.raises(TypeError, match="prompt must be a str, got NoneType"):
        call(model, vocabulary, None, 5)
    with pytest.raises(TypeError, match="vocabulary must be a Vocabulary, got str"):
        call(model, "Helo", "H", 5)
    with pytest.raises(ValueError, match="vocabulary has 3 characters, expected the model's 4"):
        call(model, nr.Vocabulary("abc"), "a", 4)
    with pytest.raises(ValueError, match=r"temperature must be in \[0, inf\), got nan"):
        call(model, vocabulary, "H", 5, temperature=math.nan)
    with pytest.raises(ValueError, match="top_k must be at least 1, got 0"):
        call(model, vocabulary, "H", 5, temperature=1, top_k=0)
    with pytest.raises(ValueError, match="top_p must be above 0, got 0"):
        call(model, vocabulary, "H", 5, temperature=1, top_p=0)
    for option in ({"top_k": 3}, {"top_p": 0.5}):
        with pytest.raises(ValueError, match="does nothing without a temperature above 0"):
            call(model, vocabulary, "H", 5, **option)
        with pytest.raises(ValueError, match="does nothing without a temperature above 0"):
            call(model, vocabulary, "H", 5, temperature=0, **option)
    with pytest.raises(TypeError, match="unexpected keyword argument 'temperatur'"):
        call(model, vocabulary, "H", 5, temperatur=1)


def test_a_batch_has_at_least_one_sample():
    model, vocabulary = make(0, 4, 3, 3, 1)
    for options in ({}, {"temperature": 1.0}):
        with pytest.raises(ValueError, match="count must be at least 1, got 0"):
            nr.generate_batch(model, vocabulary, "a", 5, 0, **options)
        with pytest.raises(TypeError, match=r"count must be an integer, got 1\.5"):
            nr.generate_batch(model, vocabulary, "a", 5, 1.5, **options)
