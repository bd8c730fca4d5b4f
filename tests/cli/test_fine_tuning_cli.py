"""The command train with --from, and what --resume may change."""

import math
from pathlib import Path

import pytest

import numpy_rnn as nr
from numpy_rnn.storage.model_file import load_model
from numpy_rnn.training.metrics import read_metrics
from tests.cli.test_train_cli import SMALL, run
from tests.training.test_run import content


def test_resumed_with_another_step_size_and_other_evaluations(trained, capsys):
    changes = ["--lr", 0.02, "--eval-every", 3, "--epochs", 2, "--patience", 9]
    status, out, err = run(capsys, "train", "--resume", trained, *changes)
    assert (status, err) == (0, "")
    assert (
        "\nresumed after step 12\nthe schedule now runs over 20 steps instead of 12\n"
        "--lr is now 0.02 instead of 0.01\n--patience is now 9\n--eval-every is now 3 instead of 4\nstep 13/20 "
    ) in out
    lines = [line for line in read_metrics(trained) if line["step"] > 12]
    assert [line["step"] for line in lines if "sample" in line] == [15, 18, 20]
    assert lines[0]["lr"] == nr.schedules.cosine(12, lr=0.02, total_steps=20, warmup_steps=4)
    options = load_model(f"{trained}/last.npz")[2]["training"]["options"]
    assert (options["lr"], options["eval_every"], options["steps"], options["patience"]) == (0.02, 3, 20, 9)
    assert (
        "--epochs must be at least 2, got 1: the run has done 20 steps"
        in run(capsys, "train", "--resume", trained, "--epochs", 1)[2]
    )


def test_training_stops_when_validation_does_not_improve(book, capsys):
    many = ["train", book, "-o", "run", *SMALL, "--steps", 80, "--eval-every", 4, "--lr", 0.05, "--clip", 9]
    assert run(capsys, *many, "--patience", 3)[0] == 0
    assert run(capsys, *("through" if word == "run" else word for word in many))[0] == 0
    losses = [line["val_loss"] for line in read_metrics("run") if "val_loss" in line]
    through = [line["val_loss"] for line in read_metrics("through") if "val_loss" in line]
    best = [loss < min(through[:i], default=math.inf) for i, loss in enumerate(through)]
    end = next(i for i in range(3, len(best)) if not any(best[i - 2 : i + 1])) + 1
    assert losses == through[:end]
    assert end < len(through)  # or this shows nothing
    out = run(capsys, "train", "--resume", "run")[1]
    assert "stopped: 3 validations without a loss below the best, " in out
    assert "to continue: numpy-rnn train --resume run --patience 6\ndone" in out
    assert run(capsys, "train", "--resume", "run", "--patience", 10**6)[0] == 0
    a, b = (content(Path(name)) for name in ("run", "through"))
    for _, header in (*a[1].values(), *b[1].values()):
        del header["training"]["options"]["patience"]
    assert (a[0], a[1]["last.npz"]) == (b[0], b[1]["last.npz"])


def test_fine_tuning_on_another_text(trained, capsys):
    before = {path.name: path.read_bytes() for path in Path(trained).iterdir()}
    Path("new.txt").write_text("aéb ßcd\n" * 30, encoding="utf-8")
    status, out, err = run(
        capsys, "train", "new.txt", "--from", trained, "--lr", 0.005, "--steps", 6, "--eval-every", 3, "--seed", 8
    )
    assert (status, err) == (0, "")
    assert "RUN new-run\nfrom run: 2 new characters\nstep " in out
    assert {path.name: path.read_bytes() for path in Path(trained).iterdir()} == before
    model, vocabulary, header = load_model("new-run")
    assert "".join(vocabulary.characters) == "\n abcdefgßé"
    assert (model.hidden_size, model.rnn.num_layers, model.rnn.dropout) == (8, 2, 0.3)
    assert header["training"]["options"]["lr"] == 0.005
    assert read_metrics("new-run")[-1]["step"] == 6
    assert run(capsys, "train", "--resume", "new-run", "--steps", 8)[0] == 0
    assert (
        "\nfrom new-run: 0 new characters\n"
        in run(capsys, "train", "new.txt", "--from", "new-run", "--steps", 2, "--dropout", 0)[1]
    )
    assert load_model("new-run-2")[0].rnn.dropout == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["book.txt", "--hidden-size", "9"], "--from keeps the model as it is: leave out --hidden-size"),
        (["book.txt", "--cell", "gru"], "--from keeps the model as it is: leave out --cell"),
        ([], "train needs a text: name a FILE"),
        (["--resume", "run"], "--from starts a new run and --resume continues one: leave out one of them"),
        (["book.txt", "-o", "run"], "'run' already has a run"),
        (["book.txt", "--bytes"], "--from needs no --bytes, as in the old run"),
        (["book.txt", "--patience", "3", "--val-fraction", "0"], "--patience needs a validation fraction above 0"),
    ],
)
def test_what_cannot_be_fine_tuned(trained, capsys, options, words):
    status, _, err = run(capsys, "train", "--from", trained, *options)
    assert (status, err.count("\n")) == (1, 1)
    assert words in err
