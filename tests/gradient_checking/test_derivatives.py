"""Complex step, differences, and points where forward is not differentiable."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn.gradient_checking.derivatives import richardson
from tests import strategies as some
from tests.gradient_checking.samples import assert_right, elementwise, x_54


@pytest.mark.parametrize(
    ("f", "slope", "words"),
    [
        (lambda x: np.abs(x) ** 3, lambda x: 3 * x * np.abs(x), "drops the imaginary part of x"),
        (lambda x: np.array(x, float) ** 2, lambda x: 2 * x, "drops the imaginary part"),
        (lambda x: (x * np.conj(x)).real, lambda x: 2 * x, "drops the imaginary part of x"),
        (lambda x: x * np.conj(x), lambda x: 2 * x, "not analytic in x"),
        (lambda x: np.hypot(x, 1), lambda x: x / np.hypot(x, 1), "does not run on complex numbers"),
    ],
)
def test_where_the_complex_step_cannot_be_used_differences_are_and_why_is_said(f, slope, words):
    pair, x = elementwise(f, slope), np.random.default_rng(0).standard_normal((3, 4))
    report = assert_right(pair, x)
    assert report.method == "differences"
    assert words in str(report)
    with pytest.raises(ValueError, match=f"method 'complex step' cannot be used: .*{words}"):
        nr.gradcheck(pair, x, method="complex step")


@pytest.mark.parametrize("scale", [1e-6, 1, 1e6])
@pytest.mark.parametrize("method", ["complex step", "differences"])
def test_the_step_follows_the_size_of_the_tensor(scale, method):
    x = scale * np.random.default_rng(0).standard_normal((3, 4))
    pair = elementwise(
        lambda x: np.tanh(x / scale) + np.exp(x / scale),
        lambda x: (1 - np.tanh(x / scale) ** 2 + np.exp(x / scale)) / scale,
    )
    assert_right(pair, x, method=method)
    off = nr.gradcheck((pair[0], lambda dy, x: (1 + 1e-7) * pair[1](dy, x)), x, method=method)
    assert not off.ok


@given(rng=some.rngs, method=st.sampled_from([None, "complex step", "differences"]), N=st.integers(1, 5))
def test_points_where_relu_has_no_slope_are_no_errors(rng, method, N):
    x = np.maximum(rng.standard_normal((N, 6)), 0)  # half of them are zero
    relu = elementwise(lambda x: np.maximum(x, 0), lambda x: x > 0)
    if not x.any():
        assert "x cannot be checked at this point" in str(nr.gradcheck(relu, x))
        return
    report = assert_right(relu, x, method=method)
    zeros = int((x == 0).sum())
    if zeros:
        assert f"x is not differentiable at {zeros} of {x.size} elements" in str(report)


def test_a_wrong_slope_beside_kinks_is_still_found():
    x = np.array([-1.0, 0.0, 2.0])
    report = nr.gradcheck(elementwise(lambda x: np.maximum(x, 0), lambda x: 2.0 * (x > 0)), x)
    assert not report.ok
    assert report.tensors["x"].worst_index == (2,)
    assert list(report.tensors["x"].kinks) == [False, True, False]
    # At a kink anything between the two slopes will do, and nothing else.
    assert not nr.gradcheck(elementwise(lambda x: np.maximum(x, 0), lambda x: np.where(x == 0, -1.0, x > 0)), x).ok


def test_ties_of_a_maximum_are_no_errors():
    def backward(dy, x):
        dx = np.zeros_like(x)
        dx[np.arange(len(x)), x.argmax(axis=1)] = dy
        return dx

    x = np.array([[1.0, 1.0, 0.0], [0.0, 3.0, 2.0]])
    report = assert_right((lambda x: (x.max(axis=1), x), backward), x, method="differences")
    assert "x is not differentiable at 2 of 6 elements" in str(report)


def test_a_large_tensor_that_is_wrong_is_looked_at_by_coordinates_too():
    x = np.random.default_rng(0).standard_normal((60, 50))
    report = nr.gradcheck(elementwise(np.tanh, lambda x: 2 * (1 - np.tanh(x) ** 2)), x)
    assert not report.ok
    assert report.tensors["x"].diagnosis == "twice what it should be"
    assert report.tensors["x"].worst_index is not None
    assert np.isfinite(report.tensors["x"].numeric).sum() == 48
    assert not nr.gradcheck(elementwise(np.tanh, lambda x: 1 - np.tanh(x)), x, full=False, method="differences").ok


def test_a_forward_in_float32_is_judged_by_its_own_rounding():
    def forward(x):
        return np.tanh(x.astype(np.float32)), x

    x = np.random.default_rng(0).standard_normal((3, 4))
    report = assert_right((forward, lambda dy, x: dy * (1 - np.tanh(x) ** 2)), x)
    assert "cannot be seen: forward computes in float32" in str(report)
    assert not nr.gradcheck((forward, lambda dy, x: dy * 1.002 * (1 - np.tanh(x) ** 2)), x).ok


def test_differences_are_of_sixth_order():
    x = np.array([2.4, 8.0, -5.6])
    derivative, error = richardson(lambda values: np.sin(values["x"]), {"x": x}, "x", np.ones(3))
    off = np.abs(derivative - np.cos(x))
    # A fourth-order term in the result, even a small part of one, would leave 1e-12; rounding leaves 1e-14.
    assert off.max() < 2e-13
    assert (off < error).all()


@pytest.mark.parametrize("full", [True, False])
def test_where_every_slope_is_at_a_kink_nothing_is_said_to_be_right(full):
    def forward(x, w):
        return np.maximum(x @ w, 0), (x, w)

    report = nr.gradcheck((forward, lambda d, c: (0 * c[0], c[0].T @ (0.3 * d))), (x_54, np.zeros((4, 3))), full=full)
    assert not report.ok
    assert "w cannot be checked at this point" in str(report)


def test_a_forward_that_only_looks_like_float32_is_judged_in_float64():
    dead = nr.gradcheck((lambda x: (np.maximum(x - 100, 0), x), lambda d, x: 0 * d), x_54)
    assert "float32" not in str(dead)
    half = nr.gradcheck((lambda x: (np.tanh(x.astype(np.float16)), x), lambda d, x: d * (1 - np.tanh(x) ** 2)), x_54)
    assert "forward computes in float16" in str(half)
