"""What `nr.train` refuses: at the call, before anything is written."""

import os
from pathlib import Path

import numpy as np
import pytest

import numpy_rnn as nr
from numpy_rnn.storage.checkpoint import read_checkpoint, write_checkpoint
from numpy_rnn.storage.files import CheckpointError
from tests.training.test_loop import OPTIONS, new_model, parts
from tests.training.test_trainer import TEXT


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def uninterrupted():
    for _ in nr.train(new_model(), TEXT, run="uninterrupted", **OPTIONS):
        pass
    return parts("uninterrupted")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"model": nr.RNN(3, 4)}, TypeError, "model must be a CharRNN, got RNN"),
        (
            {"model": nr.CharRNN(9, dtype=complex)},
            ValueError,
            "dtype must be one of 'float32', 'float64', got 'complex128'",
        ),
        (
            {"model": nr.CharRNN(65)},
            ValueError,
            r"the vocabulary has 9 characters, expected the model's 65: make the model with CharRNN\(9, ...\), or ",
        ),
        (
            {"vocabulary": nr.Vocabulary("\n abcdefgh")},
            ValueError,
            "the vocabulary has 10 characters, expected the model's 9",
        ),
        ({"vocabulary": "abcdefghi"}, TypeError, "vocabulary must be a Vocabulary, got str"),
        (
            {"vocabulary": nr.Vocabulary("abcdef123")},
            ValueError,
            "text has the characters .*'g' at position .* which are not among the 9 of the vocabulary",
        ),
        ({"text": None}, TypeError, "text must be a str, got NoneType"),
        ({"text": Path("book.txt")}, TypeError, "text must be a str, got PosixPath"),
        ({"text": ""}, ValueError, "text is empty"),
        ({"text": "a", "model": nr.CharRNN(1)}, ValueError, "text has length 1, expected at least 2"),
        ({"hidden_size": 3}, TypeError, "hidden_size is a property of the model: pass it to CharRNN"),
        (
            {"learning_rate": 3},
            TypeError,
            "train has no option 'learning_rate', expected one of seq_len, lr, ",
        ),
        ({"lr": -1}, ValueError, "lr must be a number above 0 and at most 1e30, got -1"),
        ({"steps": 3, "epochs": 2}, ValueError, "epochs and steps both set the length of the run: give one of them"),
        ({"steps": 4}, ValueError, "steps must be at least 5, got 4: the warm-up takes 4 steps"),
        ({"batch_size": 200}, ValueError, "batch_size must be at most 192"),
        ({"resume": True}, ValueError, "resume=True needs the directory of a run: pass run=..."),
        ({"resume": True, "run": "nowhere"}, ValueError, "resume=True can change only .*: leave out seq_len"),
        ({"run": "file"}, FileExistsError, "'file' is a file, expected a directory"),
        ({"run": "full"}, FileExistsError, "'full' is a directory with other files in it, such as 'mine'"),
    ],
)
def test_what_is_wrong_is_said_at_the_call(change, error, words):
    Path("file").touch()
    os.mkdir("full")
    Path("full/mine").touch()
    arguments = {"model": new_model(), "text": TEXT, **OPTIONS} | change
    before = sorted(str(path) for path in Path().rglob("*"))
    with pytest.raises(error, match=words) as raised:
        nr.train(**arguments)  # the first step is never asked for
    assert "\n" not in str(raised.value)
    assert sorted(str(path) for path in Path().rglob("*")) == before


@pytest.mark.parametrize("steps", [3, 4])
def test_a_shorter_training_than_its_warm_up(steps):
    training = nr.train(new_model(), TEXT, run="left", **OPTIONS)
    assert next(training).step == 1
    training.close()
    with pytest.raises(ValueError, match=f"steps must be at least 5, got {steps}: the warm-up takes 4 steps"):
        nr.train(new_model(), TEXT, run="left", resume=True, steps=steps)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"model": new_model(dropout=0.2)}, ValueError, "model has .*'dropout': 0.2.*expected that of the run"),
        ({"model": new_model(dtype=np.float64)}, ValueError, "model has .*'dtype': 'float64'"),
        ({"text": TEXT + "a"}, ValueError, "the text is not the one that this run was started with"),
        ({"steps": 4}, ValueError, "steps must be at least 12, got 4: the run has done 12 steps"),
        ({"steps": 11}, ValueError, "steps must be at least 12, got 11: the run has done 12 steps"),
        ({"epochs": 1}, ValueError, "epochs must be at least 2, got 1: the run has done 12 steps"),
        ({"clip": 1}, ValueError, "resume=True can change only epochs, steps, lr, .*: leave out clip"),
        ({"run": "nowhere"}, FileNotFoundError, "'nowhere' is not a RUN: it has no last.npz to resume from"),
        ({"resume": False}, FileExistsError, r"continue it with --resume uninterrupted \(in Python, resume=True\)"),
    ],
)
def test_what_cannot_be_resumed(uninterrupted, change, error, words):
    arguments = {"model": new_model(rng=0), "text": TEXT, "run": "uninterrupted", "resume": True} | change
    before = arguments["model"].parameters().data.copy()
    with pytest.raises(error, match=words):
        nr.train(**arguments)
    np.testing.assert_array_equal(arguments["model"].parameters().data, before)
    assert parts("uninterrupted") == uninterrupted


def test_a_damaged_run_leaves_the_model_as_it_was(uninterrupted):
    arrays, header = read_checkpoint("uninterrupted/last.npz")
    header["training"]["generator"] = {}
    write_checkpoint("uninterrupted/last.npz", arrays, header)
    model = new_model(rng=0)
    before = model.parameters().data.copy()
    with pytest.raises(CheckpointError, match="the checkpoint is inconsistent: "):
        nr.train(model, TEXT, run="uninterrupted", resume=True)
    np.testing.assert_array_equal(model.parameters().data, before)


def test_what_diverges_says_so():
    model = new_model()
    for progress in nr.train(model, TEXT, **OPTIONS):
        if progress.step == 5:
            model.fc.weight.data[...] = np.nan
            break
    steps = nr.train(model, TEXT, **OPTIONS)
    with pytest.raises(FloatingPointError, match=r"at step 1 the loss is nan .* diverged .* step size below 0.01"):
        next(steps)
