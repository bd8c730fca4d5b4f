"""What a RUN has in it, and what is refused: checkpoints that are inconsistent, and other texts."""

import dataclasses
import json
import os

import numpy as np
import pytest

from numpy_rnn.storage.checkpoint import read_checkpoint, write_checkpoint
from numpy_rnn.storage.files import CheckpointError
from numpy_rnn.storage.model_file import load_model
from numpy_rnn.training import run as runs
from numpy_rnn.training.loop import Training
from numpy_rnn.training.metrics import read_metrics
from numpy_rnn.training.run import open_run
from numpy_rnn.training.state import restore, state_of
from numpy_rnn.training.trainer import Trainer
from tests.storage.faulty_os import FaultyOS, fails
from tests.training.test_trainer import SMALL, TEXT, TOKENS

OPTIONS = dataclasses.replace(SMALL, steps=12, eval_every=4, hidden_size=4)  # a line of metrics for each step


def advance(trainer, run, stop_at=None):
    training = Training(trainer, run, {})
    while not training.done and trainer.step != stop_at:
        training.step()
    training.close()
    return trainer


def begin(directory, stop_at=None, options=OPTIONS):
    with open_run(directory) as run:
        return advance(Trainer(*TOKENS, options), run, stop_at)


def resume(directory, stop_at=None, **length):
    with open_run(directory, resume=True) as run:
        return advance(restore(TEXT, *run.read(), **length), run, stop_at)


def content(directory):
    """All that a RUN holds, but for what the clock says."""
    lines = read_metrics(directory)
    for line in lines:
        del line["seconds"], line["chars_per_second"]
    files = {}
    for name in ("last.npz", "best.npz"):
        arrays, header = read_checkpoint(directory / name)
        del header["training"]["seconds"], header["training"]["sums"]["seconds"]
        files[name] = {key: (array.dtype, array.tobytes()) for key, array in arrays.items()}, header
    return lines, files


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    directory = tmp_path_factory.mktemp("uninterrupted") / "run"
    begin(directory)
    return content(directory)


def test_a_run_writes_its_files(tmp_path, uninterrupted):
    begin(tmp_path / "run")
    assert sorted(os.listdir(tmp_path / "run")) == [".lock", "best.npz", "last.npz", "metrics.jsonl"]
    lines, files = uninterrupted
    assert content(tmp_path / "run") == uninterrupted
    assert [line["step"] for line in lines] == list(range(1, 13))
    assert [line["step"] for line in lines if "sample" in line] == [4, 8, 12]
    val = {line["step"]: line["val_loss"] for line in lines if "val_loss" in line}
    best = files["best.npz"][1]["training"]
    assert best["step"] == min(val, key=val.get)
    assert best["best_val_loss"] == min(val.values())
    assert files["last.npz"][1]["training"]["step"] == 12


@pytest.mark.parametrize("at", range(2, 62, 6))  # after the two operations of the lock
def test_a_disk_that_is_full_leaves_a_run_that_goes_on(tmp_path, monkeypatch, uninterrupted, at):
    begin(tmp_path / "run", 4)
    with monkeypatch.context() as patch:
        system = FaultyOS(fails(OSError(28, "No space left on device"), at, to_the_end=True))
        system.install(patch)
        with pytest.raises(CheckpointError, match="No space left on device") as caught:
            resume(tmp_path / "run", 8)
    assert len(str(caught.value).splitlines()) == 1
    resume(tmp_path / "run")
    assert content(tmp_path / "run") == uninterrupted


def test_the_model_of_a_run_is_its_best(tmp_path):
    trainer = begin(tmp_path / "run")
    arrays, header = state_of(trainer)
    model, vocabulary, _ = load_model(tmp_path / "run" / "last.npz")
    assert vocabulary == trainer.vocabulary
    np.testing.assert_array_equal(model.parameters().data, trainer.model.parameters().data)
    arrays["model.fc.bias"] = arrays["model.fc.bias"] + 1
    write_checkpoint(tmp_path / "run" / "best.npz", arrays, header)
    best, _, _ = load_model(tmp_path / "run")
    np.testing.assert_array_equal(best.state_dict()["fc.bias"], arrays["model.fc.bias"])
    os.remove(tmp_path / "run" / "best.npz")
    last, _, _ = load_model(tmp_path / "run")
    np.testing.assert_array_equal(last.parameters().data, trainer.model.parameters().data)
    os.remove(tmp_path / "run" / "last.npz")
    with pytest.raises(CheckpointError, match=r"is not a RUN: it has neither best.npz nor last.npz"):
        load_model(tmp_path / "run")


def test_the_best_is_kept_beside_the_last(tmp_path, monkeypatch):
    losses = iter([2.0, 1.0, 3.0])
    monkeypatch.setattr(Trainer, "validate", lambda trainer: next(losses))
    trainer = begin(tmp_path)
    assert trainer.best_val_loss == 1
    assert [line["best"] for line in read_metrics(tmp_path) if "best" in line] == [True, True, False]
    steps = [read_checkpoint(tmp_path / name)[1]["training"]["step"] for name in ("best.npz", "last.npz")]
    assert steps == [8, 12]


def altered(change):
    arrays, header = state_of(Trainer(*TOKENS, OPTIONS))
    arrays = {name: array.copy() for name, array in arrays.items()}
    header = json.loads(json.dumps(header))
    change(arrays, header)
    return arrays, header


