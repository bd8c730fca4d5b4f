"""Truncated backpropagation through time against the same steps by hand; saved after any step and restored."""

import dataclasses
import hashlib
import math
import os
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import numpy_rnn as nr
from numpy_rnn.cli.arguments import TUTORIAL_TEXT
from numpy_rnn.storage.checkpoint import read_checkpoint, write_checkpoint
from numpy_rnn.text.vocabulary import tokenize
from numpy_rnn.text.windows import Streams
from numpy_rnn.training.options import Options
from numpy_rnn.training.state import restore, state_of
from numpy_rnn.training.trainer import Trainer, _memory, perplexity

TEXT = "".join(np.random.default_rng(0).choice(list("abcdefg \n"), 241))
TOKENS = tokenize(TEXT)
# 193 characters to train on: 3 streams of 64, windows of 7, 7, ..., 1. 48 to validate with.
SMALL = Options(
    seq_len=7,
    batch_size=3,
    hidden_size=8,
    embedding_dim=5,
    dropout=0.3,
    lr=0.01,
    warmup_steps=4,
    clip=0.5,
    steps=40,
    val_fraction=0.2,
    eval_every=5,
    seed=3,
)


def digest(trainer):
    """Everything that the next steps depend on, and the means that the next line of metrics is made of."""
    arrays, header = state_of(trainer)
    sums = {name: value for name, value in header["training"]["sums"].items() if name != "seconds"}
    rest = (header["training"]["step"], header["training"]["generator"], sums, header["vocabulary"], header["model"])
    content = [(name, array.dtype.str, array.shape, array.tobytes()) for name, array in sorted(arrays.items())]
    return hashlib.sha256(repr((content, rest)).encode()).hexdigest()


def run(trainer, steps):
    for _ in range(steps):
        trainer.train_step()
    return trainer


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_steps_are_those_made_by_hand(dtype):
    trainer = Trainer(*TOKENS, dataclasses.replace(SMALL, dtype=dtype))
    vocabulary = nr.Vocabulary.from_text(TEXT)
    streams = Streams(vocabulary.encode(TEXT)[:193], 3, 7)
    assert [streams.window(s)[0].shape[0] for s in range(10)] == [7] * 9 + [1]
    model = nr.CharRNN(len(vocabulary), 5, 8, 2, 0.3, dtype=dtype, rng=3)
    optimizer = nr.Adam(model.parameters())
    h, clipped = None, 0
    for step in range(25):
        if step % len(streams) == 0:
            h = None
        expected, h = model.loss_and_gradients(*streams.window(step), h)
        expected_norm = nr.clip_grad_norm_(model.parameters(), 0.5)
        clipped += expected_norm > 0.5
        optimizer.lr = nr.schedules.cosine(step, lr=0.01, total_steps=40, warmup_steps=4)
        optimizer.step()
        assert trainer.train_step() == (expected, expected_norm)
        np.testing.assert_array_equal(trainer.model.parameters().data, model.parameters().data)
        np.testing.assert_array_equal(trainer.hidden, h)
    assert 0 < clipped < 25
    assert len(trainer._tapes) == 2


def test_to_look_on_changes_nothing():
    watched, unwatched = Trainer(*TOKENS, SMALL), Trainer(*TOKENS, SMALL)
    for _ in range(12):
        watched.train_step()
        unwatched.train_step()
        seen = watched.evaluate()
        assert digest(watched) == digest(unwatched)
    assert seen["sample"].startswith(TEXT[0])
    assert set(seen["sample"]) <= set(TEXT)
    assert seen["val_bits_per_char"] == seen["val_loss"] / math.log(2)
    assert seen["val_perplexity"] == math.exp(seen["val_loss"])
    assert watched.evaluate()["sample"] == seen["sample"]
    assert watched.evaluate()["best"] is False


