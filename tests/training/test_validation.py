"""The validation loss against one forward pass a stream, and how little it depends on the number of streams."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn.text.vocabulary import tokenize
from numpy_rnn.text.windows import Streams, validation_windows
from numpy_rnn.training.options import Options
from numpy_rnn.training.trainer import Trainer
from numpy_rnn.training.validation import validation_loss
from tests.strategies import rngs, tokens


def losses(model, text, first):
    """Return the loss of each of text[1:] from position `first` on, by one forward pass over all before it."""
    logits, _ = model.forward(text[:-1].reshape(-1, 1))
    criterion = nr.CrossEntropyLoss(reduction="none")
    return criterion.forward(logits[:, 0], text[1:])[first - 1 :]


@given(st.integers(1, 40), st.integers(2, 20), st.integers(1, 50), st.integers(1, 25), rngs)
def test_each_target_is_counted_once_from_the_state_that_the_characters_before_it_make(n, before, B, seq_len, rng):
    text = tokens(rng, 5, before + n)
    model = nr.CharRNN(5, 2, 3, 2, dropout=0.5, dtype=np.float64, rng=rng)
    model.parameters().data = rng.standard_normal(model.parameters().data.size)  # what is far back is felt
    loss = validation_loss(model, text, n, B, seq_len)
    assert model.training
    model.eval()
    B = min(B, n)
    ends = [before + b * n // B for b in range(B + 1)]
    counted = []
    for start, end in pairwise(ends):
        longest = -(-n // B)
        first = end - longest - min(seq_len, before - 2) - 1  # what it reads first
        assert start - first > min(seq_len, before - 2)
        counted.extend(losses(model, text[first:end], start - first))
    assert len(counted) == n
    # The same numbers of size 1, in products and sums of other shapes: a few times the rounding of 1e-16.
    assert loss == pytest.approx(np.mean(counted), rel=1e-12)
    assert validation_loss(model, text, n, B, seq_len) == loss
    assert not model.training


@given(st.integers(2, 40), st.integers(2, 20), st.integers(1, 50), st.integers(1, 25), st.integers(1, 39), rngs)
def test_a_part_of_it_is_spread_over_all_streams(n, before, B, seq_len, count, rng):
    text, count = tokens(rng, 5, before + n), min(count, n - 1)
    model = nr.CharRNN(5, 2, 3, dtype=np.float64, rng=rng)
    model.parameters().data = rng.standard_normal(model.parameters().data.size)
    B = min(B, count)
    each = count // B
    counted = []
    for b in range(B):
        end = before + (b + 1) * n // B  # where it ends without `count` too
        first = end - each - min(seq_len, before - 2) - 1
        counted.extend(losses(model, text[first:end], end - each - first))
    assert len(counted) == count - count % B
    loss = validation_loss(model, text, n, B, seq_len, count=count)
    assert loss == pytest.approx(np.mean(counted), rel=1e-12)
    told = []
    assert validation_loss(model, text, n, B, seq_len, count=10**9, pause=told.append) == (
        validation_loss(model, text, n, B, seq_len)
    )
    assert told[0] == "validation: 0 characters read"
    assert len(told) == len(list(validation_windows(text, n, B, seq_len)))


def test_with_one_stream_that_reads_all_it_is_the_loss_of_the_whole_text():
    rng = np.random.default_rng(0)
    text, model = rng.integers(0, 5, 60), nr.CharRNN(5, 2, 3, dtype=np.float64, rng=rng)
    expected = losses(model, text, 40).mean()
    # It reads all but the first character, whose trace 40 characters later is below the rounding.
    assert validation_loss(model, text, 20, 1, 100) == pytest.approx(expected, rel=1e-12)


def test_it_hardly_depends_on_the_number_of_streams():
    """A text of words, whose letters the model knows by those before them: none is longer than a window."""
    words = ["the", "model", "reads", "a", "long", "line", "of", "text", "and", "predicts", "what", "comes", "next"]
    text = " ".join(np.random.default_rng(0).choice(words, 2500))
    options = Options(
        seq_len=16, num_layers=1, hidden_size=32, embedding_dim=8, lr=0.01, steps=300, val_fraction=0.15
    )
    trainer = Trainer(*tokenize(text), options)
    while not trainer.done:
        trainer.train_step()
    model, text, n = trainer.model, trainer.tokens, trainer.plan.val_length
    one, four, many = (validation_loss(model, text, n, B, 16) for B in (1, 4, 32))
    # Sums in float32 round at 1e-7 of a loss, some times.
    assert four == pytest.approx(one, rel=1e-5)
    assert many == pytest.approx(one, rel=1e-5)

    def cold(B):
        streams, h, total = Streams(text[-n - 1 :], B, 16), None, 0.0
        for window in range(len(streams)):
            inputs, targets = streams.window(window)
            logits, h = model.forward(inputs, h)
            total += nr.CrossEntropyLoss().forward(logits.swapaxes(1, 2), targets) * len(inputs)
        return total / streams.length

    assert cold(32) > 1.01 * one  # what is measured here, and not the same in any case


def test_a_trainer_validates_with_the_streams_that_it_trains_with(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "numpy_rnn.training.trainer.validation_loss", lambda *arguments: seen.append(arguments) or 1.0
    )
    trainer = Trainer(*tokenize("abcde" * 100), Options(seq_len=6, batch_size=7, hidden_size=2, val_fraction=0.1))
    assert trainer.validate() == 1
    model, text, n, batch_size, seq_len, tape, count, pause, ranks = seen[0]
    assert model is trainer.model
    np.testing.assert_array_equal(text, trainer.tokens)
    assert (n, batch_size, seq_len) == (50, 7, 6)
    assert (count, pause, ranks) == (trainer.plan.val_chars, trainer.pause, trainer.ranks)
    assert tape((6, 7)) is trainer._tape((6, 7))
