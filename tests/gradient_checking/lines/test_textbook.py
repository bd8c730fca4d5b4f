"""The backward pass of textbook.py: each labelled line computes the gradient that the equation of its label names."""

import inspect
import re

import numpy as np
import pytest

import numpy_rnn as nr
from numpy_rnn import textbook

# The line's first name, its labels in docs/backprop.md, and the gradient that these define.
EQUATIONS = [
    ("dW", "L3", r"adds up to dL/d\(fc.weight\)"),
    ("db", "L4", r"adds up to dL/d\(fc.bias\)"),
    ("dh", "L2 R3", r"dL/d\(h\[t \+ 1\]\)"),  # the new state, h[t + 1]
    ("dz", "R4", r"dL/d\(z\)"),
    ("dW_ih", "R5", r"adds up to dL/d\(rnn.weight_ih_l0\)"),
    ("dW_hh", "R5", r"adds up to dL/d\(rnn.weight_hh_l0\)"),
    ("db_ih", "R5", r"adds up to dL/d\(rnn.bias_ih_l0\)"),
    ("db_hh", "R5", r"adds up to dL/d\(rnn.bias_hh_l0\)"),
    ("dx", "R6", r"dL/d\(x\[t\]\)"),
    ("np", "E2", r"adds up to dL/d\(embedding.weight\)"),
    ("dh_next", "R3 R6", r"the part of dL/d\(h\[t\]\) .* through `h\[t\] @ W_hh.T`"),  # or dh_0, after the loop
]
STEPS = {"dh": (1, 2, 3), "dz": (1, 2, 3), "dx": (1, 2, 3), "dh_next": (2, 3)}


@pytest.fixture(scope="module")
def report():
    def forward(p, tokens, h_0):
        logits, x, h = textbook.forward(p, tokens, h_0)
        return (logits, h[-1]), (p, tokens, x, h)

    def backward(cache, dlogits, dh_n):
        return textbook.backward(*cache, dlogits, dh_n)

    rng = np.random.default_rng(0)
    inputs = {"tokens": rng.integers(5, size=(3, 2)), "h_0": rng.standard_normal((2, 4))}
    return nr.gradcheck((forward, backward), inputs, textbook.init(5, 3, 4, rng))


def labelled():
    source, first = inspect.getsourcelines(textbook.backward)
    for number, text in enumerate(source, first):
        if labels := re.findall(r"\(([A-Z]\d)\)", text):
            yield number, re.match(r"\s*(\w+)", text)[1], " ".join(labels)


def test_every_labelled_line_is_known():
    assert [(name, labels) for _, name, labels in labelled()] == [(name, labels) for name, labels, _ in EQUATIONS]


@pytest.mark.parametrize(("name", "labels", "gradient"), EQUATIONS)
def test_a_line_computes_what_the_equation_of_its_label_says(report, name, labels, gradient):
    number = next(number for number, *line in labelled() if line == [name, labels])
    found = [line for line in report.lines if line.line == number and line.filename == textbook.__file__]
    assert any(re.match(gradient, line.equals or "") for line in found), [line.equals for line in found]
    assert {line.verdict for line in found} == {"right"}
    assert any(line.steps == STEPS.get(name, line.steps) for line in found)


def test_nothing_else_is_wrong(report):
    assert report.ok
    assert report.suspect is None
    assert {line.verdict for line in report.lines} == {"right", "not a gradient"}
