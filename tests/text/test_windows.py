import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn.text.windows import Streams
from tests.strategies import layouts, rngs, tokens


@st.composite
def shapes(draw):
    """Return N, batch_size and seq_len that fit together."""
    N = draw(st.integers(2, 60))
    return N, draw(st.integers(1, N - 1)), draw(st.integers(1, 70))


def epoch(streams):
    return [streams.window(step) for step in range(len(streams))]


@given(shapes())
def test_windows_are_time_first_and_the_last_one_has_the_rest(shape):
    N, B, seq_len = shape
    streams = Streams(np.arange(N), B, seq_len)
    *full, rest = [inputs.shape for inputs, _ in epoch(streams)]
    assert full == [(seq_len, B)] * len(full)
    assert 1 <= rest[0] <= seq_len
    assert rest[1] == B
    assert len(full) * seq_len + rest[0] == streams.length == int(np.ceil((N - 1) / B))


@given(shapes(), layouts, rngs)
def test_the_windows_of_a_stream_joined_are_a_piece_of_the_text(shape, layout, rng):
    N, B, seq_len = shape
    text = tokens(rng, 5, N, layout=layout)
    streams = Streams(text, B, seq_len)
    inputs, targets = (np.concatenate(windows) for windows in zip(*epoch(streams), strict=True))
    assert inputs.shape == targets.shape
    for b, start in enumerate(streams.starts):
        np.testing.assert_array_equal(inputs[:, b], text[start : start + streams.length])
        np.testing.assert_array_equal(targets[:, b], text[start + 1 : start + 1 + streams.length])


@given(shapes())
def test_every_token_but_the_first_is_a_target(shape):
    N, B, seq_len = shape
    streams = Streams(np.arange(N), B, seq_len)  # each token is its position
    targets = np.concatenate([targets.reshape(-1) for _, targets in epoch(streams)])
    counts = np.bincount(targets, minlength=N)
    assert counts[0] == 0
    assert counts[1:].min() == 1
    assert counts.max() <= 2
    assert np.sum(counts == 2) == B * streams.length - (N - 1) <= B - 1
    assert streams.starts[0] == 0
    assert streams.starts[-1] + streams.length == N - 1


@given(shapes(), st.integers(0, 300), st.integers(1, 5))
def test_from_any_step_on_all_goes_as_if_never_stopped(shape, step, ahead):
    N, B, seq_len = shape
    text = np.arange(N)
    streams, restored = Streams(text, B, seq_len), Streams(text.copy(), B, seq_len)
    for earlier in range(step):
        streams.window(earlier)
    for s in range(step, step + ahead):
        np.testing.assert_array_equal(streams.window(s), restored.window(s))
        np.testing.assert_array_equal(streams.window(s), streams.window(np.int64(s % len(streams))))
        assert streams.is_start(s) == (s % len(streams) == 0)
    # Between two starts each window goes on where the one before it ended.
    if not streams.is_start(step + 1):
        np.testing.assert_array_equal(streams.window(step + 1)[0][0], streams.window(step)[1][-1])
    else:
        np.testing.assert_array_equal(streams.window(step + 1)[0][0], text[streams.starts])


@given(shapes(), rngs)
def test_with_the_state_carried_the_windows_are_one_long_sequence(shape, rng):
    N, B, seq_len = shape
    text = tokens(rng, 5, N)
    model = nr.CharRNN(5, 2, 3, dtype=np.float64, rng=rng)
    streams = Streams(text, B, seq_len)
    h, logits = None, []
    for step in range(len(streams)):
        window, h = model.forward(streams.window(step)[0], None if streams.is_start(step) else h)
        logits.append(window)
    whole, h_n = model.forward(np.stack([text[start : start + streams.length] for start in streams.starts], axis=1))
    # The same products of numbers of size 1, in BLAS calls of other shapes: a few times the rounding of 1e-16.
    np.testing.assert_allclose(np.concatenate(logits), whole, rtol=0, atol=1e-13)
    np.testing.assert_allclose(h, h_n, rtol=0, atol=1e-13)


def test_the_text_is_kept_and_never_written_to():
    text = np.arange(20, dtype=np.uint8)
    streams = Streams(text, 3, 4)
    assert np.shares_memory(streams.tokens, text)
    for array in streams.window(0):
        assert array.dtype == np.uint8
        array[...] = 99
    np.testing.assert_array_equal(text, range(20))
    inputs, _ = Streams([1, 2, 3], 1, 5).window(0)
    assert inputs.tolist() == [[1], [2]]  # shorter than one window: a window of what there is


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: Streams([], 1, 1), ValueError, "tokens has length 0, expected at least 2: one to read and one"),
        (lambda: Streams([1], 1, 1), ValueError, "tokens has length 1, expected at least 2: one to read and one"),
        (
            lambda: Streams([1, 2, 3], 3, 1),
            ValueError,
            "batch_size must be at most 2, one less than the 3 characters to train on",
        ),
        (lambda: Streams([1, 2], 0, 1), ValueError, "batch_size must be at least 1, got 0"),
        (lambda: Streams([1, 2], 1, 0), ValueError, "seq_len must be at least 1, got 0"),
        (lambda: Streams([1, 2], 1.5, 1), TypeError, "batch_size must be an integer, got 1.5"),
        (lambda: Streams([1, 2], 1, True), TypeError, "seq_len must be an integer, got True"),
        (lambda: Streams([0.5, 2], 1, 1), TypeError, "tokens must be integers, got dtype float64"),
        (
            lambda: Streams([[1, 2]], 1, 1),
            ValueError,
            r"tokens has shape \(1, 2\), expected one number per character",
        ),
        (lambda: Streams([1, 2], 1, 1).window(-1), ValueError, "step must be at least 0, got -1"),
        (lambda: Streams([1, 2], 1, 1).is_start(-1), ValueError, "step must be at least 0, got -1"),
        (lambda: Streams([1, 2], 1, 1).window(0.0), TypeError, "step must be an integer, got 0.0"),
        (lambda: Streams([1, 2], 1, 1).window(True), TypeError, "step must be an integer, got True"),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=words) as raised:
        call()
    assert "\n" not in str(raised.value)
