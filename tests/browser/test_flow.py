"""The picture: arrows forward, arrows of the gradient back with their widths and colours, one loss, and the waves."""

import itertools
import re

import numpy as np
import pytest

from tests.browser.printed import printed

pytestmark = pytest.mark.browser

# The extent of every arrow of the gradient at both ends, from the corners of its outline.
BANDS = """(all) => all.map((path) => ({
  s: Number(path.dataset.loss), fill: path.getAttribute("fill"), labels: path.dataset.labels, say: path.dataset.say,
  numbers: path.getAttribute("d").match(/-?[0-9.]+(e-?[0-9]+)?/g).map(Number) }))"""


def widths(band):
    """Return the width of an arrow where it starts, and where it ends."""
    numbers = band["numbers"]
    if band["labels"] == "L2":  # M x y V y L x y L x y V y: down
        return numbers[5] - numbers[0], numbers[5] - numbers[0]
    *_, x, y = numbers  # M x1 y1 C ... x2 y2 l dx w2/2 ... x1 y1+w1: to the left
    assert x == numbers[0]
    return y - numbers[1], 2 * numbers[9]


def test_forward_arrows(page, lesson):
    """For each step: E1 from the character, R1 from x and from the state before, L1 to the distribution."""
    labels = page.find("#network .arrow").evaluate_all("(all) => all.map((path) => path.dataset.labels)")
    assert labels == ["E1", "R1", "R1", "L1"] * lesson.T
    assert page.find("#network .arrow.chosen").count() == 4
    assert page.find(".arrows text").all_text_contents() == ["W_ih", "W_hh", "W"]


def test_widths_are_norms_and_colours_are_losses(page, lesson):
    T = lesson.T
    for epoch in (0, lesson.epochs):
        page.choose(epoch=epoch, direction="backward")
        norms = page.items["norms"]
        bands = page.find("#network .band[data-loss]").evaluate_all(BANDS)
        assert len(bands) == T * (T + 1) // 2  # one for each loss and state
        scales = []
        for band in bands:
            t = int(re.match(r"\|dL_\d+/dh_(\d+)\| = ", band["say"])[1]) - 1
            s, norm = band["s"], norms[band["s"]][t]
            assert band["say"] == f"|dL_{s + 1}/dh_{t + 1}| = {band['say'].split(' = ')[1]}"
            assert float(band["say"].split(" = ")[1]) == norm
            start, end = widths(band)
            assert band["labels"] == ("L2" if s == t else "R3 R4")
            scales += [end / norm, start / norms[s][min(t + 1, s)]] if norm > 1e-6 * norms[-1][-1] else []
        np.testing.assert_allclose(scales, scales[0], rtol=1e-6)
        fills = {s: {band["fill"] for band in bands if band["s"] == s} for s in range(T)}
        assert all(len(colours) == 1 for colours in fills.values())
        assert len(set.union(*fills.values())) == T
        for t, band in enumerate(page.find(".band[data-labels=R6]").evaluate_all(BANDS)):
            norm = np.linalg.norm(page.items["dx"][t])
            assert float(band["say"].removeprefix(f"|dx_{t + 1}| = ")) == pytest.approx(norm, rel=1e-12)
            x, y = band["numbers"][0], band["numbers"][5]
            assert (y - x) / norm == pytest.approx(scales[0], rel=1e-6)


