"""The text heatmap and the pictures of a trace."""

import io
import re
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn.display.terminal import visible
from numpy_rnn.tracing.heatmap import SHADES
from numpy_rnn.tracing.items import labels, norms, what_is_left
from tests import strategies as some

TEXT = "Hello, how are you?"


def make(text=TEXT, H=8, seed=0):
    vocabulary = nr.Vocabulary.from_text(text)
    model = nr.CharRNN(len(vocabulary), 4, H, rng=seed)
    tokens = vocabulary.encode(text).reshape(-1, 1)
    return vocabulary, nr.trace(model, tokens[:-1], tokens[1:])


def rows(picture):
    """Return the shades of each row of a single heatmap."""
    return [line[8:] for line in picture.splitlines() if re.match(r".{4,5}→", line)]


@given(rng=some.rngs, T=st.integers(1, 12), B=st.integers(1, 3), data=st.data())
def test_every_shade_is_the_power_of_ten(rng, T, B, data):
    model = nr.CharRNN(3, 4, 5, rng=rng)
    tokens, targets = some.tokens(rng, 3, T, B), some.tokens(rng, 3, T, B)
    trace, sequence = nr.trace(model, tokens, targets), data.draw(st.integers(0, B - 1))
    vocabulary = nr.Vocabulary("abc")
    picture = rows(trace.heatmap(vocabulary, sequence=sequence))
    sizes = np.linalg.norm(trace.dh_by_loss[:, :, sequence], axis=2)
    assert len(picture) == T
    for s, line in enumerate(picture):
        assert len(line) == 2 * (s + 1)
        for t in range(s + 1):
            decade = min(int(-np.log10(sizes[s, t] / sizes.max())), len(SHADES) - 1)
            assert line[2 * t : 2 * t + 2] == 2 * SHADES[decade]


def test_both_axes_are_labelled_with_characters():
    vocabulary, trace = make()
    picture = trace.heatmap(vocabulary)
    assert " " * 8 + " ".join("Hello,␣how␣are␣you") in picture.splitlines()
    assert [line[2:7] for line in picture.splitlines() if re.match("  . → ", line)] == [
        f"{visible(a)} → {visible(b)}" for a, b in pairwise(TEXT)
    ]
    assert labels(trace, vocabulary, 0)[1][-1] == "?"


def test_what_is_left_of_a_gradient():
    sizes = np.array([[4.0, 0, 0], [1, 2, 0], [0, 0, 0]])
    assert what_is_left(sizes, 0).tolist() == [1, 1]  # the third loss has no gradient
    assert what_is_left(sizes, 1).tolist() == [0.5]
    assert what_is_left(sizes, 2).tolist() == []


def test_the_table_is_the_median(capsys):
    vocabulary, trace = make()
    sizes = norms(trace, 0)
    for d in (1, 4, 16):
        median = np.median([sizes[s, s - d] / sizes[s, s] for s in range(d, 18)])
        assert f"{median:9.2g}" in trace.heatmap(vocabulary).splitlines()[-1]


