"""The command evaluate, as a person calls it."""

import csv
import json
import math
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from numpy_rnn.storage.model_file import load_model
from tests.cli.test_train_cli import SMALL, run
from tests.training.test_trainer import TEXT

OTHER = TEXT[100:150] + TEXT[:30]


@pytest.fixture
def trained(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("book.txt").write_text(TEXT)
    assert run(capsys, "train", "book.txt", "-o", "run", *SMALL, "--dtype", "float64")[0] == 0
    Path("other.txt").write_text(OTHER)
    return "run"


def expected_loss(text):
    model, vocabulary, _ = load_model("run")
    tokens = vocabulary.encode(text)[:, None]
    return model.eval().loss_and_gradients(tokens[:-1], tokens[1:])[0]


def evaluate(capsys, *arguments):
    status, out, err = run(capsys, "evaluate", "run", *arguments)
    assert (status, err) == (0, "")
    return out


def test_the_loss_of_a_file(trained, capsys):
    loss = expected_loss(OTHER)
    (found,) = map(json.loads, evaluate(capsys, "other.txt", "--json").splitlines())
    assert found == {
        "file": "other.txt",
        "loss": pytest.approx(loss, rel=1e-12),
        "bits_per_char": pytest.approx(loss / math.log(2), rel=1e-12),
        "perplexity": pytest.approx(math.exp(loss), rel=1e-12),
        "chars": len(OTHER) - 1,
        "skipped": 0,
    }
    assert evaluate(capsys, "other.txt") == (
        f"other.txt: 79 characters, loss {loss:.4f}, {loss / math.log(2):.3f} bits/char, perplexity "
        f"{math.exp(loss):.4g}\n"
    )


def test_several_files_are_evaluated_one_by_one_and_together(trained, capsys):
    book, other, both = map(json.loads, evaluate(capsys, "book.txt", "other.txt", "--json").splitlines())
    assert [line["file"] for line in (book, other, both)] == ["book.txt", "other.txt", None]
    assert book["loss"] == pytest.approx(expected_loss(TEXT), rel=1e-12)
    assert other["loss"] == pytest.approx(expected_loss(OTHER), rel=1e-12)  # its state starts anew
    assert both["chars"] == len(TEXT) - 1 + len(OTHER) - 1
    total = book["loss"] * book["chars"] + other["loss"] * other["chars"]
    assert both["loss"] == pytest.approx(total / both["chars"], rel=1e-12)
    assert evaluate(capsys, "book.txt", "other.txt").splitlines()[2].startswith("all files: 319 characters, ")


def test_each_character_has_a_line(trained, capsys):
    evaluate(capsys, "other.txt", "--per-char", "out.csv")
    with open("out.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["character", "probability", "bits", "rank"]
    assert "".join(row["character"] for row in rows) == OTHER[1:]
    bits = np.array([float(row["bits"]) for row in rows])
    np.testing.assert_allclose(-np.log2([float(row["probability"]) for row in rows]), bits, rtol=1e-12)
    assert bits.mean() * math.log(2) == pytest.approx(expected_loss(OTHER), rel=1e-12)
    assert {int(row["rank"]) for row in rows} <= set(range(1, 10))
    status, _, err = run(capsys, "evaluate", "run", "other.txt", "book.txt", "--per-char", "two.csv")
    assert (status, "--per-char is for one file, got 2" in err) == (1, True)


def test_unknown_characters_are_named_or_left_out(trained, capsys):
    Path("strange.txt").write_text("é" + OTHER[:40] + "éß" + OTHER[40:], encoding="utf-8")
    status, out, err = run(capsys, "evaluate", "run", "strange.txt", "--per-char", "out.csv")
    assert (status, out) == (1, "")
    assert err == (
        "numpy-rnn: error: 'strange.txt' has 3 of 83 characters that are not in the model's vocabulary: 'é' (2), "
        "'ß' (1); leave them out with --skip-unknown\n"
    )
    assert not os.path.exists("out.csv")
    out = evaluate(capsys, "strange.txt", "--skip-unknown")
    assert out.startswith(f"strange.txt: 79 characters, loss {expected_loss(OTHER):.4f}, ")
    assert out.endswith("; 3 unknown characters left out\n")
    assert json.loads(evaluate(capsys, "strange.txt", "--skip-unknown", "--json"))["skipped"] == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.txt"], "cannot read 'nowhere.txt'"),
        (["one.txt"], "'one.txt' has nothing to predict: expected at least two characters"),
        (["nowhere.txt", "--per-char", "out.csv"], "error: cannot read 'nowhere.txt': No such file"),
        (["other.txt", "--per-char", "other.txt"], "--per-char 'other.txt' already exists: name another file"),
        (["nowhere.txt", "--per-char", "run/last.npz"], "--per-char 'run/last.npz' already exists"),
        (["empty"], "the folder 'empty' has no text file: it has no files"),
        (
            ["gzip"],
            "error: the folder 'gzip' has no text file: 'gzip/a.gz' looks like gzip, not text: unpack it first\n",
        ),
        (["gzip", "--encoding", "x"], "--encoding must be one that Python knows"),
        (["other.txt", "--encoding", "x"], "--encoding must be one that Python knows"),
        (["other.txt", "--per-char", "."], "--per-char names '.', expected a file, not a directory"),
    ],
)
def test_what_cannot_be_evaluated(trained, capsys, arguments, words):
    Path("one.txt").write_text("a")
    Path("empty").mkdir()
    Path("gzip").mkdir()
    Path("gzip/a.gz").write_bytes(b"\x1f\x8b")
    before = Path("run/last.npz").read_bytes()
    status, out, err = run(capsys, "evaluate", "run", *arguments)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert words in err
    assert (Path("other.txt").read_text(), Path("run/last.npz").read_bytes()) == (OTHER, before)


