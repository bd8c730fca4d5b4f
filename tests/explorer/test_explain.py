"""Stages of training, limits on the size of the page, and the command `numpy-rnn explain`."""

import numpy as np
import pytest
from hypothesis import given

import numpy_rnn as nr
from numpy_rnn import explorer
from numpy_rnn.cli import main
from numpy_rnn.cli.arguments import TUTORIAL_TEXT
from numpy_rnn.explorer import page_arrays, train_snapshots
from numpy_rnn.storage.model_file import load_model
from numpy_rnn.training.tutorial import train_epochs
from tests import strategies as some
from tests.explorer.test_explorer import Page, small


def test_snapshots_are_stages_of_one_training_run():
    vocabulary = nr.Vocabulary.from_text(TUTORIAL_TEXT)
    model = nr.CharRNN(len(vocabulary), 4, 4, rng=0)
    snapshots = train_snapshots(
        nr.CharRNN(len(vocabulary), 4, 4, rng=0), vocabulary, TUTORIAL_TEXT, epochs=23, lr=0.02
    )
    assert list(snapshots) == [0, 1, 2, 5, 10, 20, 23]
    states = [model.state_dict()]
    training = train_epochs(model, vocabulary, TUTORIAL_TEXT, epochs=23, lr=0.02)
    states += [model.state_dict() for _ in training]
    for epoch, snapshot in snapshots.items():
        for name, value in snapshot.state_dict().items():
            np.testing.assert_array_equal(value, states[epoch][name])


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        (1, [0, 1]),
        (7, [0, 1, 2, 5, 7]),
        (100, [0, 1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]),
        (300, [0, 1, 2, 5, 10, 30, 60, 90, 120, 150, 180, 210, 240, 270, 300]),
    ],
)
def test_which_epochs_the_slider_has(epochs, expected):
    vocabulary = nr.Vocabulary.from_text("ab")
    assert list(train_snapshots(nr.CharRNN(2, 2, 2, rng=0), vocabulary, "ab", epochs=epochs)) == expected


def test_wrong_models_are_named():
    models, vocabulary, text = small()
    for wrong in ({}, {3: models[3], 0: models[0]}):
        with pytest.raises(ValueError, match="models must map epochs in ascending order to models, got epochs"):
            nr.explain(wrong, vocabulary, text)
    for wrong in ([models[0]], None, {0: 3}):
        with pytest.raises(TypeError, match="models must be a CharRNN or a mapping of epochs to CharRNN, got"):
            nr.explain(wrong, vocabulary, text)
    with pytest.raises(ValueError, match=r"models must map epochs .* got epochs \['a', 'b'\]"):
        nr.explain({"a": models[0], "b": models[3]}, vocabulary, text)
    with pytest.raises(ValueError, match=r"models\[3\] has vocab_size=5, expected the vocabulary's 13"):
        nr.explain({0: models[0], 3: nr.CharRNN(5)}, vocabulary, text)
    with pytest.raises(ValueError, match=r"models\[3\] has other sizes than models\[0\]"):
        nr.explain({0: models[0], 3: nr.CharRNN(13, 3, 5)}, vocabulary, text)
    with pytest.raises(ValueError, match="text has length 1"):
        nr.explain(models, vocabulary, "H")


@given(T=some.T, V=some.V, E=some.sizes, H=some.sizes)
def test_the_size_of_a_page_is_known_in_advance(T, V, E, H):
    model, zeros = nr.CharRNN(V, E, H, rng=0), np.zeros((T, 1), int)
    arrays = page_arrays(nr.trace(model, zeros, zeros))
    P = model.parameters().data.size
    assert explorer._count(T, E, H, V, P) == sum(array.size for array in arrays.values())


def test_a_page_that_is_too_large_is_refused_before_the_training(monkeypatch):
    def never(*_, **__):
        raise AssertionError

    monkeypatch.setattr(explorer, "train_epochs", never)
    monkeypatch.setattr(explorer, "MAX_BYTES", 1_000_000)
    vocabulary = nr.Vocabulary.from_text("ab")
    with pytest.raises(ValueError, match=r"a page of 399 steps, \d+ parameters and 14 stages .* at most 1: "):
        train_snapshots(nr.CharRNN(2, 1, 1, rng=0), vocabulary, "ab" * 200, epochs=100)


