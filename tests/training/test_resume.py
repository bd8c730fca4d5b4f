"""A RUN that is stopped anywhere, resumed, and compared with one that was never stopped."""

import dataclasses
import os

import numpy as np
import pytest

from numpy_rnn.storage.checkpoint import read_checkpoint
from numpy_rnn.storage.files import LockError
from numpy_rnn.training.loop import Training
from numpy_rnn.training.metrics import read_metrics
from numpy_rnn.training.run import open_run
from numpy_rnn.training.trainer import Trainer
from tests.training.test_run import OPTIONS, advance, begin, content, resume
from tests.training.test_trainer import TEXT, TOKENS


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    directory = tmp_path_factory.mktemp("uninterrupted") / "run"
    begin(directory)
    return content(directory)


@pytest.mark.parametrize("at", [0, 1, 4, 6, 11])
def test_stopped_at_any_step_and_resumed(tmp_path, uninterrupted, at):
    assert begin(tmp_path / "run", at).step == at
    assert read_checkpoint(tmp_path / "run" / "last.npz")[1]["training"]["step"] == at
    assert resume(tmp_path / "run").step == 12
    assert content(tmp_path / "run") == uninterrupted


def test_stopped_again_and_again(tmp_path, uninterrupted):
    begin(tmp_path / "run", 0)
    for at in range(1, 13):
        resume(tmp_path / "run", at)
    assert content(tmp_path / "run") == uninterrupted


@pytest.mark.parametrize("at", [1, 3, 4, 5, 8, 11])
def test_killed_at_any_step_and_resumed(tmp_path, uninterrupted, at):
    trainer = Trainer(*TOKENS, OPTIONS)
    with open_run(tmp_path / "run") as run:
        training = Training(trainer, run, {})
        for _ in range(at):
            training.step()
        lost = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
        training.close()  # which saves, as a kill would not
    for name, data in lost.items():
        (tmp_path / "run" / name).write_bytes(data)
    with open(tmp_path / "run" / "metrics.jsonl", "ab") as file:
        file.write(b'{"step": 1')  # a line that was being written
    (tmp_path / "run" / ".0123456789abcdef.numpy_rnn-tmp").touch()
    assert read_checkpoint(tmp_path / "run" / "last.npz")[1]["training"]["step"] == at // 4 * 4
    resume(tmp_path / "run")
    assert content(tmp_path / "run") == uninterrupted
    assert sorted(os.listdir(tmp_path / "run")) == [".lock", "best.npz", "last.npz", "metrics.jsonl"]


def test_means_over_several_steps_survive_a_stop(tmp_path):
    options = dataclasses.replace(OPTIONS, eval_every=12, steps=12)
    assert options.plan(len(TEXT)).log_every == 2
    begin(tmp_path / "a", options=options)
    begin(tmp_path / "b", 5, options)
    resume(tmp_path / "b")
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_who_has_had_enough_has_it_saved(tmp_path, uninterrupted):
    trainer = Trainer(*TOKENS, OPTIONS)
    with open_run(tmp_path / "run") as run:
        training = Training(trainer, run, {})
        for _ in range(7):
            training.step()
        training.close()
    assert read_checkpoint(tmp_path / "run" / "last.npz")[1]["training"]["step"] == 7
    resume(tmp_path / "run")
    assert content(tmp_path / "run") == uninterrupted


def test_what_diverges_leaves_the_last_good_checkpoint(tmp_path):
    trainer = Trainer(*TOKENS, OPTIONS)
    with open_run(tmp_path / "run") as run:
        training = Training(trainer, run, {})
        for _ in range(6):
            training.step()
        trainer.model.fc.weight.data[...] = np.nan
        with pytest.raises(FloatingPointError, match="at step 7 the loss is nan"):
            training.step()
    assert read_checkpoint(tmp_path / "run" / "last.npz")[1]["training"]["step"] == 4
    assert resume(tmp_path / "run").step == 12


def test_a_longer_training_goes_on(tmp_path):
    begin(tmp_path / "run")
    trainer = resume(tmp_path / "run", steps=15)
    assert [line["step"] for line in read_metrics(tmp_path / "run")] == list(range(1, 16))
    assert trainer.optimizer.lr == trainer.plan.learning_rate(14) > 0


def test_a_second_training_is_told(tmp_path):
    trainer = Trainer(*TOKENS, OPTIONS)
    with open_run(tmp_path / "run") as run:
        advance(trainer, run, 2)
        with pytest.raises(LockError, match="in use by process"), open_run(tmp_path / "run", resume=True):
            pass
        with pytest.raises(LockError, match="in use by process"), open_run(tmp_path / "run"):
            pass


def test_a_run_is_not_written_over(tmp_path):
    begin(tmp_path / "run", 1)
    with pytest.raises(FileExistsError, match=r"already has a run: continue it with --resume"):
        begin(tmp_path / "run")
    assert resume(tmp_path / "run", 2).step == 2


def test_an_empty_directory_may_become_a_run(tmp_path):
    begin(tmp_path, 1)
    assert resume(tmp_path, 2).step == 2


def test_no_run_to_resume(tmp_path):
    for name in ("nowhere", ""):
        with pytest.raises(FileNotFoundError, match="is not a RUN"), open_run(tmp_path / name, resume=True):
            pass
    assert os.listdir(tmp_path) == []
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match="is a file, expected a directory"), open_run(tmp_path / "file"):
        pass
