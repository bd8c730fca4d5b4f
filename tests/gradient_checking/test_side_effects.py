"""Backward passes that modify arrays of the caller, or that depend on an earlier call."""

import numpy as np
import pytest

import numpy_rnn as nr
from tests.gradient_checking.samples import assert_right, conduct, in_place


def test_faults_of_conduct_are_named():
    assert conduct().ok
    for report, words in [
        (conduct(backward=lambda dy, x: in_place(dy, 2 * dy * x)), "backward modifies the upstream gradient doutput"),
        (conduct(backward=lambda dy, x: in_place(x, 2 * dy * x)), "backward modifies x"),
        (conduct(lambda x: (in_place(x, 2 * x) * 1, x), lambda dy, x: 2 * dy), "forward modifies its input x"),
        (
            conduct(
                lambda x: (y := x * x, (x, y)),
                lambda dy, c: in_place(c[1], 2 * dy * c[0]),
            ),
            "backward modifies what forward returned, output",
        ),
    ]:
        assert not report.ok
        assert words in str(report)


class Square:
    """A layer; its subclasses have faults that only show in a second call."""

    def __init__(self):
        self.w = np.array([1.5])
        self.dw = np.zeros(1)

    def forward(self, x):
        self.x = x
        return self.w * x * x


class Accumulating(Square):
    def backward(self, dy):
        self.dw += np.sum(dy * self.x * self.x)
        return 2 * dy * self.w * self.x


class WithZeroGrad(Accumulating):
    def zero_grad(self):
        self.dw[...] = 0


class OverwritesItsCache(Square):
    def backward(self, dy):
        self.dw = np.sum(dy * self.x * self.x, keepdims=True).reshape(1)
        self.x = 2 * dy * self.w * self.x
        return self.x


class Stale(Square):
    calls = 0

    def backward(self, dy):
        self.dw = np.sum(dy * self.x * self.x, keepdims=True).reshape(1)
        self.first = getattr(self, "first", dy)
        return 2 * self.first * self.w * self.x


class Once(Square):
    def backward(self, dy):
        x = self.__dict__.pop("x")
        self.dw = np.sum(dy * x * x, keepdims=True).reshape(1)
        return 2 * dy * self.w * x


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Accumulating, "gradients accumulate from call to call: backward adds to w"),
        (OverwritesItsCache, "two backward calls after one forward return different gradients of"),
        (Stale, "the gradient of x depends on an earlier call"),
    ],
)
def test_a_backward_that_remembers_is_named(kind, words):
    report = nr.gradcheck(kind(), np.random.default_rng(0).standard_normal((3, 4)))
    assert not report.ok
    assert words in str(report)
    assert "backward has side effects" in str(report)


def test_a_backward_that_may_be_called_once_or_zeroes_its_gradients_is_right():
    x = np.random.default_rng(0).standard_normal((3, 4))
    assert_right(WithZeroGrad(), x)
    assert "only once per forward" in str(assert_right(Once(), x))


def test_a_forward_that_draws_is_named():
    report = conduct(lambda x: (x * np.random.default_rng().random(x.shape), x), lambda dy, x: dy)
    assert not report.ok
    assert report.tensors == {}
    assert "forward returns different results for the same inputs" in str(report)
    assert "WRONG" not in str(report)


def test_a_forward_that_misbehaves_is_not_laid_on_backward():
    report = conduct(lambda x: (in_place(x, x + 1) ** 2, x), lambda d, x: 2 * d * x)
    assert report.faults == ["forward modifies its input x"]
    assert "forward has side effects (its gradient is right)" in str(report)
