"""Where a check may go astray: tiny losses, kinks nearby, functions that learn, long lists of words."""

import numpy as np
import pytest

import numpy_rnn as nr
from tests.gradient_checking.samples import assert_right, x_54


@pytest.mark.parametrize("scale", [1e-200, 1e-15, 1, 1e15])
@pytest.mark.parametrize("factor", [1, 1 + 1e-6, 2, -4.5])
def test_the_scale_of_a_loss_does_not_matter(scale, factor):
    def loss(w):
        return scale * np.sum(np.tanh(w) ** 2), factor * scale * 2 * np.tanh(w) * (1 - np.tanh(w) ** 2)

    assert nr.gradcheck(loss, x_54).ok == (factor == 1)


class Step:
    def __init__(self):
        self.W, self.b = np.ones((4, 2)), np.zeros(2)

    def train_step(self, x, y, lr=0.1):
        error = x @ self.W + self.b - y
        self.db = error.sum(axis=0)
        self.W = self.W - lr * 9 * x.T @ error
        return 0.5 * np.sum(error**2)


def test_a_parameter_that_a_training_step_updates_is_no_state():
    report = nr.gradcheck(Step().train_step, x_54, np.ones((5, 2)), constants=["x", "y"])
    assert not report.ok
    assert report.tensors["b"].ok
    assert report.tensors["W"].verdict == "NO GRADIENT"


class KeepsTheFirst:
    """Right for the first batch only."""

    def forward(self, x):
        self.x = getattr(self, "x", x)
        return x**2

    def backward(self, d):
        return 2 * d * self.x


def test_what_is_kept_from_the_first_batch_is_named():
    report = nr.gradcheck(KeepsTheFirst(), x_54)
    assert not report.ok
    assert "the gradient of x depends on an earlier call" in str(report).replace("\n  ", " ")


class Words:
    def __init__(self):
        self.words = {f"word {k}": k for k in range(150_000)}
        self.embedding = nr.Linear(4, 2, rng=0)

    def forward(self, x):
        return self.embedding.forward(x)

    def backward(self, d):
        return self.embedding.backward(d)


def test_a_large_vocabulary_hides_no_parameters():
    assert set(assert_right(Words(), x_54).tensors) == {"x", "embedding.weight", "embedding.bias"}


@pytest.mark.parametrize("seed", range(6))
def test_many_kinks_nearby_are_not_taken_for_float32(seed):
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal((64, 20)), rng.standard_normal((20, 100))

    def loss(w):  # through float(), so without the complex step
        h = np.maximum(x @ w, 0)
        return float(np.mean(h)), x.T @ ((h > 0) / h.size)

    report = assert_right(loss, w, constants=["x"])
    assert "float32" not in str(report)


@pytest.mark.parametrize(
    ("f", "slope", "x"),
    [
        (np.log, lambda x: 1 / x, [1e-3, 1, 2]),
        (lambda x: 1 / np.float64(x), lambda x: -1 / x**2, [1e-4, 1, 2]),
        (np.sqrt, lambda x: 0.5 / np.sqrt(x), [1e-3, 1, 2]),
    ],
)
def test_near_the_edge_of_a_domain_the_steps_are_small(f, slope, x):
    assert_right(lambda x: (float(np.sum(f(x))), slope(x)), np.array(x))


def test_constants_may_name_arguments_that_need_no_gradient_anyway():
    def loss(W, x, labels):
        p = np.exp(x @ W)
        p /= p.sum(axis=1, keepdims=True)
        d = p - np.eye(3)[labels]
        return -np.log(p[np.arange(5), labels]).mean(), x.T @ d / 5

    W, labels = np.linspace(-1, 1, 12).reshape(4, 3), np.array([0, 1, 2, 1, 0])
    assert list(assert_right(loss, W, x_54, labels, constants=["x", "labels"]).tensors) == ["W"]


class TwoGradients:
    """`dW` is right, but an optimizer that reads `grads` gets other numbers."""

    factor = 5

    def __init__(self):
        self.params = {"W": np.linspace(-1, 1, 8).reshape(4, 2)}

    def forward(self, x):
        self.x = x
        return x @ self.params["W"]

    def backward(self, d):
        self.dW = self.x.T @ d
        self.grads = {"W": self.factor * self.dW}
        return d @ self.params["W"].T


def test_a_second_gradient_with_other_numbers_is_mentioned():
    words = "another array that is called a gradient of W differs: not checked"
    assert words in nr.gradcheck(TwoGradients(), x_54).notes
    same = TwoGradients()
    same.factor = 1
    assert words not in assert_right(same, x_54).notes
