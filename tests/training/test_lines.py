"""Training on lines, against one line at a time without padding; stopped anywhere and resumed."""

import dataclasses
import math

import numpy as np
import pytest

import numpy_rnn as nr
from numpy_rnn.text.vocabulary import tokenize
from numpy_rnn.training.loop import Training
from numpy_rnn.training.options import Options
from numpy_rnn.training.run import open_run
from numpy_rnn.training.state import restore
from numpy_rnn.training.trainer import Trainer
from tests.text.test_lines import read_back
from tests.training.test_run import content

RNG = np.random.default_rng(0)
NAMES = ["".join(RNG.choice(list("abcde"), RNG.integers(1, 14))) for _ in range(50)]
TEXT = "\n".join(NAMES)
TOKENS = tokenize(TEXT, lines=True)
OPTIONS = Options(
    lines=True,
    hidden_size=6,
    embedding_dim=4,
    dropout=0.3,
    batch_size=8,
    val_fraction=0.2,
    steps=12,
    eval_every=4,
    warmup_steps=2,
    lr=0.01,
    dtype="float64",
    seed=3,
)


def alone(model, vocabulary, line):
    """The sum of the losses of one line, and its steps; the gradient of the sum is in the model."""
    tokens = vocabulary.encode(f"\n{line}\n")[:, None]
    loss, _ = model.loss_and_gradients(tokens[:-1], tokens[1:])
    n = len(tokens) - 1
    return loss * n, n, model.parameters().grad * n


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_batch_is_the_mean_over_its_lines_one_at_a_time(cell):
    trainer = Trainer(*TOKENS, dataclasses.replace(OPTIONS, cell=cell, dropout=0.0))
    model = trainer.model
    model.parameters().data = 3 * model.parameters().data
    assert len(trainer.streams) == 5
    for step in range(5):  # the last batch has no lines but padding in its columns
        inputs, targets = trainer.streams.window(step)
        lines = read_back(trainer.vocabulary, inputs, targets)
        losses, counts, gradients = zip(*(alone(model, trainer.vocabulary, line) for line in lines), strict=True)
        loss, _ = model.loss_and_gradients(inputs, targets)
        assert loss == pytest.approx(sum(losses) / sum(counts), rel=1e-12)
        expected = sum(gradients) / sum(counts)
        np.testing.assert_allclose(model.parameters().grad, expected, rtol=1e-10, atol=1e-13 * abs(expected).max())
    assert len(read_back(trainer.vocabulary, *trainer.streams.window(4))) == 8


def test_validation_is_the_mean_over_whole_lines_that_are_not_trained_on():
    trainer = Trainer(*TOKENS, dataclasses.replace(OPTIONS, val_chars=10**6))
    trained = {line for step in range(5) for line in read_back(trainer.vocabulary, *trainer.streams.window(step))}
    held_out = list(NAMES)
    for step in range(5):
        for line in read_back(trainer.vocabulary, *trainer.streams.window(step)):
            held_out.remove(line)
    assert len(held_out) == 10
    assert not trained & set(held_out)
    loss = trainer.validate()
    trainer.model.eval()
    losses, counts, _ = zip(*(alone(trainer.model, trainer.vocabulary, line) for line in held_out), strict=True)
    assert loss == pytest.approx(sum(losses) / sum(counts), rel=1e-12)


def test_the_metrics_count_characters_and_not_padding():
    trainer = Trainer(*TOKENS, OPTIONS)
    sizes = [np.count_nonzero(trainer.streams.window(step)[1] >= 0) for step in range(7)]
    losses = [trainer.train_step()[0] for _ in range(7)]
    assert trainer.sums["chars"] == sum(sizes)
    metrics = trainer.metrics()
    assert metrics["loss"] == pytest.approx(np.average(losses, weights=sizes), rel=1e-12)
    assert metrics["epoch"] == 7 / 5


def test_the_sample_is_of_lines():
    trainer = Trainer(*TOKENS, OPTIONS)
    trainer.model.fc.bias.data[trainer.vocabulary.encode("\n")] = 3  # short lines
    sample = trainer.evaluate()["sample"]
    assert sample.count("\n") == 7
    assert sample[0] != "\n" or sample[1] == "\n"


def begin(directory, stop_at=None):
    with open_run(directory) as run:
        advance(Trainer(*TOKENS, OPTIONS), run, stop_at)


def advance(trainer, run, stop_at=None):
    training = Training(trainer, run, {})
    while not trainer.done and trainer.step != stop_at:
        training.step()
    training.close()


@pytest.mark.parametrize("at", [0, 1, 4, 5, 9])
def test_stopped_at_any_step_and_resumed(tmp_path, at):
    begin(tmp_path / "through")
    begin(tmp_path / "run", at)
    with open_run(tmp_path / "run", resume=True) as run:
        advance(restore(TEXT, *run.read()), run)
    assert content(tmp_path / "run") == content(tmp_path / "through")
    with open_run(tmp_path / "run", resume=True) as run:
        trainer = restore(TEXT, *run.read(), epochs=4)
    assert (trainer.plan.steps, trainer.plan.windows, trainer.plan.seq_len) == (20, 5, 14)


def test_it_learns_where_lines_end():
    text = "\n".join(["ab", "ba"] * 40)
    vocabulary = nr.Vocabulary.from_text(text)
    model = nr.CharRNN(3, 8, 16, rng=0)
    for _ in nr.train(model, text, vocabulary, lines=True, steps=150, lr=0.02):
        pass
    samples = nr.generate_batch(model, vocabulary, "\n", 9, 50, stop="\n", temperature=1, rng=0)
    assert set(samples) == {"\nab", "\nba"}


@pytest.mark.parametrize(
    ("change", "text", "words"),
    [
        ({"seq_len": 9}, TEXT, "seq_len does nothing with lines, which are read whole, got 9"),
        (
            {"val_fraction": 0.99},
            "a\nb",
            "val_fraction must be 0 or leave at least 1 of the 2 lines for training and 1",
        ),
        ({}, "\n\n", "the text has no lines"),
    ],
)
def test_what_cannot_be(change, text, words):
    with pytest.raises(ValueError, match=words):
        Trainer(*tokenize(text, lines=True), dataclasses.replace(OPTIONS, **change))


def test_the_defaults_fit_the_number_of_lines():
    plan = Options(lines=True).plan(199, longest=9)
    assert (plan.val_length, plan.batch_size, plan.windows, plan.seq_len) == (0, 32, 7, 9)
    plan = Options(lines=True).plan(200, longest=9)
    assert (plan.val_length, plan.windows, plan.steps) == (10, 6, 1000)
    assert Options(lines=True).plan(1, longest=2).batch_size == 1
    assert math.isnan(Trainer(*tokenize("ab\nc", lines=True), Options(lines=True, hidden_size=2)).validate())
