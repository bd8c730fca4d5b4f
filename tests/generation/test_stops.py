"""Stop texts, against a search in the text that the model writes without them."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn.generation.sampling import draw
from numpy_rnn.generation.stops import Stops
from tests import strategies as some
from tests.generation.test_generate import make

AB = nr.Vocabulary("ab")
stop_lists = st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3)


def cut(text, stops):
    """The text before the stop that is complete first, the longest of several."""
    for end in range(len(text) + 1):
        complete = [stop for stop in stops if text[:end].endswith(stop)]
        if complete:
            return text[: end - max(map(len, complete))]
    return text


@given(st.text("ab", max_size=20), stop_lists)
@example("aabaab", ["aab"])
@example("bab", ["ab", "b"])
@example("aaab", ["aab", "aaaa"])
def test_a_text_is_cut_before_its_first_stop(text, stops):
    assert Stops(stops, AB).before(text) == cut(text, stops)


@given(st.text("ab", max_size=12), stop_lists)
def test_only_what_may_become_a_stop_is_held_back(text, stops):
    """What has come out when the character after `text` is asked for."""
    out = []

    def characters():
        yield from ((character, None) for character in text)
        raise EOFError

    with contextlib.suppress(EOFError):
        for character, _ in Stops(stops, AB).until(characters()):
            out.append(character)
    expected = cut(text, stops)
    if expected == text:
        held = [n for n in range(1, len(text) + 1) for stop in stops if stop[:-1].startswith(text[-n:])]
        expected = text[: len(text) - max(held, default=0)]
    assert "".join(out) == expected


@given(rng=some.rngs, L=st.integers(1, 2), seed=st.integers(0, 99), stops=stop_lists, count=st.integers(1, 4))
def test_generating_stops_where_the_new_text_has_the_stop(rng, L, seed, stops, count):
    model, vocabulary = make(rng, 3, 4, 5, L)
    prompt = "ba" + stops[0]  # a stop in the prompt is no stop, nor one that begins in it
    for options in ({}, {"temperature": 2.0, "rng": seed}):
        whole = nr.generate(model, vocabulary, prompt, len(prompt) + 30, **options)
        expected = prompt + cut(whole[len(prompt) :], stops)
        assert nr.generate(model, vocabulary, prompt, len(whole), stop=stops, **options) == expected
        pairs = list(nr.stream(model, vocabulary, prompt, len(whole), stop=stops, **options))
        assert "".join(character for character, _ in pairs) == expected
        unstopped = list(nr.stream(model, vocabulary, prompt, len(whole), **options))
        assert [p for _, p in pairs[1:]] == [p for _, p in unstopped[1 : len(pairs)]]
        samples = nr.generate_batch(model, vocabulary, prompt, len(whole), count, **options)
        assert nr.generate_batch(model, vocabulary, prompt, len(whole), count, stop=stops, **options) == [
            prompt + cut(sample[len(prompt) :], stops) for sample in samples
        ]
    assert nr.generate(model, vocabulary, prompt, 40, stop=stops[0]) == nr.generate(
        model, vocabulary, prompt, 40, stop=stops[:1]
    )


def test_nothing_is_computed_after_the_stop(monkeypatch):
    model, vocabulary = make(0, 2, 3, 3, 1)
    model.fc.bias.data[:] = [0, 100]  # it writes b for ever
    assert nr.generate(model, vocabulary, "ab", 10**12, stop="bbb") == "ab"
    assert nr.generate(model, vocabulary, "ab", 10**12, stop="bbb", temperature=1) == "ab"
    steps = []
    monkeypatch.setattr("numpy_rnn.generation.generate.draw", lambda p, u: steps.append(1) or draw(p, u))
    assert nr.generate_batch(model, vocabulary, "ab", 10**5, 3, stop="bbb", temperature=1) == ["ab"] * 3
    assert len(steps) == 3


def test_a_stop_that_can_never_come_is_an_error():
    model, vocabulary = make(0, 2, 3, 3, 1)
    for call in (nr.generate, nr.stream, lambda *a, **k: nr.generate_batch(*a, 2, **k)):
        with pytest.raises(ValueError, match="stop has the character 'z' at position 1, which is not among the 2"):
            call(model, vocabulary, "a", 5, stop=["b", "az"])
        with pytest.raises(ValueError, match="stop must have at least one character, got ''"):
            call(model, vocabulary, "a", 5, stop="")
        with pytest.raises(TypeError, match="stop must be a str, got int"):
            call(model, vocabulary, "a", 5, stop=[1])
        with pytest.raises(TypeError, match="stop must be a str or several of them, got int"):
            call(model, vocabulary, "a", 5, stop=1)


def test_stops_may_come_from_an_iterator():
    model, vocabulary = make(0, 2, 3, 3, 1)
    model.fc.bias.data[:] = [0, 100]
    for options in ({}, {"temperature": 1}):
        assert nr.generate(model, vocabulary, "ab", 40, stop=iter(["bb"]), **options) == "ab"
        assert nr.generate_batch(model, vocabulary, "ab", 40, 2, stop=iter(["bb"]), **options) == ["ab"] * 2
        pairs = nr.stream(model, vocabulary, "ab", 40, stop=iter(["bb"]), **options)
        assert "".join(character for character, _ in pairs) == "ab"
    assert nr.generate(model, vocabulary, "a", 5, stop=None) == nr.generate(model, vocabulary, "a", 5, stop=[])
