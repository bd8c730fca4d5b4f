"""From logits to a draw: compared with the definition written out, and by counting."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpy_rnn.generation.sampling import Sampling, draw, softmax
from tests import strategies as some

# Sums of at most nine numbers in [0, 1] in a different order: rounding of a few 1e-16.
CLOSE = {"rtol": 1e-13, "atol": 1e-15}

temperatures = st.sampled_from([0.1, 0.5, 1.0, 1.7, 10.0])
top_ks = st.none() | st.integers(1, 10)
top_ps = st.none() | st.floats(0.001, 1.0)


def distribution_written_out(logits, temperature=1.0, top_k=None, top_p=None):
    """The definition for a single row, one character at a time."""
    e = [math.exp((logit - max(logits)) / temperature) for logit in logits]
    ranked = sorted(range(len(e)), key=lambda c: (-logits[c], c))
    kept = ranked if top_k is None else ranked[:top_k]
    if top_p is not None:
        mass, enough = sum(e[c] for c in kept), []
        for c in kept:
            enough.append(c)
            if sum(e[c] for c in enough) >= top_p * mass:
                break
        kept = enough
    return [e[c] / sum(e[c] for c in kept) if c in kept else 0.0 for c in range(len(e))]


@given(rng=some.rngs, V=st.integers(1, 9), B=some.B, temperature=temperatures, top_k=top_ks, top_p=top_ps)
def test_the_distribution_is_the_one_written_out(rng, V, B, temperature, top_k, top_p):
    logits = some.normal(rng, B, V) * 3
    ours = Sampling(temperature, top_k, top_p).distribution(logits)
    assert ours.shape == (B, V)
    assert ours.dtype == np.float64
    for row, logits_row in zip(ours, logits.tolist(), strict=True):
        np.testing.assert_allclose(row, distribution_written_out(logits_row, temperature, top_k, top_p), **CLOSE)
        np.testing.assert_array_equal(row, Sampling(temperature, top_k, top_p).distribution(logits_row))


@pytest.mark.parametrize(
    ("logits", "options", "expected"),
    [
        # Four equal logits have exactly 1/4 each: the border itself, with ties in the order of the vocabulary.
        ([0, 0, 0, 0], {}, [0.25, 0.25, 0.25, 0.25]),
        ([0, 0, 0, 0], {"top_k": 1}, [1, 0, 0, 0]),
        ([0, 0, 0, 0], {"top_k": 2}, [0.5, 0.5, 0, 0]),
        ([0, 0, 0, 0], {"top_k": 4}, [0.25, 0.25, 0.25, 0.25]),
        ([0, 0, 0, 0], {"top_k": 9}, [0.25, 0.25, 0.25, 0.25]),
        ([0, 0, 0, 0], {"top_p": 0.5}, [0.5, 0.5, 0, 0]),
        ([0, 0, 0, 0], {"top_p": np.nextafter(0.5, 1)}, [1 / 3, 1 / 3, 1 / 3, 0]),
        ([0, 0, 0, 0], {"top_p": 1.0}, [0.25, 0.25, 0.25, 0.25]),
        ([0, 1, 0, 1], {"top_k": 2}, [0, 0.5, 0, 0.5]),
        ([0, 1, 0, 1], {"top_k": 1}, [0, 1, 0, 0]),
        ([0, 1, 0, 0], {"top_p": 1e-300}, [0, 1, 0, 0]),
        # After top-k each has 1/2, so the first alone is enough; without top-k it would take two.
        ([0, 0, 0, 0], {"top_k": 2, "top_p": 0.5}, [1, 0, 0, 0]),
        # At temperature 1 the first has 2/3; at 1/2 it has 4/5, which is enough.
        ([math.log(2), 0], {"top_p": 0.75}, [2 / 3, 1 / 3]),
        ([math.log(2), 0], {"top_p": 0.75, "temperature": 0.5}, [1, 0]),
        ([math.log(2), 0], {"temperature": 0.5}, [0.8, 0.2]),
        ([-math.inf, 0, 0], {}, [0, 0.5, 0.5]),
        ([5], {"top_k": 1, "top_p": 0.1}, [1]),
    ],
)
def test_cases_worked_out_by_hand(logits, options, expected):
    p = Sampling(**{"temperature": 1.0} | options).distribution(logits)
    np.testing.assert_allclose(p, expected, rtol=1e-15, atol=0)


def test_softmax_takes_a_list():
    np.testing.assert_allclose(softmax([[0, math.log(3)], [5, 5]]), [[0.25, 0.75], [0.5, 0.5]], rtol=1e-15)
    np.testing.assert_allclose(softmax((0, math.log(2)), 0.5), [0.2, 0.8], rtol=1e-15)


def test_extreme_logits_do_not_overflow():
    logits = np.array([-3e38, 1.0, 3e38, 2e38], np.float32)
    np.testing.assert_array_equal(softmax(logits), [0, 0, 1, 0])
    wide = np.array([-1e308, 1e308])
    np.testing.assert_array_equal(Sampling(5e-324).distribution(wide), [0, 1])
    flat = np.array([1.0, 3.0, 2.0])
    np.testing.assert_array_equal(Sampling(5e-324).distribution(flat), [0, 1, 0])
    np.testing.assert_allclose(Sampling(1e300).distribution(flat), [1 / 3, 1 / 3, 1 / 3], rtol=1e-15)
    # The probabilities are equal after rounding, but the logits still show which is the largest.
    np.testing.assert_array_equal(Sampling(1e300, top_k=1).distribution(flat), [0, 1, 0])


def test_logits_are_not_modified():
    logits = np.array([[1.0, 3.0, 2.0]])
    Sampling(0.5, 2, 0.9).distribution(logits)
    np.testing.assert_array_equal(logits, [[1, 3, 2]])


@given(rng=some.rngs, B=some.B, V=st.integers(1, 9), zeros=st.integers(0, 8))
def test_a_draw_is_the_first_character_whose_sum_exceeds_u(rng, B, V, zeros):
    p = rng.random((B, V))
    p[:, rng.permutation(V)[: min(zeros, V - 1)]] = 0
    p /= p.sum(axis=1, keepdims=True)
    u = rng.random((B, 1))
    drawn = draw(p, u)
    assert drawn.shape == (B,)
    for row, u_row, c in zip(p.tolist(), u[:, 0].tolist(), drawn.tolist(), strict=True):
        assert sum(row[:c]) - 1e-15 <= u_row <= sum(row[: c + 1]) + 1e-15  # up to rounding
        assert row[c] > 0


def test_the_borders_of_a_draw():
    p = np.array([0.0, 0.25, 0.5, 0.0, 0.25, 0.0])
    almost_one = np.nextafter(1, 0)
    cases = {0.0: 1, np.nextafter(0.25, 0): 1, 0.25: 2, np.nextafter(0.75, 0): 2, 0.75: 4, almost_one: 4}
    assert [int(draw(p, np.array([u]))) for u in cases] == list(cases.values())
    # Ten tenths sum to less than 1: a u between that sum and 1 still gives the last index, not the one after it.
    assert np.full(10, 0.1).cumsum()[-1] < 1
    assert int(draw(np.full(10, 0.1), np.array([almost_one]))) == 9


@pytest.mark.parametrize(
    ("options", "degrees", "bound"),
    [({}, 5, 20.5), ({"temperature": 2.0, "top_k": 4}, 3, 16.3), ({"temperature": 1.3, "top_p": 0.8}, 3, 16.3)],
)
def test_the_frequencies_are_the_probabilities(options, degrees, bound):
    """Pearson's chi-square: a correct generator exceeds the bound (the 99.9 % quantile) with one seed in a thousand.
    A probability that is off by 0.01 adds about 40.
    """
    logits = np.array([0.3, -1.0, 1.2, 0.0, 2.0, 0.7])
    p = np.array(distribution_written_out(logits.tolist(), **options))
    n = 100_000
    rows = np.broadcast_to(Sampling(**{"temperature": 1.0} | options).distribution(logits), (n, 6))
    counts = np.bincount(draw(rows, np.random.default_rng(0).random((n, 1))), minlength=6)
    possible = p > 0
    assert possible.sum() - 1 == degrees
    assert not counts[~possible].any()
    assert ((counts - n * p)[possible] ** 2 / (n * p)[possible]).sum() < bound


@pytest.mark.parametrize("bad", [[0.0, math.nan], [math.inf, 0.0], [-math.inf, -math.inf]])
def test_logits_that_are_not_finite_are_an_error(bad):
    shown = {True: "nan", False: str(max(bad))}[any(map(math.isnan, bad))]
    for logits in (bad, [[0.0, 0.0], bad]):
        with pytest.raises(FloatingPointError, match=f"the largest logit is {shown}, expected a finite number"):
            Sampling(1.0, top_k=1).distribution(logits)


def test_bad_input_is_named():
    for value in (-1.5, math.nan, math.inf):
        with pytest.raises(ValueError, match=rf"temperature must be in \[0, inf\), got {value}"):
            Sampling(value)
    with pytest.raises(TypeError, match="temperature must be a number, got 'hot'"):
        Sampling("hot")
    with pytest.raises(ValueError, match="top_k must be at least 1, got 0"):
        Sampling(1.0, top_k=0)
    with pytest.raises(TypeError, match=r"top_k must be an integer, got 2\.5"):
        Sampling(1.0, top_k=2.5)
    with pytest.raises(ValueError, match=r"top_p must be above 0, got 0"):
        Sampling(1.0, top_p=0)
    for value in (1.1, -0.1, math.nan):
        with pytest.raises(ValueError, match=r"top_p must be in \[0, 1\], got"):
            Sampling(1.0, top_p=value)
    with pytest.raises(TypeError, match="logits must be real, got dtype complex128"):
        softmax(np.zeros(3, complex))