def test_a_page_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(explorer, "MAX_BYTES", 100_000)
    with pytest.raises(
        ValueError, match=r"a page of 18 steps, \d+ parameters and 9 stages of training would have 0 MB, .* reduce"
    ):
        nr.explain(*small(epochs=range(9)))


def test_the_command_writes_the_tutorials_page(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["explain"]) == 0
    out = capsys.readouterr().out
    page = (tmp_path / "explorer.html").read_bytes()
    assert len(page) < 3_000_000
    assert out == f"explorer.html: {len(page) / 1e6:.1f} MB, to be opened in a browser\n"
    data = Page(page.decode()).data
    assert data["sizes"] == {"T": 18, "E": 32, "H": 32, "V": 13}
    assert data["epochs"] == [0, 1, 2, 5, *range(10, 101, 10)]
    # The loss after update 10 is what the tutorial prints for epoch 11, before its update.
    main(["tutorial", "--epochs", "11"])
    assert f"Epoch [11/11], Loss: {data['losses'][4]:.4f}\n" in capsys.readouterr().out


def test_a_single_model_has_no_epochs():
    models, vocabulary, text = small()
    alone, staged = (Page(nr.explain(given, vocabulary, text)).data for given in (models[3], {3: models[3]}))
    assert (alone.pop("epochs"), staged.pop("epochs")) == ([], [3])
    assert alone == staged


def run_of_a_training(tmp_path, *argv):
    (tmp_path / "text.txt").write_text("a small text to learn, a text to learn")
    argv = ["--steps", "3", "--hidden-size", "5", "--embedding-dim", "4", *argv]
    assert main(["train", str(tmp_path / "text.txt"), "-o", str(tmp_path / "run"), *argv]) == 0
    return str(tmp_path / "run")


def test_the_command_takes_a_trained_model(tmp_path):
    run, file = run_of_a_training(tmp_path, "--layers", "1"), tmp_path / "page.html"
    model, vocabulary, _ = load_model(run)
    assert main(["explain", "a text", "--run", run, "-o", str(file)]) == 0
    assert file.read_text() == nr.explain(model, vocabulary, "a text")
    assert Page(file.read_text()).data["sizes"] == {"T": 5, "E": 4, "H": 5, "V": len(vocabulary)}


@pytest.mark.parametrize(
    ("layers", "argv", "words"),
    [
        ("2", ["a text"], "run' has 2 layers, but the page can show only one: train with --layers 1"),
        (
            "1",
            ["a text", "--lr", "1", "--hidden-size", "5"],
            "--run takes a trained model: leave out --hidden-size, --lr",
        ),
        ("1", ["A text"], "text has the character 'A' at position 0, which is not among"),
        ("1", ["a"], "text has length 1, expected at least 2"),
    ],
)
def test_an_error_about_a_trained_model_is_one_line(tmp_path, capsys, layers, argv, words):
    run, file = run_of_a_training(tmp_path, "--layers", layers), tmp_path / "page.html"
    assert main(["explain", "--run", run, "-o", str(file), *argv]) == 1
    err = capsys.readouterr().err
    assert err.startswith("numpy-rnn: error: ")
    assert words in err
    assert err.count("\n") == 1
    assert not file.exists()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["a"], "text has length 1, expected at least 2"),
        (["-o", "/dev/null/page.html"], "-o names the directory '/dev/null', which does not exist"),
        (["-o", "."], "-o names '.', expected a file, not a directory"),
        (["-o", ""], "-o names '', expected a file"),
        (["-o", "/dev/full"], "-o '/dev/full' cannot be written: No space left on device"),
        (["ab" * 500], "expected at most 50: reduce the text, the hidden size or the epochs"),
    ],
)
def test_an_error_is_one_line(capsys, argv, words):
    assert main(["explain", "--epochs", "1", *argv]) == 1
    err = capsys.readouterr().err
    assert err.startswith("numpy-rnn: error: ")
    assert words in err
    assert err.count("\n") == 1
