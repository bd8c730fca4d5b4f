"""The s x t heatmap, and the path from one loss back to one state."""

import numpy as np
import pytest

from tests.browser.printed import printed

pytestmark = pytest.mark.browser


def assert_path(page, lesson, trace, s, t):
    """Check the table from loss s back to state t against the trace."""
    norms = np.linalg.norm(trace.dh_by_loss[s, :, 0], axis=1)
    for row, r in zip(page.find("#path tbody tr").all(), range(s, t - 1, -1), strict=True):
        first = r == s
        assert row.locator("td").all_text_contents()[:-1] == [
            "L2" if first else "R4R3",
            f"∂L{s + 1}/∂h{r + 1} = " + (f"WT dlogits{s + 1}" if first else f"J{r + 2}T ∂L{s + 1}/∂h{r + 2}"),
            f"{lesson.reads[r]}{r + 1}",
            "" if first else f"× {printed(norms[r] / norms[r + 1])}",
            "" if first else printed(trace.singular_values[r + 1, 0, 0]),
            printed(norms[r]),
        ]
        i = 7 * r % lesson.H
        what, value = page.hover(row.locator(".grid"), (1, lesson.H), (0, i))[0].split(" = ")
        assert what == f"(dL_{s + 1}/dh_{r + 1})[{i}]"
        assert float(value) == trace.dh_by_loss[s, r, 0, i]
    if s == t:
        assert page.text("#left") == "No step back: this is where the loss enters."
    else:
        steps = f"{s - t} step" + "s" * (s - t > 1)
        share = f"{printed(norms[t])} / {printed(norms[s])} = {printed(norms[t] / norms[s])}"
        assert (
            page.text("#left")
            == f"{share} {'times as much' if norms[t] > norms[s] else 'of it'} is left after {steps} back."
        )


def test_a_cell_of_the_heatmap_shows_its_path(page, lesson, rng):
    T = lesson.T
    heatmap = page.find("#pairs .grid")
    for k, trace, back in lesson.moments(rng):
        page.choose(epoch=k)
        s = int(rng.integers(back, T))
        what, value = page.hover(heatmap, (T, T), (s, back))[0].split(" = ")
        assert what == f"|dL_{s + 1}/dh_{back + 1}|"
        assert float(value) == pytest.approx(np.linalg.norm(trace.dh_by_loss[s, back, 0]), rel=1e-14)
        page.click(heatmap, (T, T), (s, back))
        assert page.place[2:] == (s + 1, back + 1)
        assert_path(page, lesson, trace, s, back)
    assert page.hover(heatmap, (T, T), (2, 3)) == [None]  # no loss reaches a later state


def test_a_brighter_cell_is_a_larger_norm(page, lesson):
    s, t = np.tril_indices(lesson.T)
    for k in (0, 13):
        page.choose(epoch=k)
        pixels = np.reshape(page.pixels(page.find("#pairs .grid")), (lesson.T, lesson.T, 4))
        assert (pixels[..., 3] == 255 * np.tri(lesson.T)).all()
        norms = np.linalg.norm(lesson.traces[k].dh_by_loss[s, t, 0], axis=1)
        brightness = (pixels[s, t, :3] @ [0.2126, 0.7152, 0.0722])[norms.argsort()]
        assert (np.diff(brightness) >= -1).all()  # rounding of colours
        assert brightness[-1] - brightness[0] > 50


def test_all_epochs_on_one_scale(page, lesson):
    largest = [np.linalg.norm(trace.dh_by_loss, axis=-1).max() for trace in lesson.traces]
    k = len(largest) - 1
    page.choose(epoch=k)

    def scale():
        return page.find("#pairs .legend span").last.text_content()

    before = page.pixels(page.find("#pairs .grid"))
    assert scale() == printed(largest[k])
    page.find("#same-scale").check()
    assert scale() == printed(max(largest))
    assert page.pixels(page.find("#pairs .grid")) != before
    page.choose(epoch=0)
    assert scale() == printed(max(largest))
    page.find("#same-scale").uncheck()
    assert scale() == printed(largest[0])
