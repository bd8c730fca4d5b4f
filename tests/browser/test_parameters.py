"""The gradient of each parameter, what each step adds to it, and how much of it truncation loses."""

import numpy as np
import pytest

from tests.browser.printed import printed

pytestmark = pytest.mark.browser

# The label of the equation, the symbol, and the factors of the outer product at step n, which reads h_t, t = n - 1.
PARAMETERS = {
    "embedding.weight": ("E2", "C", "onehot(token_t)", "dx_{n}"),
    "rnn.weight_ih_l0": ("R5", "W_ih", "dz_{n}", "x_{n}"),
    "rnn.weight_hh_l0": ("R5", "W_hh", "dz_{n}", "h_{t}"),
    "rnn.bias_ih_l0": ("R5", "b_ih", None, "dz_{n}"),
    "rnn.bias_hh_l0": ("R5", "b_hh", None, "dz_{n}"),
    "fc.weight": ("L3", "W", "dlogits_{n}", "h_{n}"),
    "fc.bias": ("L4", "b", None, "dlogits_{n}"),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_gradient_and_contribution(page, lesson, rng, name):
    label, symbol, *factors = PARAMETERS[name]
    page.choose(parameter=name)
    for k, trace, t in lesson.moments(rng):
        page.choose(epoch=k, step=t)
        left, top = (factor and factor.format(n=t + 1, t=t) for factor in factors)
        gradient, contribution = np.atleast_2d(trace.gradients[name]), np.atleast_2d(trace.contributions[name][t])
        rows, columns = shape = gradient.shape
        vectors = {"onehot(token_t)": np.eye(lesson.V)[lesson.tokens[t]], f"h_{t}": trace.h[t, 0]}
        vectors |= {f"h_{t + 1}": trace.h[t + 1, 0], f"x_{t + 1}": trace.x[t, 0], f"dx_{t + 1}": trace.dx[t, 0]}
        vectors |= {f"dz_{t + 1}": trace.dz[t, 0], f"dlogits_{t + 1}": trace.dlogits[t, 0]}

        for (r, c), said in page.sample(page.find("#gradient .grid"), shape, rng):
            place = lesson.place(columns, c) if rows == 1 else f"{lesson.place(rows, r)}, {c}"
            assert said.split(" = ")[0] == f"d{symbol}[{place}]"
            assert float(said.split(" = ")[1]) == gradient[r, c]
        assert page.text("#gradient .legend") == f"{printed(-abs(gradient).max())}{printed(abs(gradient).max())}"

        assert page.text("#contribution .label") == label
        read = (int(lesson.tokens[t]) if name == "embedding.weight" else 0, 1)  # the only row of C that is not zero
        for (r, c), said in page.sample(page.find("#contribution .product"), shape, rng, read):
            *what, value = said.split(" = ")
            if left is None:
                assert what == [f"{top}[{lesson.place(columns, c)}]"]
            else:
                assert what[0] == f"{left}[{lesson.place(rows, r)}] × {top}[{c}]"
                assert [float(factor) for factor in what[1].split(" × ")] == [vectors[left][r], vectors[top][c]]
            assert float(value) == contribution[r, c]
        if left is not None:
            for selector, factor, size in ((".left", left, (rows, 1)), (".top", top, (1, columns))):
                for cell, said in page.sample(page.find(f"#contribution {selector}"), size, rng):
                    assert said.split(" = ")[0] == f"{factor}[{lesson.place(max(size), max(cell))}]"
                    assert float(said.split(" = ")[1]) == vectors[factor][max(cell)]


def test_bars(page, lesson, rng):
    steps, truncation = page.find("#norms .bar"), page.find("#truncation .bar")
    for name, k in zip(PARAMETERS, (0, 1, 4, 7, 10, 12, 13), strict=True):
        page.choose(epoch=k, parameter=name)
        trace = lesson.traces[k]
        norms = np.linalg.norm(trace.contributions[name].reshape(lesson.T, -1), axis=1)
        for t, bar in enumerate(steps.evaluate_all("(bars) => bars.map((bar) => bar.ariaLabel)")):
            what, value = bar.rsplit(": ", 1)
            assert what == f"step {t + 1} ({lesson.reads[t]})"
            assert float(value) == pytest.approx(norms[t], rel=1e-14)
        assert page.text("#norms .scale") == f"{printed(norms.max())}0"
        lost, angle = trace.truncation_lost[name], trace.truncation_angle[name]
        assert truncation.evaluate_all("(bars) => bars.map((bar) => bar.ariaLabel)") == [
            f"k = {k + 1}: relative error {printed(100 * lost[k])} %, direction {printed(angle[k])}° off"
            for k in range(lesson.T)
        ]
        assert page.text("#truncation .scale") == f"{printed(100 * max(1, lost.max()))} %0"
        step = int(rng.integers(lesson.T))
        steps.nth(step).click()
        assert page.place[1] == step + 1
        height = page.find("#norms .bar.chosen .fill").evaluate("(bar) => parseFloat(bar.style.height)")
        assert height == pytest.approx(100 * norms[step] / norms.max(), rel=1e-4)  # CSS rounds


def test_the_colour_shows_the_sign(page, lesson):
    """Negative is orange, positive violet: compare red with blue. Cells close to zero are left out."""
    gradient = lesson.traces[4].gradients["rnn.weight_hh_l0"]
    page.choose(epoch=4)
    red, _, blue, _ = np.reshape(page.pixels(page.find("#gradient .grid")), (*gradient.shape, 4)).transpose(2, 0, 1)
    clear = abs(gradient) > 0.05 * abs(gradient).max()
    assert clear.sum() > gradient.size / 2
    assert (np.sign(blue - red)[clear] == np.sign(gradient[clear])).all()


def test_a_click_on_a_gradient_selects_the_unit(page, lesson):
    for name, cell, unit in [
        ("rnn.weight_ih_l0", (8, 2), 8),
        ("fc.weight", (2, 9), 9),
        ("rnn.bias_hh_l0", (0, 7), 7),
    ]:
        shape = np.atleast_2d(lesson.traces[0].gradients[name]).shape
        page.choose(parameter=name)
        for selector in ("#gradient .grid", "#contribution .product"):
            page.click(page.find("[data-label=R4] .grid").first, (1, lesson.H), (0, 0))
            page.click(page.find(selector), shape, cell)
            assert f"[{unit}] = " in page.text("[data-label=R1] .numbers")


def test_a_button_leads_to_each_parameter(page):
    buttons = page.find("#sums button")
    assert buttons.count() == len(PARAMETERS)
    for button in buttons.all():
        button.click()
        chosen = page.find("#tabs [aria-pressed=true]").get_attribute("data-parameter")
        assert button.get_attribute("aria-label") == f"show what the step adds to {chosen}"
        label = button.evaluate("(button) => button.previousElementSibling.previousElementSibling.textContent")
        assert label == PARAMETERS[chosen][0] == page.text("#contribution .label")
