"""When the debugger runs: on demand, once, and without a trace in the user's objects and random states."""

import random

import numpy as np
import pytest

import numpy_rnn as nr
from numpy_rnn.gradient_checking import report as report_module


class Dropout:
    """Wrong: the mask is not scaled in backward."""

    def __init__(self, w):
        self.w, self.seen = w, []

    def forward(self, x):
        self.mask = (np.random.random(x.shape) < 0.5) / 0.5  # noqa: NPY002
        self.seen.append(random.random())
        self.x = x
        return x * self.w * self.mask

    def backward(self, dy):
        dz = dy * (self.mask > 0)
        self.dw = (dz * self.x).sum(axis=0)
        return dz * self.w


@pytest.fixture
def wrong():
    return nr.gradcheck(Dropout(np.arange(1.0, 5)), np.random.default_rng(0).standard_normal((6, 4)))


def test_only_who_asks_for_a_line_waits_for_it(monkeypatch):
    calls = []
    monkeypatch.setattr(report_module, "explain", lambda *a, kept=report_module.explain: calls.append(a) or kept(*a))
    layer, x = nr.Linear(3, 2, rng=np.random.default_rng(0)), np.eye(3)
    right = nr.gradcheck(layer, x)
    assert right.ok, str(right)
    assert right._repr_html_()
    assert right.suspect is None
    assert not calls
    assert right.lines is right.lines
    assert len(calls) == 1
    wrong = nr.gradcheck(Dropout(np.arange(1.0, 4)), np.random.default_rng(0).standard_normal((6, 3)))
    assert not wrong.ok
    assert wrong.tensors["w"].verdict == "WRONG"
    assert len(calls) == 1
    assert "suspect: line" in str(wrong)
    assert "suspect: line" in wrong._repr_html_()
    assert wrong.lines
    assert len(calls) == 2


def test_an_error_in_the_debugger_hides_no_verdict(monkeypatch, wrong):
    monkeypatch.setattr(report_module, "explain", lambda *a: 1 / 0)
    assert "2 of 2 gradients wrong" in str(wrong)
    assert "no line is named: ZeroDivisionError: division by zero" in str(wrong)
    assert wrong.suspect is None
    assert wrong.annotated().startswith("no line is named")


def test_it_changes_neither_random_states_nor_the_layer():
    layer = Dropout(np.arange(1.0, 5))
    report = nr.gradcheck(layer, np.random.default_rng(0).standard_normal((6, 4)))
    states = str(np.random.get_state()), random.getstate()  # noqa: NPY002
    assert report.suspect.source == "dz = dy * (self.mask > 0)"
    assert (str(np.random.get_state()), random.getstate()) == states  # noqa: NPY002
    assert set(vars(layer)) == {"w", "seen"}
    assert layer.seen == []
    assert np.array_equal(layer.w, np.arange(1.0, 5))