def test_the_metrics_are_means_since_the_last():
    trainer = Trainer(*TOKENS, SMALL)
    for steps in (3, 8):  # the second time over the short window
        sizes = [trainer.streams.window(trainer.step + i)[0].size for i in range(steps)]
        losses, norms = zip(*(trainer.train_step() for _ in range(steps)), strict=True)
        metrics = trainer.metrics()
        assert metrics["loss"] == pytest.approx(np.average(losses, weights=sizes), rel=1e-12)
        assert metrics["grad_norm"] == pytest.approx(np.mean(norms), rel=1e-12)
        assert metrics["bits_per_char"] == metrics["loss"] / math.log(2)
    assert metrics["step"] == 11
    assert metrics["epoch"] == 1.1
    assert metrics["lr"] == nr.schedules.cosine(10, lr=0.01, total_steps=40, warmup_steps=4)
    assert metrics["chars_per_second"] > 0
    assert metrics["seconds"] > 0


@given(
    st.integers(0, 25),
    st.sampled_from(["float32", "float64"]),
    st.sampled_from([1, 3]),
    st.sampled_from([0, 0.4]),
    st.booleans(),
)
@settings(max_examples=20)
def test_restored_after_any_step_it_goes_on_bit_for_bit(tmp_path_factory, step, dtype, num_layers, dropout, given):
    dropout *= num_layers > 1
    options = dataclasses.replace(SMALL, dtype=dtype, num_layers=num_layers, dropout=dropout)
    through = run(Trainer(*TOKENS, options), step)
    path = tmp_path_factory.mktemp("run") / "last.npz"
    write_checkpoint(path, *state_of(through))
    model = nr.CharRNN(9, 5, 8, num_layers, dropout, dtype=dtype, rng=99)  # its weights are written over
    restored = restore(TEXT, *read_checkpoint(path), model if given else None)
    assert (restored.model is model) == given
    for _ in range(13):
        assert digest(restored) == digest(through)
        assert restored.train_step() == through.train_step()
    assert restored.metrics()["loss"] == through.metrics()["loss"]
    assert restored.validate() == through.validate()


class Machine(RuleBasedStateMachine):
    """Train, save, load, resume, validate, generate, in any order: each step is that of the uninterrupted model."""

    @initialize()
    def start(self):
        self.trainer = Trainer(*TOKENS, SMALL)
        self.save()

    @rule(steps=st.integers(1, 7))
    def train(self, steps):
        for _ in range(min(steps, 40 - self.trainer.step)):
            self.trainer.train_step()

    @rule()
    def save(self):
        arrays, header = state_of(self.trainer)
        self.saved = {name: array.copy() for name, array in arrays.items()}, header

    @rule()
    def resume(self):
        self.trainer = restore(TEXT, *self.saved)

    @rule()
    def go_back(self):
        self.trainer = restore(TEXT, *self.saved, self.trainer.model)

    @rule()
    def load_elsewhere(self):
        restore(TEXT, *state_of(self.trainer))

    @rule()
    def look_on(self):
        self.trainer.evaluate()

    @rule(seed=st.integers(0, 9))
    def generate(self, seed):
        nr.generate(self.trainer.model, self.trainer.vocabulary, "a", 9, temperature=1, rng=seed)

    @invariant()
    def is_where_the_uninterrupted_model_was(self):
        arrays, header = state_of(self.trainer)
        uninterrupted, generator = UNINTERRUPTED[self.trainer.step]
        assert arrays.keys() == uninterrupted.keys()
        assert all((arrays[name] == uninterrupted[name]).all() for name in arrays)
        assert header["training"]["generator"] == generator


def uninterrupted():
    trainer = Trainer(*TOKENS, SMALL)
    states = []
    for _ in range(41):
        arrays, header = state_of(trainer)
        states.append(({name: array.copy() for name, array in arrays.items()}, header["training"]["generator"]))
        trainer.train_step()
    return states


UNINTERRUPTED = uninterrupted()
TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=25, stateful_step_count=20)


@pytest.mark.parametrize("size", [{"hidden_size": 10**6}, {"num_layers": 10**7}])
def test_a_model_that_no_machine_holds_is_refused_before_it_is_made(size):
    with pytest.raises(
        ValueError, match=r"a model of [\d,]+ parameters, in windows .* needs [\d,.]+ GiB, but this mac"
    ):
        Trainer(*tokenize("abc" * 10), Options(steps=3, **size))


