"""Runs of train --lines, from a file of names to new names."""

import json
import math
from pathlib import Path

import pytest

from numpy_rnn.storage.model_file import load_model
from tests.cli.test_train_cli import run
from tests.training.test_lines import NAMES, TEXT, alone

OPTIONS = "--lines --hidden-size 8 --embedding-dim 5 --layers 1 --steps 40 --lr 0.02 --val-fraction 0.2"
SMALL = OPTIONS.split()


@pytest.fixture
def trained(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text(TEXT)
    status, out, err = run(capsys, "train", "names.txt", "-o", "run", *SMALL, "--dtype", "float64")
    assert (status, err) == (0, "")
    assert out.startswith("40 lines, 10 for validation, 6 distinct characters; ")
    assert "; 40 steps of 32 lines, 2 per epoch; RUN run\n" in out
    return "run"


def test_lines_are_what_such_a_run_generates(trained, capsys):
    def lines(*options):
        status, out, err = run(capsys, "generate", trained, *options)
        assert (status, err, out[-1]) == (0, "", "\n")
        return out[:-1].split("\n")

    assert len(lines()) == 20
    assert len(lines("-n", 7)) == 7
    assert len(lines("--lines", "-n", 300)) == 300
    assert lines("--seed", 1, "-n", 9)[:3] == lines("--seed", 1, "-n", 3)
    assert all(line.startswith("ba") for line in lines("--prompt", "ba"))
    assert len(lines("--greedy")) == 1
    assert not any("c" in line for line in lines("--stop", "c", "-n", 50))
    samples = [json.loads(line) for line in lines("--json", "-n", 5, "--seed", 1, "--prompt", "ba")]
    assert [sample["text"] for sample in samples] == lines("-n", 5, "--seed", 1, "--prompt", "ba")
    assert all(sample["text"] == "ba" + sample["completion"] for sample in samples)
    whole = "\n".join(lines("--no-lines", "-n", 200))
    assert len(whole) == 201  # one text, from a newline


def test_lines_end_at_twice_the_longest(trained, capsys):
    path = Path("run/best.npz")
    model, vocabulary, header = load_model(path)
    from numpy_rnn.storage.checkpoint import write_checkpoint
    from numpy_rnn.storage.model_file import named

    model.fc.bias.data[vocabulary.encode("\n")] = -1e9  # never ends a line
    write_checkpoint(path, named("model", model.state_dict()), header)
    out = run(capsys, "generate", trained, "-n", 3, "--json")[1]
    samples = [json.loads(line) for line in out.splitlines()]
    longest = max(map(len, NAMES)) + 1
    assert [(len(sample["text"]), sample["end"]) for sample in samples] == [(2 * longest, "length")] * 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--samples", "3"], "--samples is for texts: -n is the number of lines"),
        (["--greedy", "-n", "3"], "-n would all be the same with --greedy"),
        (["--prompt", "a\nb"], "--prompt has a newline, expected the beginning of one line"),
        (["--color"], "--color shades one text"),
    ],
)
def test_what_cannot_be_generated_as_lines(trained, capsys, options, words):
    status, _, err = run(capsys, "generate", trained, *options)
    assert (status, words in err) == (1, True)


def test_any_model_that_knows_the_newline_writes_lines(trained, capsys):
    Path("book.txt").write_text("abc\nde\n" * 50)
    run(capsys, "train", "book.txt", "-o", "book-run", "--hidden-size", 8, "--steps", 3)
    assert run(capsys, "generate", "book-run", "--lines", "-n", 4)[1].count("\n") == 4
    Path("line.txt").write_text("abcde" * 50)
    run(capsys, "train", "line.txt", "-o", "line-run", "--hidden-size", 8, "--steps", 3)
    assert "--lines needs a model that knows the newline" in run(capsys, "generate", "line-run", "--lines")[2]


def test_a_run_of_lines_is_evaluated_and_fine_tuned_by_lines(trained, capsys):
    Path("other.txt").write_text("abba\n\ncab\nee")
    found = json.loads(run(capsys, "evaluate", trained, "other.txt", "--json", "--per-char", "out.csv")[1])
    model, vocabulary, _ = load_model(trained)
    losses, counts, _ = zip(*(alone(model.eval(), vocabulary, line) for line in ("abba", "cab", "ee")), strict=True)
    assert found["chars"] == sum(counts) == 12
    assert found["loss"] == pytest.approx(sum(losses) / 12, rel=1e-12)
    assert found["bits_per_char"] == pytest.approx(found["loss"] / math.log(2))
    assert "nothing to predict: expected at least one line" in run(capsys, "evaluate", trained, "/dev/null")[2]
    Path("new.txt").write_text("zoe\n" * 30)
    out = run(capsys, "train", "new.txt", "--from", trained, "--steps", 2)[1]
    assert out.startswith("30 lines, 8 distinct characters; ")
    assert "\nfrom run: 2 new characters\n" in out


def test_an_exported_run_still_writes_lines(trained, capsys):
    pytest.importorskip("safetensors")
    assert run(capsys, "export", trained, "model.safetensors")[0] == 0
    assert run(capsys, "import", "model.safetensors", "-o", "imported")[0] == 0
    assert run(capsys, "generate", "imported", "--seed", 1) == run(capsys, "generate", trained, "--seed", 1)


def test_seq_len_does_nothing(trained, capsys):
    words = "--seq-len does nothing with lines, which are read whole, got 9"
    assert words in run(capsys, "train", "names.txt", *SMALL, "--seq-len", 9)[2]
    assert "--resume can change only" in run(capsys, "train", "--resume", trained, "--lines")[2]
