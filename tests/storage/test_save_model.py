"""`nr.save_model`: what it writes is what `nr.load_model` returns, or nothing is written."""

import os

import numpy as np
import pytest

import numpy_rnn as nr
from numpy_rnn.storage.files import CheckpointError

VOCABULARY = nr.Vocabulary("abcdefg")


def make(**options):
    return nr.CharRNN(7, 5, 5, **({"rng": 0} | options))


@pytest.mark.parametrize(
    "options",
    [{}, {"cell": "lstm"}, {"cell": "gru", "num_layers": 2, "dropout": 0.1}, {"tie_weights": True}, {"dtype": float}],
    ids=str,
)
@pytest.mark.parametrize("as_path", [os.fspath, os.fsencode, lambda path: path])
def test_a_model_is_loaded_as_it_was_saved(tmp_path, options, as_path):
    path, model = as_path(tmp_path / "model.npz"), make(**options)
    nr.save_model(path, make(rng=1), VOCABULARY)
    nr.save_model(path, model, VOCABULARY)
    loaded, vocabulary, header = nr.load_model(path)
    assert repr(loaded) == repr(model)
    assert (loaded.tie_weights, loaded.rnn.dropout) == (model.tie_weights, model.rnn.dropout)
    assert vocabulary.characters == VOCABULARY.characters
    assert header["prompt"] == "a"
    np.testing.assert_array_equal(loaded.parameters().data, model.parameters().data)
    assert nr.generate(loaded, vocabulary, "b", 9) == nr.generate(model, VOCABULARY, "b", 9)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((make(), nr.Vocabulary("ab")), ValueError, "model cannot be saved: .* the vocabulary has 2 characters"),
        ((VOCABULARY, make()), TypeError, "model must be a CharRNN, got Vocabulary"),
        ((make(), "abcdefg"), TypeError, "vocabulary must be a Vocabulary, got str"),
        ((make(), VOCABULARY, "z"), ValueError, "model cannot be saved: .*prompt has the character 'z'"),
        (
            (make(dtype=complex), VOCABULARY),
            ValueError,
            "it has parameters of dtype complex128",
        ),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(tmp_path, arguments, error, words):
    with pytest.raises(error, match=words):
        nr.save_model(tmp_path / "model.npz", *arguments)
    assert not list(tmp_path.iterdir())


def test_a_model_that_diverged_keeps_the_earlier_file(tmp_path):
    path, model = tmp_path / "model.npz", make()
    nr.save_model(path, model, VOCABULARY)
    model.fc.bias.data[0] = np.nan
    with pytest.raises(ValueError, match="it has parameters that are not finite"):
        nr.save_model(path, model, VOCABULARY)
    nr.load_model(path)


def test_a_directory_is_not_a_file(tmp_path):
    with pytest.raises(CheckpointError, match="is a directory, expected a file"):
        nr.save_model(tmp_path, make(), VOCABULARY)
