"""textbook.js and trace.js against Python, from the same initial weights: losses, gradients and traces."""

import re

import numpy as np
import pytest

from numpy_rnn import textbook
from numpy_rnn.explorer import STORY
from tests.browser.lesson import Lesson
from tests.explorer.test_explorer import FILES

pytestmark = pytest.mark.browser

TRAIN = """(epochs) => {
  const run = newModel(settings());
  for (let k = 0; k < epochs; k += 1) trainEpoch(run);
  window.run = run;
  return run.losses;
}"""
TRACE = "(epoch) => trace(run.history[epoch], run.tokens, run.targets)"
ITEMS = ["x", "z", "h", "logits", "p", "losses", "dlogits", "dh_local", "dh_future", "dh", "dz", "dx", "dh_0"]
EPOCHS = [0, 1, 2, 10, 50, 100]


@pytest.fixture(scope="module", params=["Hello, world", STORY], ids=["lesson", "story"])
def example(request):
    """T, E, H and V all differ in the first, so that a transposed matrix is noticed."""
    return Lesson(request.param, embedding_dim=5, hidden_size=10, epochs=100)


@pytest.fixture
def page(example, visit, tmp_path):
    with visit(example.write(tmp_path)) as page:
        yield page


def assert_close(ours, theirs, name):
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * max(1, np.abs(theirs).max()), err_msg=name)


def test_losses_gradients_and_traces_agree_with_python(page, example):
    losses = page.tab.evaluate(TRAIN, 100)
    np.testing.assert_allclose(losses, example.losses, rtol=1e-9)
    for epoch in EPOCHS:
        ours, theirs = page.tab.evaluate(TRACE, epoch), example.trace(epoch)
        assert ours["loss"] == pytest.approx(theirs.loss, rel=1e-9)
        for name in ITEMS:
            array = getattr(theirs, name)
            assert_close(ours[name], array[0] if name == "dh_0" else array[:, 0], name)
        for name, gradient in theirs.gradients.items():
            assert_close(ours["gradients"][name], gradient, name)
        for s, row in enumerate(ours["dh_by_loss"]):
            assert_close(row, theirs.dh_by_loss[s, : s + 1, 0], f"dh_by_loss[{s}]")
            assert_close(ours["norms"][s], np.linalg.norm(theirs.dh_by_loss[s, : s + 1, 0], axis=1), f"norms[{s}]")
        w = theirs.weights
        assert_close(ours["W_ih_x"], theirs.x[:, 0] @ w["rnn.weight_ih_l0"].T, "W_ih x")
        assert_close(ours["W_hh_h"], theirs.h[:-1, 0] @ w["rnn.weight_hh_l0"].T, "W_hh h")


def test_what_the_trained_model_writes_agrees(page, example):
    page.tab.evaluate(TRAIN, 100)
    for epoch in EPOCHS:
        ours = page.tab.evaluate("(k) => generate(run.history[k], run.tokens[0], run.T + 1)", epoch)
        assert ours == textbook.generate(example.weights[epoch], int(example.tokens[0]), example.T + 1)


FUNCTIONS = {"init": "init", "forward": "forward", "cross_entropy": "crossEntropy", "backward": "backward"}
FUNCTIONS |= {"adam": "adam", "generate": "generate"}


def test_every_function_has_the_labels_of_textbook_py():
    def labels(source, start):
        """Return the labels in each function, in order; `start` matches the line that begins one."""
        _, *pieces = re.split(start, source, flags=re.M)
        bodies = dict(zip(pieces[::2], pieces[1::2], strict=True))
        return {name: re.findall(r"\(([A-Z]\d)\)", body) for name, body in bodies.items()}

    with open(textbook.__file__, encoding="utf-8") as file:
        python = labels(file.read(), r"^def (\w+)")
    ours = labels(FILES["textbook.js"], r"^function (\w+)")
    assert {name: ours[function] for name, function in FUNCTIONS.items()} == {
        name: python[name] for name in FUNCTIONS
    }


def test_the_initial_weights_of_a_seed_have_torchs_distributions(page):
    """C from N(0, 1), all else uniform in [-1/sqrt(H), 1/sqrt(H)): mean and variance, within 5 standard errors."""
    drawn = page.tab.evaluate("init(60, 64, 64, generator(7))")
    k = 1 / np.sqrt(64)
    for name, values in drawn.items():
        values = np.ravel(values) / (1 if name == "embedding.weight" else k)
        n = len(values)
        if name == "embedding.weight":
            variance, spread = 1, np.sqrt(2 / n)
        else:
            assert np.abs(values).max() < 1
            variance, spread = 1 / 3, np.sqrt((1 / 5 - 1 / 9) / n)
        assert abs(values.mean()) < 5 * np.sqrt(variance / n), name
        assert abs(values.var() - variance) < 5 * spread, name
    other = page.tab.evaluate("init(60, 64, 64, generator(8))")
    assert other["fc.bias"] != drawn["fc.bias"] == page.tab.evaluate("init(60, 64, 64, generator(7))")["fc.bias"]
