"""Ties of a maximum, and other points without a derivative: any subgradient passes, and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numpy_rnn as nr
from tests import strategies as some
from tests.gradient_checking.samples import assert_right, elementwise, x_54

tied = np.array([[1.0, 1.0, 0.0], [0.0, 3.0, 2.0], [2.0, 2.0, 2.0]])


def row_maximum(share):
    """Return a pair; `share` divides the gradient of a row among the elements where the mask is true."""

    def backward(d, x):
        mask = x == x.max(axis=1, keepdims=True)
        return d[:, None] * np.array([share(row) for row in mask])

    return (lambda x: (x.max(axis=1), x)), backward


def first(mask):
    return np.arange(len(mask)) == mask.argmax()


def last(mask):
    return first(mask[::-1])[::-1]


def evenly(mask):
    return mask / mask.sum()


def unevenly(mask):
    weights = mask * np.arange(1, len(mask) + 1)
    return weights / weights.sum()


def whole(mask):
    return mask * 1.0


@pytest.mark.parametrize("share", [first, last, evenly, unevenly])
@pytest.mark.parametrize("method", ["complex step", "differences"])
def test_one_of_the_tied_elements_may_have_all_or_each_a_share(share, method):
    report = assert_right(row_maximum(share), tied, method=method)
    assert "elements: left and right derivatives differ" in str(report)


@pytest.mark.parametrize(
    "share",
    [whole, lambda mask: 0.5 * mask, lambda mask: 0 * mask, lambda mask: -evenly(mask), lambda mask: 2 * first(mask)],
)
@pytest.mark.parametrize("method", ["complex step", "differences", None])
def test_more_or_less_than_one_of_them_may_get_is_wrong(share, method):
    report = nr.gradcheck(row_maximum(share), tied, method=method)
    assert report.tensors["x"].verdict == "WRONG"


def test_what_was_found_at_the_ties_is_said():
    report = nr.gradcheck(row_maximum(whole), tied)
    twice, once = report.experiment.upstream[0][0] * np.array([2, 1])
    diagnosis = report.tensors["x"].diagnosis
    assert diagnosis.startswith("at ties: [0, 0], [0, 1] are equal")
    assert f"together they get {twice:.6g}, but moved together they change the result by {once:.6g}" in diagnosis


def either(a, b):
    return np.maximum(a, b), (a, b)


a, b = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 0.0, 3.0, 5.0])


@pytest.mark.parametrize("method", ["complex step", "differences"])
def test_ties_between_two_tensors_share_one_gradient_too(method):
    rights = [
        lambda d, c: (d * (c[0] >= c[1]), d * (c[0] < c[1])),
        lambda d, c: (d * (c[0] > c[1]), d * (c[0] <= c[1])),
        lambda d, c: tuple(d * ((c[k] > c[1 - k]) + 0.5 * (c[0] == c[1])) for k in (0, 1)),
    ]
    for backward in rights:
        assert_right((either, backward), (a, b), method=method)
    twice = nr.gradcheck((either, lambda d, c: (d * (c[0] >= c[1]), d * (c[0] <= c[1]))), (a, b), method=method)
    assert [tensor.verdict for tensor in twice.tensors.values()] == ["WRONG", "WRONG"]
    assert "at ties between a and b" in twice.tensors["a"].diagnosis
    neither = nr.gradcheck((either, lambda d, c: (d * (c[0] > c[1]), d * (c[0] < c[1]))), (a, b), method=method)
    assert not neither.ok


def test_an_error_beside_ties_is_an_error():
    def backward(d, x):
        gradient = row_maximum(first)[1](d, x)
        gradient[1, 1] *= 1.01
        return gradient

    report = nr.gradcheck((row_maximum(first)[0], backward), tied)
    assert not report.ok
    assert report.tensors["x"].worst_index == (1, 1)


@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
def test_at_zero_relu_may_have_any_slope_between_both(slope):
    x = np.where(np.abs(x_54) < 0.5, 0, x_54)
    right = elementwise(lambda x: np.maximum(x, 0), lambda x: np.where(x == 0, slope, x > 0))
    assert_right(right, x)
    for off in (-0.1, 1.1):
        wrong = elementwise(lambda x: np.maximum(x, 0), lambda x, off=off: np.where(x == 0, off, x > 0))
        assert not nr.gradcheck(wrong, x).ok


@settings(max_examples=15)
@given(rng=some.rngs, N=st.integers(1, 3), width=st.integers(2, 4), levels=st.integers(1, 4))
def test_maxima_over_few_values_pass_and_handing_all_to_each_does_not(rng, N, width, levels):
    x = np.concatenate([rng.integers(0, levels, (N, width)), 9.5 * np.eye(1, width)])  # no tie in the last row
    assert_right(row_maximum(first), x)
    has_ties = ((x == x.max(axis=1, keepdims=True)).sum(axis=1) > 1).any()
    assert nr.gradcheck(row_maximum(whole), x).ok == (not has_ties)


@pytest.mark.parametrize("seed", range(12))
def test_ties_are_found_whatever_the_random_direction(seed):
    """A direction that moves an element up from a tie does not show it, so the opposite one is tried too."""
    x, y = np.array([1.0, 2, 3, 4]), np.array([1.0, 5, 3, 0])

    def back(d, cache):
        x, y = cache
        return d * (x >= y), d * (y >= x)

    assert not nr.gradcheck((lambda x, y: (np.maximum(x, y), (x, y)), back), (x, y), seed=seed).ok
