"""An evaluation that is stopped is repeated by the resumed run, and a run that is worse than guessing says so."""

import dataclasses
import math
from pathlib import Path

import pytest

import numpy_rnn as nr
from numpy_rnn.training.loop import Paused, Training
from numpy_rnn.training.metrics import read_metrics
from numpy_rnn.training.run import open_run
from numpy_rnn.training.state import restore
from numpy_rnn.training.trainer import Trainer
from tests.training.test_run import OPTIONS, begin, content, resume
from tests.training.test_trainer import TEXT, TOKENS

SPARSE = dataclasses.replace(OPTIONS, steps=11)  # the last step is no multiple of eval_every


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    directory = tmp_path_factory.mktemp("uninterrupted") / "run"
    begin(directory, options=SPARSE)
    return content(directory)


def advance_until_paused(trainer, directory, at, resuming=False):
    """Train until `pause` has been called `at` times; return what it was told at the end."""
    told = []

    def pause(doing):
        told.append(doing)
        if len(told) == at:
            raise Paused

    trainer.pause = pause
    with open_run(directory, resuming) as run:
        if resuming:
            trainer = restore(TEXT, *run.read())
            trainer.pause = pause
        training = Training(trainer, run, {})
        while len(told) < at:
            training.step()
        assert not training.done
        training.close()
    return told[-1]


@pytest.mark.parametrize(
    ("at", "doing"),
    [
        (1, "validation: 0 characters read"),
        (2, "validation: 0 characters read"),  # it first reads a window
        (3, "sample: 0 characters written"),
        (9, "sample: 6 characters written"),
        (500, "sample: "),  # of the last evaluation
    ],
)
def test_an_evaluation_that_is_paused_is_repeated(tmp_path, uninterrupted, at, doing):
    assert advance_until_paused(Trainer(*TOKENS, SPARSE), tmp_path / "run", at).startswith(doing)
    assert read_metrics(tmp_path / "run")[-1]["step"] == (3 if at < 500 else 10)
    assert resume(tmp_path / "run").step == 11
    assert content(tmp_path / "run") == uninterrupted


def test_it_may_be_paused_again_and_again(tmp_path, uninterrupted):
    advance_until_paused(Trainer(*TOKENS, SPARSE), tmp_path / "run", 2)
    for at in (1, 5, 300, 100):
        advance_until_paused(Trainer(*TOKENS, SPARSE), tmp_path / "run", at, resuming=True)
    resume(tmp_path / "run")
    assert content(tmp_path / "run") == uninterrupted


# Worse than guessing


def diverged(monkeypatch, val_loss, loss=1.0):
    monkeypatch.setattr(Trainer, "validate", lambda trainer: val_loss.pop(0))
    real = Trainer.metrics
    monkeypatch.setattr(Trainer, "metrics", lambda trainer, *a: real(trainer, *a) | {"loss": loss})
    return nr.train(nr.CharRNN(9, 5, 8, rng=0), TEXT, steps=6, eval_every=3, val_fraction=0.2, lr=0.5)


GUESS = math.log(9)


@pytest.mark.parametrize(
    ("val_losses", "loss", "words"),
    [
        (
            [1.0, 9.0],
            7.5,
            r"its loss is 7.5 nats .* costs 2.197; .* below 0.5; best.npz, with a validation loss of 1.0",
        ),
        ([9.0, 8.0], 7.5, r"its loss is 7.5 nats per character, and guessing among 9 .* below 0.5$"),
        ([9.0, 8.0], 1.0, r"its best validation loss is 8 nats per character"),
        ([9.0, 8.0], GUESS + 0.501, r"its loss is 2.698 nats"),
    ],
)
def test_a_run_that_is_worse_than_guessing_warns(monkeypatch, val_losses, loss, words):
    training = diverged(monkeypatch, val_losses, loss)
    with pytest.warns(RuntimeWarning, match=f"the model is worse than guessing: {words}"):
        list(training)


@pytest.mark.parametrize(("val_losses", "loss"), [([1.0, 9.0], 1.0), ([GUESS + 0.4, 9.0], GUESS + 0.4)])
def test_a_run_that_is_not_does_not(monkeypatch, val_losses, loss):
    assert len(list(diverged(monkeypatch, val_losses, loss))) == 6


def test_the_command_ends_with_an_error(tmp_path, monkeypatch, capsys):
    from numpy_rnn.cli import main

    monkeypatch.chdir(tmp_path)
    Path("book.txt").write_text(TEXT * 20)
    sizes = "--steps 100 --layers 2 --hidden-size 32 --seq-len 16 --dropout 0.5 --lr 10 --warmup-steps 0 --seed 1"
    assert main(["train", "book.txt", "-o", "run", *sizes.split()]) == 1
    out, err = capsys.readouterr()
    assert err.startswith("numpy-rnn: error: the model is worse than guessing: its loss is ")
    assert err.count("\n") == 1
    assert "done" not in out
    assert "the best so far" not in out
    assert "worse than guessing (3.170 bits/char)" in out
    assert main(["generate", "run", "-n", "3"]) == 0
    assert main(["tutorial", "--lr", "30", "--epochs", "30"]) == 1
    assert "worse than guessing" in capsys.readouterr().err
