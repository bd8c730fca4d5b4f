"""Options, the plan that they make for a text, and the memory that it needs."""

import dataclasses
import math
import os
import re

import pytest

from numpy_rnn.cli import main
from numpy_rnn.text.vocabulary import tokenize
from numpy_rnn.training import memory
from numpy_rnn.training.options import Options
from numpy_rnn.training.trainer import Trainer
from tests.training.test_trainer import SMALL, TEXT, TOKENS


@pytest.mark.parametrize("size", [{"hidden_size": 10**6}, {"num_layers": 1000, "hidden_size": 20000}])
def test_a_model_that_no_machine_holds_is_refused_before_it_is_made(size):
    with pytest.raises(ValueError, match=r"a model of [\d,]+ parameters, in windows .* needs [\d,.]+ GiB, but only"):
        Trainer(*tokenize("abc" * 10), Options(steps=3, **size))


@pytest.mark.parametrize("L", [1, 3])
def test_the_memory_of_a_model_is_known_before(monkeypatch, L):
    options = Options(steps=20, num_layers=L, hidden_size=7, embedding_dim=5)
    trainer = Trainer(*tokenize("abc" * 10), options)
    B, T, P = trainer.plan.batch_size, trainer.streams.length, trainer.model.parameters().data.size
    assert options.seq_len > T
    needed = 4 * (4 * P + B * T * (3 * L * 7 + 2 * 3))
    monkeypatch.setattr("numpy_rnn.training.memory._available", lambda: needed)
    Trainer(*tokenize("abc" * 10), options)
    monkeypatch.setattr("numpy_rnn.training.memory._available", lambda: needed - 1)
    with pytest.raises(ValueError, match=f"a model of {P:,} parameters"):
        Trainer(*tokenize("abc" * 10), options)


@pytest.mark.parametrize("error", [AttributeError, ValueError, OSError])
def test_a_system_that_does_not_tell_its_memory_refuses_nothing(monkeypatch, error):
    def refuse(name):
        raise error

    monkeypatch.setattr("numpy_rnn.training.memory.os.sysconf", refuse)
    assert memory._available() == math.inf
    Trainer(*TOKENS, SMALL)


def test_memory_is_counted_in_bytes():
    assert 2**26 < memory._available() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize("command", ["tutorial", "trace", "explain"])
@pytest.mark.parametrize("size", [99999999, 10**9])
def test_a_command_refuses_a_model_that_does_not_fit(command, size, capsys):
    assert main([command, "--hidden-size", str(size)]) == 1
    assert re.fullmatch(
        r"numpy-rnn: error: a model of [\d,]+ parameters, in windows of 1 x 18, needs [\d,.]+ GiB, but only "
        r"[\d.]+ GiB of memory are available: .*\n",
        capsys.readouterr().err,
    )


def test_there_are_at_most_a_thousand_layers():
    with pytest.raises(ValueError, match="num_layers must be an integer from 1 to 1000, got 1001"):
        Options(num_layers=1001)


# How much a validation reads, and how often there is a line


@pytest.mark.parametrize(
    ("options", "val_chars"),
    [
        ({"steps": 200}, 1366),  # evaluated every 10 steps of 32 x 64 characters
        ({"steps": 100}, 512),
        ({"steps": 6000}, 49 * 2048),
        ({"steps": 6000, "eval_every": 60}, 9 * 2048),
        ({"steps": 6000, "val_chars": 7}, 7),
    ],
)
def test_what_a_validation_reads_follows_from_the_sizes(options, val_chars):
    plan = Options(**options).plan(10**7)
    assert plan.val_chars == val_chars
    assert plan.options().plan(10**7) == plan


def test_there_is_a_line_of_metrics_every_250_000_characters():
    assert Options(steps=40_000, eval_every=20_000).plan(10**6).log_every == 2**18 // 2048
    assert Options(steps=40_000, eval_every=100).plan(10**6).log_every == 20
    assert Options(steps=40_000, seq_len=10**9, eval_every=20_000).plan(10**6).log_every == 1


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (19, {"batch_size": 1, "val_fraction": 0, "steps": 1000, "warmup_steps": 100, "eval_every": 50}),
        (1999, {"batch_size": 31, "val_fraction": 0, "steps": 1000, "warmup_steps": 100, "eval_every": 50}),
        (2000, {"batch_size": 29, "val_fraction": 0.05, "steps": 1000, "warmup_steps": 100, "eval_every": 50}),
        (10**6, {"batch_size": 32, "val_fraction": 0.05, "steps": 10 * 464, "warmup_steps": 100, "eval_every": 235}),
    ],
)
def test_the_defaults_fit_the_text(length, expected):
    plan = Options().plan(length)
    assert {name: getattr(plan, name) for name in expected} == expected


def test_epochs_are_counted_in_windows():
    options = dataclasses.replace(SMALL, steps=None, epochs=3)
    assert Trainer(*TOKENS, options).plan.steps == 3 * 10


@pytest.mark.parametrize(
    ("schedule", "last"),
    [("constant", 1), ("staircase", 0.3**3), ("exponential", 0.01 ** (35 / 36)), ("cosine", None)],
)
def test_the_learning_rate_follows_the_schedule(schedule, last):
    plan = dataclasses.replace(SMALL, schedule=schedule).plan(len(TEXT))
    rates = [plan.learning_rate(step) / plan.lr for step in range(40)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[39] == pytest.approx(last if last is not None else (1 + math.cos(math.pi * 35 / 36)) / 2)
    assert sorted(rates[4:], reverse=True) == rates[4:]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 5, "epochs": 1}, "give one of them"),
        ({"dropout": 0.5, "num_layers": 1}, "dropout must be 0 with one layer"),
        ({"dropout": 2}, "dropout must be a number from 0 to 1, got 2"),
        ({"schedule": "linear"}, "schedule must be one of 'constant', 'staircase'"),
        ({"dtype": "complex128"}, "dtype must be one of 'float32', 'float64', got"),
        ({"seq_len": 0}, "seq_len must be an integer from 1 to 10"),
        ({"lr": math.nan}, "lr must be a number above 0 and at most 1e30, got nan"),
        ({"warmup_steps": 40}, "steps must be at least 41, got 40: the warm-up takes 40 steps"),
        (
            {"warmup_steps": 30, "steps": None, "epochs": 3},
            "epochs must be at least 4, got 3: the warm-up",
        ),
        ({"batch_size": 193}, "batch_size must be at most 192"),
        (
            {"val_fraction": 0.001},
            "val_fraction must be 0 or leave at least 2 of the 241 characters",
        ),
    ],
)
def test_options_that_cannot_be(changes, words):
    with pytest.raises(ValueError, match=words):
        Trainer(*TOKENS, dataclasses.replace(SMALL, **changes))


@pytest.mark.parametrize("name", ["epochs", "hidden_size", "seed", "lr", "dropout"])
def test_true_is_not_a_number(name):
    with pytest.raises(TypeError, match=f"^{name} must be .*, got True$"):
        Options(**{name: True})