def test_what_is_no_text_is_left_out_of_a_folder(trained, capsys):
    Path("folder").mkdir()
    for name, data in (
        ("a.gz", b"\x1f\x8b"),
        ("b.txt", OTHER.encode()),
        ("c.txt", b""),
        ("d.txt", b"ab" * 70000 + b"\xff"),
    ):
        Path("folder", name).write_bytes(data)
    status, out, err = run(capsys, "evaluate", "run", "folder")
    assert (status, out) == (0, evaluate(capsys, "folder/b.txt"))
    assert err == (
        "numpy-rnn: left out of the folder 'folder': 'folder/a.gz' looks like gzip, not text: unpack it first; "
        "and 1 more\n"
    )
    Path("folder/e.txt").write_text("é", encoding="utf-8")  # a text, but not one that the model can read
    assert "'folder/e.txt' has 1 of 1 characters that are not in" in run(capsys, "evaluate", "run", "folder")[2]


def test_standard_input_is_called_by_its_name(trained, capsys, monkeypatch):
    with open("other.txt") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert evaluate(capsys, "-").startswith("standard input: 79 characters, ")


def test_a_run_of_bytes_reads_and_stops_at_bytes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data = "aé\r\n".encode() * 60
    Path("data.bin").write_bytes(data)
    options = ["--layers", 1, "--hidden-size", 16, "--steps", 150, "--lr", 0.02]
    assert run(capsys, "train", "--bytes", "data.bin", "-o", "run", *options)[0] == 0
    found = json.loads(evaluate(capsys, "data.bin", "--json"))
    assert found["chars"] == len(data) - 1  # \r too
    assert found["loss"] < 1  # it has learnt these bytes
    out = evaluate(capsys, "data.bin")
    assert out.startswith(f"data.bin: {len(data) - 1} bytes, ")
    assert f"{found['bits_per_char']:.3f} bits/byte, " in out
    err = run(capsys, "evaluate", "run", "data.bin", "--encoding", "utf-8")[2]
    assert "--encoding is for texts, got 'utf-8': this run reads bytes" in err
    for prompt in (["--prompt", "aé\r\na"], ["--prompt-file", "prompt.bin"]):
        Path("prompt.bin").write_bytes("aé\r\na".encode())
        out = run(capsys, "generate", "run", *prompt, "--greedy", "--stop", "é", "-n", 9, "--json")[1]
        assert json.loads(out)["completion"] == ""
    assert "--from needs --bytes" in run(capsys, "train", "data.bin", "--from", "run")[2]