def drop(name):
    return lambda arrays, header: arrays.pop(name)


def reshape(name, *shape):
    return lambda arrays, header: arrays.update({name: np.zeros(shape, np.float32)})


def say(*keys, value):
    def change(arrays, header):
        for key in keys[:-1]:
            header = header[key]
        header[keys[-1]] = value

    return change


def cast(dtype):
    def change(arrays, header):
        arrays.update({name: array.astype(dtype) for name, array in arrays.items()})

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (drop("model.embedding.weight"), "does not contain a model: embedding.weight is missing"),
        (drop("model.fc.bias"), r"do not fit together: state_dict does not fit: missing \['fc.bias'\]"),
        (drop("model.rnn.weight_ih_l1"), "do not fit together"),
        (reshape("model.fc.bias", 3), r"fc.bias has shape \(3,\)"),
        (reshape("model.embedding.weight", 9, 4), r"arrays that do not fit together: rnn.weight_ih_l0 \(4, 5\)"),
        (reshape("model.embedding.weight", 9), "does not contain a model"),
        (reshape("model.more", 2), "unexpected"),
        (cast("float64"), "its model as"),
        (cast("int32"), "dtype int32, expected all float32 or all float64"),
        (lambda arrays, header: arrays.update({"model.fc.bias": np.zeros(9)}), "dtype float32, float64"),
        (lambda arrays, header: arrays["model.fc.bias"].fill(np.nan), "not finite"),
        (say("vocabulary", value=["a"]), "the vocabulary has 1 characters, but embedding.weight has 9 rows"),
        (say("vocabulary", value=None), "not iterable"),
        (say("vocabulary", value=["a"] * 9), "must be distinct"),
        (say("prompt", value="z"), "prompt has the character 'z'"),
        (say("prompt", value=None), "must be a str"),
        (say("model", value=None), "its model as None"),
        (say("model", "hidden_size", value=10**9), "its model as"),
        (say("model", "dropout", value=7), "dropout must be in"),
        (lambda arrays, header: header["model"].pop("dropout"), "its model as"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused(tmp_path, change, words):
    path = tmp_path / "last.npz"
    write_checkpoint(path, *altered(change))
    with pytest.raises(CheckpointError, match=words) as caught:
        load_model(path)
    assert str(caught.value).startswith(repr(str(path)))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (drop("exp_avg.fc.bias"), r"exp_avg does not fit: missing \['fc.bias'\]"),
        (reshape("exp_avg_sq.fc.bias", 3), r"exp_avg_sq.fc.bias has shape \(3,\)"),
        (
            lambda arrays, header: arrays.update({"exp_avg.fc.bias": np.zeros(9)}),
            "exp_avg.fc.bias has dtype float64, expected float32",
        ),
        (say("training", "step", value=-1), "step must be at least 0"),
        (say("training", "step", value=5), "hidden"),
        (say("training", "sums", value={}), "sums does not fit"),
        (say("training", "best_val_loss", value="low"), "best_val_loss must be a number"),
        (say("training", "generator", value={}), "inconsistent"),
        (say("training", "generator", value=None), "inconsistent"),
        (say("training", "generator", "state", value={"state": "x", "inc": 1}), "inconsistent"),
        (lambda arrays, header: header["training"].pop("seconds"), "seconds"),
        (lambda arrays, header: header.pop("model"), "model"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(change, words):
    with pytest.raises(CheckpointError, match=words) as caught:
        restore(TEXT, *altered(change))
    assert len(str(caught.value).splitlines()) == 1


def test_another_text_is_refused():
    state = state_of(Trainer(*TOKENS, OPTIONS))
    with pytest.raises(ValueError, match="text has the character 'z' at position 0"):
        restore("z" + TEXT, *state)
    for text in (TEXT[:-1] + "a" * (TEXT[-1] != "a") + "b" * (TEXT[-1] == "a"), TEXT + "a", TEXT[:2]):
        with pytest.raises(ValueError, match="the text is not the one that this run was started with"):
            restore(text, *state)


def test_a_model_alone_is_not_resumed(tmp_path):
    with open_run(tmp_path) as run:
        arrays, header = state_of(Trainer(*TOKENS, OPTIONS))
        del header["training"]
        write_checkpoint(run.last, arrays, header)
        with pytest.raises(CheckpointError, match="has only a model"):
            run.read()


@pytest.mark.parametrize(("make", "words"), [(os.mkfifo, "not a regular file"), (os.mkdir, "a directory")])
def test_metrics_that_are_no_file(tmp_path, make, words):
    begin(tmp_path, 1)
    (tmp_path / "metrics.jsonl").unlink()
    make(tmp_path / "metrics.jsonl")
    with pytest.raises(CheckpointError, match=f"metrics.jsonl' is {words}"):
        resume(tmp_path)


def test_a_disk_that_is_full_when_metrics_are_written(tmp_path, monkeypatch):
    begin(tmp_path, 4)
    with monkeypatch.context() as patch:
        patch.setattr(runs, "os", FaultyOS(fails(OSError(28, "No space left on device"), 0)))
        with pytest.raises(OSError, match=r"metrics.jsonl' cannot be written: No space left on device"):
            resume(tmp_path)
    assert resume(tmp_path).step == 12
