"""Batches of lines: what each holds, and that an epoch has every line once."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpy_rnn.text.lines import IGNORED, Lines, line_lengths, line_pieces
from numpy_rnn.text.vocabulary import tokenize
from numpy_rnn.text.windows import IGNORED as SAME

texts = st.lists(st.text("abc", min_size=1, max_size=30), min_size=1, max_size=20)


@given(st.lists(st.text("ab\n", max_size=6), max_size=6))
def test_lines_are_separated_by_one_newline_wherever_the_pieces_end(pieces):
    lines = [line for line in "".join(pieces).split("\n") if line]
    assert "".join(line_pieces(pieces)) == "\n" + "".join(f"{line}\n" for line in lines)


def read_back(vocabulary, inputs, targets):
    """The lines of a batch, from the targets that count; what the model reads before each is checked."""
    lines = []
    for column, target in zip(inputs.T, targets.T, strict=True):
        n = np.count_nonzero(target != IGNORED)
        assert (target[n:] == IGNORED).all()
        if n:
            text = vocabulary.decode(target[:n])
            assert text[-1] == "\n"
            assert vocabulary.decode(column[:n]) == "\n" + text[:-1]
            lines.append(text[:-1])
    return lines


@given(texts, st.integers(1, 6), st.integers(0, 5), st.integers(0, 9))
def test_an_epoch_has_each_line_once_and_validation_the_others(lines, B, held_out, seed):
    held_out = min(held_out, len(lines) - 1)
    tokens, vocabulary = tokenize("\n\n".join(lines), lines=True)
    batches = Lines(tokens, B, held_out, seed)
    assert len(batches) == -(-(len(lines) - held_out) // B)

    def check(windows, count):
        found = []
        for inputs, targets in windows:
            assert inputs.shape == targets.shape
            assert inputs.shape[1] == B
            longest = (targets != IGNORED).sum(axis=0).max()
            assert longest <= len(inputs) <= max(longest + 3, 1.3 * longest)
            found += read_back(vocabulary, inputs, targets)
        assert len(found) == count
        return found

    n = len(batches)
    validation = check(batches.validation(), held_out)
    first = check([batches.window(step) for step in range(n)], len(lines) - held_out)
    second = check([batches.window(step) for step in range(n, 2 * n)], len(lines) - held_out)
    assert sorted(validation + first) == sorted(validation + second) == sorted(lines)
    # Another object, asked in another order, gives the same batches.
    again = Lines(tokens, B, held_out, seed)
    for step in reversed(range(2 * n)):
        for a, b in zip(again.window(step), batches.window(step), strict=True):
            np.testing.assert_array_equal(a, b)
    assert all(batches.is_start(step) for step in range(2 * n))


def test_epochs_seeds_and_validation_differ():
    tokens, vocabulary = tokenize("\n".join(f"{i:03}" for i in range(200)), lines=True)
    batches, other = Lines(tokens, 10, 20, seed=0), Lines(tokens, 10, 20, seed=1)
    first, second, third = (
        read_back(vocabulary, *lines.window(step)) for lines, step in ((batches, 0), (batches, 18), (other, 0))
    )
    assert len({tuple(first), tuple(second), tuple(third)}) == 3
    assert first != sorted(first)
    held_out = read_back(vocabulary, *next(batches.validation()))
    assert held_out != [f"{i:03}" for i in range(180, 190)]  # not the end of the file, which may be sorted


@pytest.mark.parametrize(("chars", "batches"), [(1, 1), (40, 1), (41, 2), (79, 2), (81, 2), (math.inf, 2)])
def test_validation_reads_batches_until_it_has_so_many_targets(chars, batches):
    tokens, _ = tokenize("\n".join(f"{i:03}" for i in range(100)), lines=True)
    windows = list(Lines(tokens, 10, 20).validation(chars))
    assert len(windows) == batches
    whole = list(Lines(tokens, 10, 20).validation())
    for a, b in zip(windows, whole, strict=False):
        np.testing.assert_array_equal(a[1], b[1])


def test_few_shapes_for_many_lengths():
    tokens, _ = tokenize("\n".join("a" * n for n in range(1, 1001)), lines=True)
    batches = Lines(tokens, 1)
    assert batches.seq_len == 1001
    assert len({batches.window(step)[0].shape for step in range(1000)}) <= 40


def test_a_text_without_lines_is_an_error():
    with pytest.raises(ValueError, match="the text has no lines: expected at least one that is not empty"):
        line_lengths(tokenize("\n\n\n", lines=True)[0])
    assert IGNORED == SAME
