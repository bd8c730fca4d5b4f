"""A model with characters added to its vocabulary, against the model that it comes from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn.layers.recurrent import as_arrays
from numpy_rnn.training.fine_tuning import grown
from tests import strategies as some


@given(some.rngs, st.sampled_from(["rnn", "lstm", "gru"]), st.integers(1, 2), st.text("abcxyzé", min_size=1))
def test_the_logits_of_the_old_characters_are_those_of_the_old_model(rng, cell, L, text):
    vocabulary = nr.Vocabulary("cab")
    old = nr.CharRNN(3, 2, 4, L, cell=cell, dtype=np.float64, rng=rng)
    before = old.parameters().data.copy()
    new, characters = grown(old, vocabulary, text, rng=5)
    assert "".join(characters.characters) == "cab" + "".join(sorted(set(text) - set("abc")))
    tokens = some.tokens(rng, 3, 7, 2)
    logits, h_n = new.forward(tokens)
    expected, h_expected = old.forward(tokens)
    np.testing.assert_allclose(logits[..., :3], expected, rtol=1e-12, atol=1e-14)
    for state, expected in zip(as_arrays(h_n), as_arrays(h_expected), strict=True):
        np.testing.assert_allclose(state, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(old.parameters().data, before)
    drawn = nr.CharRNN(len(characters), 2, 4, L, cell=cell, dtype=np.float64, rng=5)  # what the seed gives
    for name in ("embedding.weight", "fc.weight", "fc.bias"):
        np.testing.assert_array_equal(new.parameters()[name].data[3:], drawn.parameters()[name].data[3:])
    new.parameters().data += 1
    np.testing.assert_array_equal(old.parameters().data, before)


@pytest.mark.parametrize("dropout", [None, 0.0, 0.5])
def test_dropout_may_change(dropout):
    old = nr.CharRNN(2, 2, 4, 2, 0.25, rng=0)
    new, _ = grown(old, nr.Vocabulary("ab"), "abc", 0, dropout)
    assert new.rnn.dropout == (0.25 if dropout is None else dropout)
    assert new.dtype == old.dtype


def test_tied_weights_grow_together():
    old = nr.CharRNN(2, 4, 4, tie_weights=True, dtype=np.float64, rng=0)
    new, characters = grown(old, nr.Vocabulary("ab"), "abc", 0)
    assert len(characters) == 3
    assert new.fc.weight is new.embedding.weight
    tokens = np.array([[0], [1], [1]])
    np.testing.assert_allclose(new.forward(tokens)[0][..., :2], old.forward(tokens)[0], rtol=1e-12)
