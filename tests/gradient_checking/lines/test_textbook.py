"""The backward passes of the textbook: each labelled line computes the gradient that its label's equation names."""

import inspect
import re
from functools import cache

import numpy as np
import pytest

import numpy_rnn as nr
from numpy_rnn import textbook, textbook_gru, textbook_lstm

# For each page: the line's first name, its labels in docs/backprop.md, and the gradient that these define.
OUTPUT = [
    ("dW", "L3", r"adds up to dL/d\(fc.weight\)"),
    ("db", "L4", r"adds up to dL/d\(fc.bias\)"),
]


def parameters(label):
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [(f"d{n[0].replace('w', 'W')}_{n[-2:]}", label, rf"adds up to dL/d\(rnn.{n}_l0\)") for n in names]


EQUATIONS = {
    textbook: [
        *OUTPUT,
        ("dh", "L2 R3", r"dL/d\(h\[t \+ 1\]\)"),  # the new state, h[t + 1]
        ("dz", "R4", r"dL/d\(z\)"),
        *parameters("R5"),
        ("dx", "R6", r"dL/d\(x\[t\]\)"),
        ("np", "E2", r"adds up to dL/d\(embedding.weight\)"),
        ("dh_next", "R3 R6", r"the part of dL/d\(h\[t\]\) .* through `h\[t\] @ W_hh.T`"),  # or dh_0, after the loop
    ],
    textbook_lstm: [
        *OUTPUT,
        ("dh", "L2 LS5", r"dL/d\(h\[t \+ 1\]\)"),
        ("dc", "LS6", r"dL/d\(c\[t \+ 1\]\)"),
        *[(f"d{gate}", "LS7", rf"dL/d\({gate}\)") for gate in "ifgo"],
        *[(f"dz_{gate}", "LS8", rf"dL/d\(z_{gate}\)") for gate in "ifgo"],
        *parameters("LS9"),
        ("dx", "LS10", r"dL/d\(x\[t\]\)"),
        ("dh_next", "LS5 LS10", r"the part of dL/d\(h\[t\]\) .* through `h\[t\] @ W_hh.T`"),
        ("dc_next", "LS6 LS10", r"the part of dL/d\(c\[t \+ 1\]\) .* through `f \* c\[t\]`"),  # of the step before
    ],
    textbook_gru: [
        *OUTPUT,
        ("dh", "L2 GR5", r"dL/d\(h\[t \+ 1\]\)"),
        *[(f"d{gate}", "GR6", rf"dL/d\({gate}\)") for gate in "zn"],
        ("da_n", "GR7", r"dL/d\(a_n\)"),
        ("dr", "GR7", r"dL/d\(r\)"),
        ("du_n", "GR7", r"dL/d\(u_n\)"),
        *[(f"da_{gate}", "GR8", rf"dL/d\(a_{gate}\)") for gate in "rz"],
        *parameters("GR9"),
        ("dx", "GR10", r"dL/d\(x\[t\]\)"),
        ("dh_next", "GR5 GR10", r"the part of dL/d\(h\[t\]\) .* through `h\[t\] @ W_hh.T`, `z \* h\[t\]`"),
    ],
}
# The last pass of the loop leaves the gradients of the initial states in these.
STEPS = {"dh_next": (2, 3), "dc_next": (1, 2)}  # of steps that read h[t], and of steps that compute c[t + 1]
LINES = [pytest.param(page, *line, id=f"{page.__name__}-{line[0]}") for page in EQUATIONS for line in EQUATIONS[page]]


@cache
def report(page):
    run, back = page.forward, page.backward

    def forward(p, x, *initial):
        logits, *tape = run(p, x, *initial)
        states = tape[1:] if page is textbook else tape[:-1]
        return (logits, *(s[-1] for s in states)), (p, x, *tape)

    def backward(cache, *upstream):
        return back(*cache, *upstream)

    rng = np.random.default_rng(0)
    T, B, V, E, H = 3, 2, 5, 3, 4
    x = rng.integers(V, size=(T, B)) if page is textbook else rng.standard_normal((T, B, V))
    states = [rng.standard_normal((B, H)) for _ in range(2 if page is textbook_lstm else 1)]
    p = page.init(V, E, H, rng) if page is textbook else page.init(V, H, rng)
    return nr.gradcheck((forward, backward), (x, *states), p)


def labelled(page):
    source, first = inspect.getsourcelines(page.backward)
    for number, text in enumerate(source, first):
        if labels := re.findall(r"\(([A-Z]+\d+)\)", text):
            yield number, re.match(r"\s*(\w+)", text)[1], " ".join(labels)


@pytest.mark.parametrize("page", EQUATIONS)
def test_every_labelled_line_is_known(page):
    assert [(name, labels) for _, name, labels in labelled(page)] == [line[:2] for line in EQUATIONS[page]]


@pytest.mark.parametrize(("page", "name", "labels", "gradient"), LINES)
def test_a_line_computes_what_the_equation_of_its_label_says(page, name, labels, gradient):
    number = next(number for number, *line in labelled(page) if line == [name, labels])
    found = [line for line in report(page).lines if line.line == number and line.filename == page.__file__]
    assert {line.verdict for line in found} == {"right"}
    steps = [line.steps for line in found if re.match(gradient, line.equals or "")]
    assert steps, [line.equals for line in found]
    if not gradient.startswith("adds up"):
        assert STEPS.get(name, (1, 2, 3)) in steps


@pytest.mark.parametrize("page", EQUATIONS)
def test_nothing_else_is_wrong(page):
    assert report(page).ok
    assert report(page).suspect is None
    assert {line.verdict for line in report(page).lines} == {"right", "not a gradient"}
