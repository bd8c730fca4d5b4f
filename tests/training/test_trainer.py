"""Truncated backpropagation through time against the same steps by hand; saved after any step and restored."""

import dataclasses
import hashlib
import math
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
from numpy_rnn.training.trainer import Trainer, perplexity

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
TestMachine.settings = settings(max_examples=15, stateful_step_count=20)


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
