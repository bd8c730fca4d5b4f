"""`numpy-rnn train --threads`: when there is a trial, what is saved, and how it gives way to others."""

from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from numpy_rnn.cli import main
from numpy_rnn.cli import threads as module
from numpy_rnn.storage.checkpoint import read_checkpoint
from numpy_rnn.text.vocabulary import tokenize
from numpy_rnn.training.options import Options
from numpy_rnn.training.trainer import Trainer
from tests.cli.test_train_cli import SMALL
from tests.training.test_trainer import SMALL as OPTIONS
from tests.training.test_trainer import TEXT, digest

AUTO = Namespace(threads="auto", variables_set=True)


@pytest.fixture
def used(monkeypatch):
    """Record the numbers of threads, instead of using them."""
    numbers = []
    monkeypatch.setattr(module, "threads", numbers.append)
    monkeypatch.setattr(module, "fastest", lambda work: (work(), (2, "1.50 x as fast as 1"))[1])
    return numbers


def trainer(**options):
    return Trainer(*tokenize(TEXT), Options(**{"seq_len": 7, "steps": 40, "num_layers": 1, **options}))


def test_a_small_model_has_no_trial(used):
    chosen = module.Threads(trainer(hidden_size=128, batch_size=32), AUTO)
    assert (chosen.count, chosen.words, used) == (1, "1 thread (the model is too small to gain from more)", [])


def test_a_large_model_has_one(used):
    chosen = module.Threads(trainer(hidden_size=256, batch_size=32), AUTO)
    assert (chosen.count, chosen.words, used) == (2, "2 threads (1.50 x as fast as 1)", [2])


def test_a_trial_does_not_change_the_training(used, monkeypatch):
    monkeypatch.setattr(module, "LEAST", 0)
    with_trial, without = Trainer(*tokenize(TEXT), OPTIONS), Trainer(*tokenize(TEXT), OPTIONS)
    drawn = []
    monkeypatch.setattr(module, "fastest", lambda work: (drawn.append(work()), (1, ""))[1])
    module.Threads(with_trial, AUTO)
    assert drawn[0][0] > 0  # a loss, of a model with dropout
    for one in (with_trial, without):
        for _ in range(3):
            one.train_step()
    assert digest(with_trial) == digest(without)


@pytest.mark.parametrize(
    ("arguments", "saved", "count", "set_to", "words"),
    [
        (AUTO, 2, 2, [2], "2 threads (as before)"),
        (AUTO, 1, 1, [], "1 thread (as before)"),
        (AUTO, "many", 2, [2], "2 threads (1.50 x as fast as 1)"),  # a foreign header
        (Namespace(threads=3, variables_set=True), 2, 3, [], ""),  # set by the variables
        (Namespace(threads="auto", variables_set=False), 2, None, [], ""),  # the user's variables
    ],
)
def test_a_resumed_run_uses_as_many_as_before(used, arguments, saved, count, set_to, words):
    chosen = module.Threads(trainer(hidden_size=256, batch_size=32), arguments, saved)
    assert (chosen.count, used, chosen.words) == (count, set_to, words)


def test_without_threadpoolctl_there_is_one(used, monkeypatch):
    def missing(*arguments):
        raise ModuleNotFoundError

    monkeypatch.setattr(module, "fastest", missing)
    monkeypatch.setattr(module, "threads", missing)
    for saved in (None, 2):
        chosen = module.Threads(trainer(hidden_size=256, batch_size=32), AUTO, saved)
        assert chosen.count == 1
        assert chosen.words == "1 thread (give --threads 2 for more, or pip install threadpoolctl)"


def test_several_that_become_slow_give_way(used):
    one = trainer(hidden_size=256, batch_size=32)
    chosen, said = module.Threads(one, AUTO), []
    for seconds in [9.0] + [1.0] * 200 + [3.0] * 4 + [1.0] * 40 + [3.0] * 60:  # the first step is slow; a short wait
        one.seconds += seconds
        said.append(chosen.give_way())
    (line,) = filter(None, said)
    assert line == "1 thread from here on (2 have become 2 x slower: another program uses the cores)"
    assert said.index(line) > 245
    assert (chosen.count, used) == (1, [2, 1])


def test_the_number_is_saved_and_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("book.txt").write_text(TEXT)
    monkeypatch.setattr("numpy_rnn.blas.set_variables", lambda argv: True)
    assert main(["train", "book.txt", "-o", "run", *SMALL]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("1 thread (")
    assert read_checkpoint("run/last.npz")[1]["threads"] == 1
    assert main(["train", "--resume", "run", "--steps", "13"]) == 0
    assert "\n1 thread (as before)\n" in capsys.readouterr().out
    assert main(["train", "--resume", "run", "--steps", "14", "--threads", "3"]) == 0
    assert read_checkpoint("run/last.npz")[1]["threads"] == 3
    assert np.isfinite(read_checkpoint("run/last.npz")[0]["exp_avg.fc.bias"]).all()
