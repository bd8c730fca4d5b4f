"""Traces and reports in a notebook: well-formed and escaped HTML with the numbers of the arrays."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from tests import strategies as some
from tests.documents.wrong_rnn import at, rnn_backward, rnn_forward

TAGS = ["p", "pre", "table", "caption", "thead", "tbody", "tr", "th", "td", "svg", "rect", "text", "title"]


class Page(HTMLParser):
    """Collects table cells by row, titles and opacities of rectangles, and all other text; checks that tags match."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.rows, self.titles, self.opacities, self.words = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        assert tag in TAGS
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag == "rect":
            self.opacities.append(float(dict(attributes)["fill-opacity"]))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        where = self.open[-1] if self.open else ""
        if where in ("th", "td"):
            self.rows[-1].append(data)
        elif where == "title":
            self.titles.append(data)
        else:
            self.words.append(data)


@given(rng=some.rngs, T=some.T, B=st.integers(1, 3), V=some.V, H=some.sizes)
def test_a_trace_shows_its_own_numbers(rng, T, B, V, H):
    model = nr.CharRNN(V, 2, H, rng=rng)
    trace = nr.trace(model, some.tokens(rng, V, T, B), some.tokens(rng, V, T, B))
    page = Page(trace._repr_html_())
    norms = np.linalg.norm(trace.dh_by_loss[:, :, 0], axis=2)
    pairs = [(s, t) for s in range(T) for t in range(s + 1)]
    assert page.titles == [f"|dL_{s + 1}/dh_{t + 1}| = {norms[s, t]:.4g}" for s, t in pairs]
    sizes = np.array([norms[pair] for pair in pairs])
    order = np.argsort(sizes)
    assert (np.diff(np.array(page.opacities)[order]) >= 0).all()
    assert page.opacities[order[-1]] == (1 if sizes.any() else 0)
    for s, t in pairs:  # a fifth paler for each power of ten
        if norms[s, t] > norms.max() * 1e-5:
            expected = 1 + np.log10(norms[s, t] / norms.max()) / 5
            assert page.opacities[pairs.index((s, t))] == pytest.approx(expected, abs=0.0051)
    assert [row[0] for row in page.rows[1:]] == list(trace.gradients)
    for name, shape, norm, *lost in page.rows[1:]:
        assert shape == str(trace.gradients[name].shape)
        assert norm == f"{np.linalg.norm(trace.gradients[name]):.3g}"
        assert lost == [f"{100 * trace.truncation_lost[name][int(k[4:]) - 1]:.2g} %" for k in page.rows[0][3:]]
    assert any(f"loss {trace.loss:.4f}" in words for words in page.words)


def test_only_the_first_steps_of_a_long_trace_are_drawn():
    tokens = np.arange(51).reshape(-1, 1) % 3
    page = Page(nr.trace(nr.CharRNN(3, 2, 2, rng=0), tokens[:-1], tokens[1:])._repr_html_())
    assert len(page.titles) == 40 * 41 // 2
    assert any("The first 40 of 50 steps." in words for words in page.words)


def test_a_trace_without_gradient_can_be_shown():
    model = nr.CharRNN(2, 2, 2, rng=0)
    model.fc.weight.data[...] = 0
    page = Page(nr.trace(model, [[0], [1]], [[1], [0]])._repr_html_())
    assert page.opacities == [0, 0, 0]


def test_a_report_shows_what_it_prints():
    report = nr.gradcheck((rnn_forward, rnn_backward), tuple(at().values()))
    assert not report.ok
    printed = str(report)
    page = Page(report._repr_html_())
    shown = "\n".join(page.words)
    for line in printed.split("\n\n")[0].split("\n"):
        assert line.strip() in shown
    names = [row[0] for row in page.rows]
    assert names == ["tensor", *report.tensors]
    for row in page.rows:
        pattern = r"\s+".join(re.escape(cell) for cell in row if cell)
        assert re.search(pattern, printed), row
    for tensor in report.tensors.values():
        assert tensor.verdict == "WRONG"
    for line in str(report.suspect).splitlines():
        assert line.strip() in shown
    assert "largest relative error by time step" in shown


def test_a_report_shows_what_the_numbers_show():
    report = nr.gradcheck((lambda x: (x**2, x), lambda dy, x: dy * x), (np.arange(1.0, 4.0),))
    assert "x: half what it should be" in Page(report._repr_html_()).words


def test_a_report_escapes_names():
    def double(x):
        return 2 * x, None

    double.__name__ = "<b>&"
    report = nr.gradcheck((double, lambda dy, cache: 2 * dy), (np.ones(3),))
    assert any("<b>&" in words for words in Page(report._repr_html_()).words)
