"""What `explain` refuses, and the command `numpy-rnn explain`."""

import numpy as np
import pytest

import numpy_rnn as nr
from numpy_rnn import explorer
from numpy_rnn.cli import main
from numpy_rnn.explorer import MAX_LENGTH
from numpy_rnn.storage.model_file import load_model
from tests.explorer.test_explorer import Page, small


def test_a_wrong_argument_is_named():
    model, vocabulary, text = small()
    for wrong in ({0: model}, [model], None):
        with pytest.raises(TypeError, match="model must be a CharRNN, got "):
            nr.explain(wrong, vocabulary, text)
    with pytest.raises(ValueError, match="model has num_layers=2, expected 1"):
        nr.explain(nr.CharRNN(13, 3, 4, num_layers=2), vocabulary, text)
    with pytest.raises(ValueError, match="model has vocab_size=5, expected the vocabulary's 13"):
        nr.explain(nr.CharRNN(5), vocabulary, text)
    with pytest.raises(ValueError, match="text has length 1"):
        nr.explain(model, vocabulary, "H")
    with pytest.raises(ValueError, match="text has the character 'X' at position 0"):
        nr.explain(model, vocabulary, "Xello")
    with pytest.raises(ValueError, match="text has length 61, expected at most 60 on the page"):
        nr.explain(model, vocabulary, "H" * (MAX_LENGTH + 1))
    assert len(Page(nr.explain(model, vocabulary, "H" * MAX_LENGTH)).data["models"][0]["text"]) == MAX_LENGTH
    model.parameters()["fc.bias"].data[2] = np.nan
    with pytest.raises(ValueError, match="the model's parameters are not finite"):
        nr.explain(model, vocabulary, text)


def test_a_model_that_is_too_large_is_refused(monkeypatch):
    model, vocabulary, text = small()
    P = model.parameters().data.size
    monkeypatch.setattr(explorer, "MAX_PARAMETERS", P - 1)
    with pytest.raises(ValueError, match=f"model has {P} parameters, expected at most {P - 1} on a page"):
        nr.explain(model, vocabulary, text)


def test_the_command_writes_the_tutorials_page(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["explain"]) == 0
    page = (tmp_path / "explorer.html").read_bytes()
    assert len(page) < 300_000
    assert capsys.readouterr().out == f"explorer.html: {len(page) / 1e3:.0f} kB, to be opened in a browser\n"
    page = Page(page.decode())
    assert page.data["models"][0]["sizes"] == {"V": 13, "E": 32, "H": 32}
    assert {name: page.data[name] for name in ("lr", "epochs")} == {"lr": 0.01, "epochs": 100}
    # From the initial weights of the tutorial.
    for name, value in nr.CharRNN(13, 32, 32, rng=0).state_dict().items():
        np.testing.assert_array_equal(page.weights(0)[name], value)


def test_the_options_of_the_command(tmp_path):
    argv = ["ab ab", "--hidden-size", "4", "--lr", "0.5", "--epochs", "7", "--seed", "3", "--dtype", "float64"]
    assert main(["explain", *argv, "-o", str(tmp_path / "x.html")]) == 0
    model, vocabulary = nr.CharRNN(3, 4, 4, dtype=np.float64, rng=3), nr.Vocabulary.from_text("ab ab")
    expected = nr.explain(model, vocabulary, "ab ab", lr=0.5, epochs=7, seed=3)
    assert (tmp_path / "x.html").read_text("utf-8") == expected


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
    shown = Page(file.read_text()).data["models"][0]
    assert shown["sizes"] == {"V": len(vocabulary), "E": 4, "H": 5}
    assert shown["seed"] is None


@pytest.mark.parametrize(
    ("layers", "argv", "words"),
    [
        ("2", ["a text"], "run' has 2 layers, but the page can show only one: train with --layers 1"),
        (
            "1",
            ["a text", "--lr", "1", "--hidden-size", "5"],
            "--run takes a trained model: leave out --hidden-size, --lr",
        ),
        ("1", ["A text"], "TEXT has the character 'A' at position 0, which is not among"),
        ("1", ["a"], "TEXT has length 1, expected at least 2"),
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
        (["a"], "TEXT has length 1, expected at least 2"),
        (["-o", "/dev/null/page.html"], "-o names the directory '/dev/null', which does not exist"),
        (["-o", "."], "-o names '.', expected a file, not a directory"),
        (["-o", ""], "-o names '', expected a file"),
        (["-o", "/dev/full"], "-o '/dev/full' cannot be written: No space left on device"),
        (["ab" * 31], "text has length 62, expected at most 60 on the page"),
    ],
)
def test_an_error_is_one_line(capsys, argv, words):
    assert main(["explain", "--epochs", "1", *argv]) == 1
    err = capsys.readouterr().err
    assert err.startswith("numpy-rnn: error: ")
    assert words in err
    assert err.count("\n") == 1
