"""Losses: their upstream gradient is 1, so that the printed numbers are the user's."""

import numpy as np
import pytest

import numpy_rnn as nr
from tests.gradient_checking.samples import assert_right

rng = np.random.default_rng(3)
scores, labels, W = rng.standard_normal((4, 3)), np.array([2, 0, 1, 1]), rng.standard_normal((5, 3))
X = rng.standard_normal((4, 5))


def softmax_loss(scores, labels):
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -np.log(p[rows, labels]).mean()
    p[rows, labels] -= 1
    return loss, p / len(labels)


def ridge_loss(W, X, labels, reg):
    loss, dscores = softmax_loss(X @ W, labels)
    dW = X.T @ dscores + 2 * reg * W
    return loss + reg * np.sum(W * W), dW


class Loss:
    """A loss in two methods, with or without an upstream gradient; `power` is that of it in backward."""

    power = 1

    def forward(self, scores, labels):
        self.loss, self.gradient = softmax_loss(scores, labels)
        return self.loss

    def backward(self, d=1):
        return d**self.power * self.gradient


class WithoutUpstream(Loss):
    def backward(self):
        return self.gradient


class PythonNumber(Loss):
    def forward(self, scores, labels):
        return float(super().forward(scores, labels))


@pytest.mark.parametrize("kind", [Loss, WithoutUpstream, PythonNumber])
def test_the_printed_numbers_are_those_of_the_user(kind):
    report = assert_right(kind(), scores, labels)
    np.testing.assert_array_equal(report.tensors["scores"].analytic, softmax_loss(scores, labels)[1])
    row = next(line for line in str(report).splitlines() if line.startswith("scores "))
    worst = report.tensors["scores"].worst_index
    assert f"{softmax_loss(scores, labels)[1][worst]:.9g}" in row


def test_a_function_that_returns_both_has_the_upstream_gradient_one_too():
    report = assert_right(softmax_loss, scores, labels)
    np.testing.assert_array_equal(report.tensors["scores"].analytic, softmax_loss(scores, labels)[1])
    report = assert_right(ridge_loss, W, X, labels, 0.3, constants=["X"])
    np.testing.assert_array_equal(report.tensors["W"].analytic, ridge_loss(W, X, labels, 0.3)[1])


@pytest.mark.parametrize(("power", "is_right"), [(0, True), (1, True), (2, False), (0.5, False), (-1, False)])
def test_a_wrong_power_of_the_upstream_gradient_is_a_fault_and_none_is_a_note(power, is_right):
    loss = Loss()
    loss.power = power
    report = nr.gradcheck(loss, scores, labels)
    assert report.tensors["scores"].verdict == "ok"  # at 1 it is right
    assert report.ok == is_right
    assert ("backward ignores the upstream gradient of the loss" in str(report)) == (power == 0)
    fault = "the gradient of scores is not proportional to the upstream gradient of the loss"
    assert (fault in str(report)) == (not is_right)


def test_the_note_is_printed_for_the_second_of_two_tensors_too():
    def forward(a, b):
        return np.sum(a * b), (a, b)

    report = nr.gradcheck((forward, lambda d, c: (d * c[1], c[0])), (scores, scores + 1))
    assert report.faults == ["the gradient of b is not proportional to the upstream gradient of the loss"]


def test_a_pair_of_a_loss_may_take_an_upstream_gradient_or_none():
    both = lambda scores, labels: softmax_loss(scores, labels)  # noqa: E731
    assert_right((both, lambda gradient: gradient), (scores, labels))
    assert_right((both, lambda d, gradient: d * gradient), (scores, labels))
    assert not nr.gradcheck((both, lambda gradient: 1.01 * gradient), (scores, labels)).ok


def test_an_array_of_losses_has_random_upstream_gradients():
    def each(scores):
        return np.sum(scores**2, axis=1), scores

    report = assert_right((each, lambda d, scores: 2 * d[:, None] * scores), scores)
    assert len(set(np.ravel(report.experiment.upstream))) == 4
    assert not nr.gradcheck((each, lambda d, scores: 2 * scores), scores).ok  # as if it were their sum


@pytest.mark.parametrize("factor", [1.001, 4, -1])
def test_a_wrong_gradient_beside_its_loss_is_found(factor):
    def wrong(W, X, labels, reg):
        loss, dW = ridge_loss(W, X, labels, reg)
        dW *= factor
        return loss, dW

    report = nr.gradcheck(wrong, W, X, labels, 0.3, constants=["X"])
    assert {name: tensor.verdict for name, tensor in report.tensors.items()} == {"W": "WRONG"}


def test_data_of_a_loss_need_gradients_or_a_name():
    report = nr.gradcheck(ridge_loss, W, X, labels, 0.3)
    assert report.tensors["X"].verdict == "NO GRADIENT"
    assert "BUT X NOT CHECKED" in str(report).splitlines()[0]