@pytest.mark.parametrize("L", [1, 3])
def test_the_memory_of_a_model_is_known_before(monkeypatch, L):
    options = Options(steps=20, num_layers=L, hidden_size=7, embedding_dim=5)
    trainer = Trainer(*tokenize("abc" * 10), options)
    B, T, P = trainer.plan.batch_size, trainer.streams.length, trainer.model.parameters().data.size
    assert options.seq_len > T
    needed = 4 * (4 * P + B * T * (3 * L * 7 + 2 * 3))
    monkeypatch.setattr("numpy_rnn.training.trainer._memory", lambda: needed)
    Trainer(*tokenize("abc" * 10), options)
    monkeypatch.setattr("numpy_rnn.training.trainer._memory", lambda: needed - 1)
    with pytest.raises(ValueError, match=f"a model of {P:,} parameters"):
        Trainer(*tokenize("abc" * 10), options)


@pytest.mark.parametrize("error", [AttributeError, ValueError, OSError])
def test_a_system_that_does_not_tell_its_memory_refuses_nothing(monkeypatch, error):
    def refuse(name):
        raise error

    monkeypatch.setattr("numpy_rnn.training.trainer.os.sysconf", refuse)
    assert _memory() == math.inf
    Trainer(*TOKENS, SMALL)


def test_memory_is_counted_in_bytes():
    assert _memory() == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") > 2**28


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


@pytest.mark.parametrize("sick", ["parameters", "gradients"])
def test_what_is_not_finite_stops_before_the_update(sick):
    trainer = run(Trainer(*TOKENS, SMALL), 6)
    if sick == "parameters":
        trainer.model.fc.weight.data[0, 0] = np.nan
    else:
        trainer.model.fc.weight.data *= 1e22  # the loss is finite, the squares of the gradients are not
    before = trainer.model.parameters().data.copy(), trainer.optimizer.exp_avg.copy()
    loss = "nan" if sick == "parameters" else r"\d.*"
    words = rf"at step 7 the loss is {loss} and the norm .*try a step size below 0.01 or clipping below 0.5"
    with pytest.raises(FloatingPointError, match=words):
        trainer.train_step()
    np.testing.assert_array_equal(trainer.model.parameters().data, before[0])
    np.testing.assert_array_equal(trainer.optimizer.exp_avg, before[1])
    assert trainer.step == 6


def test_what_is_not_finite_is_not_saved():
    trainer = run(Trainer(*TOKENS, SMALL), 2)
    trainer.model.fc.weight.data[0, 0] = np.inf
    with pytest.raises(FloatingPointError, match="parameters are not finite"):
        state_of(trainer)
    with pytest.raises(FloatingPointError, match="validation loss is nan"):
        trainer.validate()
    assert trainer.model.training


def test_perplexity_is_told_as_long_as_it_is_a_number():
    assert perplexity(math.log(7)) == pytest.approx(7)
    assert perplexity(1e6) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 5, "epochs": 1}, "give one of them"),
        ({"dropout": 0.5, "num_layers": 1}, "dropout must be 0 with one layer"),
        ({"dropout": 2}, "dropout must be a number from 0 to 1, got 2"),
        ({"schedule": "linear"}, "schedule must be one of constant, staircase"),
        ({"dtype": "complex128"}, "dtype must be one of float32, float64"),
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


def test_the_tutorial_is_learnt_by_heart():
    trainer = Trainer(*tokenize(TUTORIAL_TEXT), Options(hidden_size=32, num_layers=1, lr=0.01))
    run(trainer, trainer.plan.steps)
    assert nr.generate(trainer.model, trainer.vocabulary, "H", 19) == TUTORIAL_TEXT
    assert math.isnan(trainer.validate())


def test_memory_is_a_small_multiple_of_the_text():
    text = "abcdefgh\n" * 400_000  # 3.6 MB
    options = Options(hidden_size=1, num_layers=1, embedding_dim=1)
    tracemalloc.start()
    try:
        trainer = Trainer(*tokenize(text), options)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Beside the text itself: one byte a character, and a few MB that do not grow with it (a flag for each code point,
    # pieces of the text, the model).
    assert len(trainer.streams.tokens) > 3e6
    assert peak < len(text) + 8e6
    assert held < len(text) + 4e6