def test_the_gradient_of_one_loss(page, lesson, rng):
    """Only its arrows are left, the vectors are its gradients, and the last row is what is left of it."""
    page.choose(epoch=10, direction="backward")
    s = 7
    items = page.items
    page.choose(loss=s)
    bands = page.find("#network .band[data-loss]").evaluate_all(BANDS)
    assert {band["s"] for band in bands} == {s}
    assert len(bands) == s + 1
    left = page.find(".column .left").all_text_contents()
    norms = items["norms"][s]
    assert left == [printed(norm / norms[s]) for norm in norms] + [""] * (lesson.T - s - 1)
    for t in (0, s, lesson.T - 1):
        dlogits, dh, dx = page.find(f'[data-step="{t}"] .strip').all()
        expected = items["dh_by_loss"][s][t] if t <= s else np.zeros(lesson.H)
        for (i, _), said in page.sample(dh, (lesson.H, 1), rng):
            assert said.split(" = ")[0] == f"dL_{s + 1}/dh_{t + 1}[{i}]"
            assert float(said.split(" = ")[1]) == expected[i]
        for (v, _), said in page.sample(dlogits, (lesson.V, 1), rng):
            assert float(said.split(" = ")[1]) == (items["dlogits"][t][v] if t == s else 0)
        dz = np.array(expected) * (1 - items["h"][t + 1] ** 2)
        for (i, _), said in page.sample(dx, (lesson.E, 1), rng):
            assert float(said.split(" = ")[1]) == pytest.approx(
                (dz @ items["rnn.weight_ih_l0"])[i], rel=1e-9, abs=1e-15
            )


def test_the_gradients_of_all_losses_add_up(page, lesson):
    page.choose(epoch=5, direction="backward")
    items = page.items
    for t in range(lesson.T):
        parts = [items["dh_by_loss"][s][t] for s in range(t, lesson.T)]
        np.testing.assert_allclose(np.sum(parts, axis=0), items["dh"][t], rtol=1e-9, atol=1e-14)


def test_a_click_on_an_arrow_follows_its_loss(page):
    page.choose(step=2, direction="backward")
    assert page.place == (0, 3, None)
    page.find('.band[data-loss="5"]').nth(3).dispatch_event("click", {"bubbles": True})
    assert page.place == (0, 3, 6)
    page.find('.band[data-loss="5"]').nth(3).dispatch_event("click", {"bubbles": True})
    assert page.place == (0, 3, None)


def test_there_is_one_cursor(page, lesson):
    """A loss that is followed is never before the selected step."""
    page.choose(step=3, loss=6)
    assert page.place == (0, 4, 7)
    page.choose(step=8)
    assert page.place == (0, 9, 9)
    page.choose(loss=2)
    assert page.place == (0, 3, 3)
    assert page.find(".column.chosen").count() == 1


@pytest.mark.parametrize(("direction", "first", "last"), [("forward", 0, -1), ("backward", -1, 0)])
def test_a_wave_runs_character_by_character(page, lesson, direction, first, last):
    """It passes every step in order. What it has not reached is faint, and at the end nothing is."""
    steps = list(range(lesson.T))
    page.choose(direction=direction, step=steps[last])
    # Ticks come when the test asks for them, not by the clock.
    page.tab.evaluate("() => { window.setTimeout = (tick) => { window.tick = tick; return 1; }; }")
    page.find("#play").click()
    passed = []
    while page.text("#play") == "Pause":
        step = page.place[1] - 1
        passed += [step]
        faint = page.find(".column.ahead").evaluate_all("(all) => all.map((column) => Number(column.dataset.step))")
        assert faint == [t for t in steps if (t > step if direction == "forward" else t < step)]
        assert all(page.lit().values()) or direction == "backward"
        page.tab.evaluate("tick()")
    order = steps if direction == "forward" else steps[::-1]
    assert [step for step, _ in itertools.groupby(passed)] == order
    assert page.find(".ahead").count() == 0


def test_a_wave_pauses_and_goes_on(page):
    page.choose(step=3)
    page.tab.evaluate("() => { window.setTimeout = (tick) => { window.tick = tick; return 1; }; }")
    page.find("#play").click()
    page.tab.evaluate("tick()")
    step = page.place[1]
    assert step > 3
    page.find("#play").click()
    assert page.text("#play") == "Play"
    assert page.find(".column.ahead").count() > 0  # it has stopped where it was
    page.find("#play").click()
    assert page.place[1] == step
    page.find("#next").click()
    assert (page.text("#play"), page.place[1], page.find(".ahead").count()) == ("Play", step + 1, 0)