@pytest.mark.parametrize("width", [40, 80, 100, 120])
@pytest.mark.parametrize("text", [TEXT, "ab" * 100, "日本語 and more, " * 5])
def test_no_line_is_longer_than_the_width(width, text):
    vocabulary, trace = make(text)
    lines = trace.heatmap(vocabulary, trace, width=width).splitlines()
    heatmaps = lines[lines.index("") :]
    assert max(len(line) + sum(character in "日本語" for character in line) for line in heatmaps[:-4]) <= width
    cut_off = [line for line in lines if line.startswith("(cut off: the first ")]
    shown = len([line for line in lines if "→" in line[:6]])
    if cut_off:
        first, of, rest = map(int, re.findall(r"\d+", cut_off[0]))
        assert (shown in (first, 2 * first), of, rest) == (True, len(text) - 1, of - first)
    else:
        assert shown in (len(text) - 1, 2 * len(text) - 2)
    assert bool(cut_off) == (len(text) - 1 > (width - 8) // (2 if "日" in text else 1))


def test_before_and_after_are_side_by_side_where_they_fit():
    vocabulary, before = make()
    _, after = make(seed=1)
    beside = before.heatmap(vocabulary, after).splitlines()
    below = before.heatmap(vocabulary, after, width=80).splitlines()
    line = f"before training, loss {before.loss:.4f}"
    assert next(x for x in beside if x.startswith("before")).split("    ")[0] == line
    assert any(x.endswith(f"after training, loss {after.loss:.4f}") and x.startswith(line) for x in beside)
    assert line in below
    assert f"after training, loss {after.loss:.4f}" in below
    ours = rows(before.heatmap(vocabulary)), rows(after.heatmap(vocabulary))
    assert rows("\n".join(below)) == [*ours[0], *ours[1]]
    assert [re.split(r" {2,}. → . ", line) for line in rows("\n".join(beside))] == list(
        map(list, zip(*ours, strict=True))
    )


def test_a_single_step_and_a_loss_without_gradient():
    vocabulary, trace = make("ab")
    assert rows(trace.heatmap(vocabulary)) == [SHADES[0] * 2]
    assert "no way back" in trace.heatmap(vocabulary)
    model = nr.CharRNN(2, 4, 4, rng=0)
    model.fc.weight.data[...] = 0
    trace = nr.trace(model, [[0], [1], [0]], [[1], [0], [1]])
    assert rows(trace.heatmap(vocabulary))[2] == SHADES[-1] * 6
    assert trace.heatmap(vocabulary).splitlines()[-1].split()[-2:] == ["-", "-"]


def test_wrong_arguments_are_named():
    vocabulary, trace = make()
    with pytest.raises(ValueError, match="vocabulary has 2 characters, expected the model's 13"):
        trace.heatmap(nr.Vocabulary("ab"))
    with pytest.raises(IndexError, match=r"sequence must be in \[0, 1\), the batch, got 1"):
        trace.plot(vocabulary, sequence=1)
    with pytest.raises(ValueError, match="width must be at least 40 characters, got 39"):
        trace.heatmap(vocabulary, width=39)
    with pytest.raises(ValueError, match="after is a trace of other tokens"):
        trace.plot(vocabulary, make(TEXT + "?")[1])


@pytest.mark.parametrize(
    ("character", "sign"),
    [(" ", "␣"), ("\n", "↵"), ("\0", "␀"), ("\u0301", "\ufffd"), ("\ud800", "\ufffd"), ("é", "é")],
)
def test_every_character_is_made_visible(character, sign):
    assert visible(character) == sign


def test_the_pictures_show_the_numbers_of_the_trace():
    pytest.importorskip("matplotlib")
    vocabulary, _ = make()
    tokens = np.stack([vocabulary.encode(TEXT[::-1]), vocabulary.encode(TEXT)], axis=1)
    trace = nr.trace(nr.CharRNN(13, 4, 8, rng=0), tokens[:-1], tokens[1:])
    heat, distances, contributions, singular, *_ = trace.plot(vocabulary, sequence=1).axes
    sizes, T = norms(trace, 1), 18
    shown = heat.images[0].get_array()
    lower = np.tril(np.ones((T, T), bool))
    np.testing.assert_array_equal(shown.mask, ~lower)
    np.testing.assert_array_equal(shown.data[lower], np.maximum(sizes, 1e-7 * sizes.max())[lower])
    assert [tick.get_text() for tick in heat.get_xticklabels()] == list("Hello,␣how␣are␣you")
    assert heat.get_yticklabels()[0].get_text() == "H → e"

    points, medians, trend = distances.lines
    assert len(points.get_xdata()) == T * (T + 1) // 2
    np.testing.assert_allclose(medians.get_ydata()[3], np.median(sizes.diagonal(-3) / sizes.diagonal()[3:]))
    d, logs = points.get_xdata(), np.log(points.get_ydata())
    slope = np.linalg.lstsq(d[:, None], logs, rcond=None)[0][0]
    np.testing.assert_allclose(trend.get_ydata(), np.exp(slope * np.arange(T)))
    assert trend.get_label() == f"trend: factor {np.exp(slope):.2f} per step"

    assert len(contributions.lines) == 6  # the two biases of the recurrence have one gradient
    for line in contributions.lines:
        (name,) = (
            (name for name in trace.weights if line.get_label().endswith(name))
            if "…" not in line.get_label()
            else ("rnn.bias_hh_l0",)
        )
        size = [np.linalg.norm(item) or np.nan for item in trace.contributions[name]]
        np.testing.assert_allclose(line.get_ydata(), size)
    np.testing.assert_array_equal(singular.lines[2].get_ydata(), trace.singular_values[:, 1, 0])


def test_before_and_after_have_a_column_each_on_the_same_scales():
    pytest.importorskip("matplotlib")
    vocabulary, before = make()
    _, after = make(seed=1)
    after.singular_values[3, 0, 0] = 40
    panels = [axes for axes in before.plot(vocabulary, after).axes if axes.get_label() != "<colorbar>"]
    heats, distances, contributions, singulars = (panels[i : i + 2] for i in range(0, 8, 2))
    largest = max(norms(before, 0).max(), norms(after, 0).max())
    for when, trace, *column in zip(
        ("before", "after"), (before, after), heats, distances, contributions, singulars, strict=True
    ):
        heat, distance, contribution, singular = column
        assert heat.get_title(loc="left").startswith(f"{when} training, loss {trace.loss:.4f}\n")
        assert heat.images[0].get_array()[5, 2] == norms(trace, 0)[5, 2]
        assert heat.images[0].norm.vmax == largest
        assert distance.lines[1].get_ydata()[1] == np.median(what_is_left(norms(trace, 0), 1))
        assert contribution.lines[-1].get_ydata()[3] == np.linalg.norm(trace.contributions["fc.bias"][3])
        np.testing.assert_array_equal(singular.lines[2].get_ydata(), trace.singular_values[:, 0, 0])
        low, high = singular.get_ylim()
        assert high > 40
        assert low < min(before.singular_values.min(), after.singular_values.min())
    for row in (distances, contributions, singulars):
        assert row[0].get_ylim() == row[1].get_ylim()


def test_a_dollar_sign_does_not_start_a_formula():
    pytest.importorskip("matplotlib")
    vocabulary, trace = make("$$a")
    heat = trace.plot(vocabulary).axes[0]
    assert [tick.get_text() for tick in heat.get_yticklabels()] == [r"\$ → \$", r"\$ → a"]


def test_odd_characters_and_a_loss_without_gradient_can_be_drawn():
    pytest.importorskip("matplotlib")
    text = "$a$ \\$b$ c_1^2\n\t"
    vocabulary = nr.Vocabulary.from_text(text)
    model = nr.CharRNN(len(vocabulary), 4, 4, rng=0)
    model.fc.weight.data[...] = 0
    tokens = vocabulary.encode(text).reshape(-1, 1)
    figure = nr.trace(model, tokens[:-1], tokens[1:]).plot(vocabulary)
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    assert not figure.axes[1].lines  # no ratios, where there is nothing to divide by


def test_a_long_text_has_every_third_label():
    pytest.importorskip("matplotlib")
    vocabulary, trace = make("abcd" * 35)
    heat, *_, singular = trace.plot(vocabulary).axes[:4]
    for axis in (heat.xaxis, singular.xaxis):
        assert axis.get_ticklocs().tolist() == list(range(0, 139, 3))
        assert [tick.get_text() for tick in axis.get_ticklabels()] == list(("abcd" * 35)[:139:3])
    assert [tick.get_text() for tick in heat.get_yticklabels()][:2] == ["a → b", "d → a"]


def test_a_single_step_has_no_trend():
    pytest.importorskip("matplotlib")
    vocabulary, trace = make("ab")
    distances = trace.plot(vocabulary).axes[1]
    assert [line.get_ydata().tolist() for line in distances.lines] == [[1], [1]]


def test_pyplot_is_not_imported(monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    vocabulary, trace = make("ab")
    trace.plot(vocabulary)
