"""Predictions of a text in pieces, against one forward pass over all of it."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn.text.lines import line_pieces
from numpy_rnn.text.pieces import known_pieces
from numpy_rnn.training import evaluation
from numpy_rnn.training.evaluation import predictions
from tests import strategies as some

VOCABULARY = nr.Vocabulary("\nabc")


def make(rng, cell="rnn"):
    model = nr.CharRNN(4, 3, 5, 2, 0.5, cell=cell, dtype=np.float64, rng=rng)
    model.parameters().data = model.parameters().data * 2
    return model


def joined(*arguments):
    return [np.concatenate(arrays) for arrays in zip(*predictions(*arguments), strict=True)]


@given(some.rngs, st.sampled_from(["rnn", "lstm"]), st.lists(st.text("\nabc", min_size=1, max_size=9), min_size=1))
def test_the_loss_is_that_of_one_pass_over_the_whole_text(rng, cell, pieces):
    evaluation._WINDOW, window = 4, evaluation._WINDOW
    try:
        model, text = make(rng, cell), "a" + "".join(pieces)
        model.train()
        tokens, log_p, _ = joined(model, VOCABULARY, ["a", *pieces])
    finally:
        evaluation._WINDOW = window
    assert model.training
    assert VOCABULARY.decode(tokens) == text[1:]
    whole = VOCABULARY.encode(text)[:, None]
    loss, _ = model.eval().loss_and_gradients(whole[:-1], whole[1:])
    assert -log_p.mean() == pytest.approx(loss, rel=1e-12)


@given(some.rngs, st.lists(st.text("abc", min_size=1, max_size=9), min_size=1, max_size=5))
def test_by_lines_each_is_predicted_alone(rng, lines):
    model = make(rng).eval()
    text = "\n" + "".join(f"{line}\n" for line in lines)
    tokens, log_p, _ = joined(model, VOCABULARY, [text[:7], text[7:]], True)
    assert VOCABULARY.decode(tokens) == text[1:]
    expected = []
    for line in lines:
        whole = VOCABULARY.encode(f"\n{line}\n")[:, None]
        loss, _ = model.loss_and_gradients(whole[:-1], whole[1:])
        expected.append(loss * (len(whole) - 1))
    assert -log_p.sum() == pytest.approx(sum(expected), rel=1e-12)


def test_ranks_of_equal_logits_are_in_the_order_of_the_vocabulary():
    model = make(0)
    model.fc.weight.data[:] = 0
    model.fc.bias.data[:] = [1, 2, 1, 0]
    tokens, log_p, ranks = joined(model, VOCABULARY, ["a\nabc"])
    assert VOCABULARY.decode(tokens) == "\nabc"
    np.testing.assert_array_equal(ranks, [2, 1, 3, 4])
    total = 2 * math.e + math.e**2 + 1
    np.testing.assert_allclose(np.exp(log_p), [math.e / total, math.e**2 / total, math.e / total, 1 / total])


@given(some.rngs, st.integers(1, 4))
def test_a_rank_up_to_k_is_what_top_k_allows(rng, k):
    model = make(rng)
    model.fc.weight.data[1], model.fc.bias.data[1] = model.fc.weight.data[3], model.fc.bias.data[3]  # two are equal
    text = "abcb\nca"
    tokens, _, ranks = joined(model, VOCABULARY, [text])
    for t, token in enumerate(tokens):
        logits = model.eval().forward(VOCABULARY.encode(text[: t + 1])[:, None])[0][-1, 0]
        logits[[1, 3]] = logits[1]  # whose rounding may differ
        allowed = nr.generation.sampling.Sampling(1.0, top_k=k).distribution(logits) > 0
        assert allowed[token] == (ranks[t] <= k)


def test_one_piece_is_in_memory_at_a_time():
    read = []

    def pieces():
        for i in range(3):
            read.append(i)
            yield "abc\n" * 100

    known = known_pieces(pieces(), VOCABULARY, "f", True, Counter())
    seen = 0
    for tokens, log_p, ranks in predictions(make(0), VOCABULARY, line_pieces(known), True):
        assert len(read) <= 1 + seen // 400
        assert len(tokens) == len(log_p) == len(ranks) <= 256
        seen += len(tokens)
    assert (seen, read) == (1200, [0, 1, 2])


def test_logits_that_overflow_are_an_error():
    model = make(0)
    model.fc.weight.data[:] = 1e308
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="the largest logit is"):
        joined(model, VOCABULARY, ["abc"])
