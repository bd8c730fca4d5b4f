"""Generation with an LSTM or a GRU."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from tests import strategies as some
from tests.generation.test_generate import LETTERS, layers, make_prompt, next_logits, prompts, seeds
from tests.optional import torch_reference
from tests.references import make_mirror

cells = st.sampled_from(["lstm", "gru"])
sizes = {"V": some.V, "E": some.sizes, "H": some.sizes, "L": layers, "length": prompts, "extra": st.integers(0, 9)}


def make(cell, rng, V, E, H, L):
    model = nr.CharRNN(V, E, H, L, cell=cell, dropout=0.5 if L > 1 else 0, dtype=np.float64, rng=rng)
    model.parameters().data *= 4  # so that the logits differ enough
    return model, nr.Vocabulary(LETTERS[:V])


@given(cell=cells, rng=some.rngs, **sizes)
def test_generation_is_the_most_probable_character_each_time(cell, rng, V, E, H, L, length, extra):
    model, vocabulary = make(cell, rng, V, E, H, L)
    prompt = make_prompt(rng, vocabulary, length)
    text = nr.generate(model, vocabulary, prompt, length + extra)
    expected = prompt
    while len(expected) < length + extra:
        expected += vocabulary.decode([next_logits(model, vocabulary, expected).argmax()])
    assert text == expected
    assert torch_reference.generate(make_mirror(model).eval(), vocabulary, prompt, length + extra) == text


@given(cell=cells, rng=some.rngs, seed=seeds, **sizes)
def test_streams_and_batches_are_the_same_texts(cell, rng, seed, V, E, H, L, length, extra):
    model, vocabulary = make(cell, rng, V, E, H, L)
    prompt = make_prompt(rng, vocabulary, length)
    options = {"prompt": prompt, "length": length + extra, "temperature": 0.8}
    text = nr.generate(model, vocabulary, **options, rng=seed)
    streamed = list(nr.stream(model, vocabulary, **options, rng=seed))
    assert "".join(character for character, _ in streamed) == text
    for i, (character, p) in enumerate(streamed[1:], 1):
        logits = next_logits(model, vocabulary, text[:i])
        e = np.exp(logits - logits.max())
        assert p == pytest.approx((e / e.sum())[vocabulary.characters.index(character)], rel=1e-9)
    generator = np.random.default_rng(seed)
    texts = [nr.generate(model, vocabulary, **options, rng=generator) for _ in range(3)]
    assert nr.generate_batch(model, vocabulary, **options, count=3, rng=seed) == texts
