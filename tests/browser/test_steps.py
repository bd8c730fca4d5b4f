"""The network and the equations of a step: printed numbers agree to their last digit, tooltips exactly."""

import re

import numpy as np
import pytest

from tests.browser.printed import printed, term

pytestmark = pytest.mark.browser


def of_step(trace, t):
    """Return the arrays of step t by their names in the equations."""
    w = {name.removeprefix("rnn.").removesuffix("_l0"): array for name, array in trace.weights.items()}
    x, before, h, y = trace.x[t, 0], trace.h[t, 0], trace.h[t + 1, 0], trace.logits[t, 0]
    return {
        "x": x,
        "W_ih x": w["weight_ih"] @ x,
        "b_ih": w["bias_ih"],
        "W_hh h": w["weight_hh"] @ before,
        "b_hh": w["bias_hh"],
        "z": trace.z[t, 0],
        "h": h,
        "W h": w["fc.weight"] @ h,
        "b": w["fc.bias"],
        "y": y,
        "e": np.exp(y - y.max()),
        "p": trace.p[t, 0],
        "dy": trace.dlogits[t, 0],
        "local": trace.dh_local[t, 0],
        "future": trace.dh_future[t, 0],
        "dh": trace.dh[t, 0],
        "dz": trace.dz[t, 0],
        "dx": trace.dx[t, 0],
        "sent": trace.dh_future[t - 1, 0] if t > 0 else trace.dh_0[0],
    }


def written(lesson, trace, t, i, v):
    """Return the equations with their numbers at step t, for unit i and character v."""
    arrays, n, T, at = of_step(trace, t), t + 1, lesson.T, f"‘{lesson.characters[v]}’"
    wx, b_ih, wh, b_hh, z, h, local, future, dh, dz = (
        arrays[name][i] for name in ("W_ih x", "b_ih", "W_hh h", "b_hh", "z", "h", "local", "future", "dh", "dz")
    )
    wh_v, b, y, e, p, dy = (arrays[name][v] for name in ("W h", "b", "y", "e", "p", "dy"))
    target, loss = lesson.targets[t], trace.losses[t, 0]
    return {
        "R1": f"z{n}[{i}] = {printed(wx)} + {term(b_ih)} + {term(wh)} + {term(b_hh)} = {printed(z)}",
        "R2": f"h{n}[{i}] = tanh {term(z)} = {printed(h)}",
        "L1": f"logits{n}[{at}] = {printed(wh_v)} + {term(b)} = {printed(y)}",
        "C1": f"e{n}[{at}] = exp({printed(y)} − {term(arrays['y'].max())}) = {printed(e)}",
        "C2": f"p{n}[{at}] = {printed(e)} / {printed(arrays['e'].sum())} = {printed(p)}",
        "C3": f"L{n} = −1/{T} log {printed(arrays['p'][target])} = {printed(loss)} / {T} = {printed(loss / T)}",
        "C4": f"dlogits{n}[{at}] = ({printed(p)} − {int(v == target)}) / {T} = {printed(dy)}",
        "R3": f"dh{n}[{i}] = {printed(local)} this loss + {term(future)} later steps = {printed(dh)}",
        "R4": f"dz{n}[{i}] = {term(dh)} × (1 − {term(h)}²) = {printed(dz)}",
    }


def test_the_written_equations(page, lesson, rng):
    """For steps, units and characters clicked in the network and in the vectors of the equations."""

    def assert_written(trace, t, i, v):
        lines = page.find(".equation .numbers")
        labels = lines.evaluate_all("(all) => all.map((line) => line.closest('.equation').dataset.label)")
        assert dict(zip(labels, lines.all_text_contents(), strict=True)) == written(lesson, trace, t, i, v)

    for k, trace, t in lesson.moments(rng):
        page.choose(epoch=k)
        assert page.text("#loss") == f"loss {lesson.traces[k].loss:.4f}"
        i, j, v = (int(rng.integers(size)) for size in (lesson.H, lesson.H, lesson.V))
        page.click(page.find(f'[data-step="{t}"] .strip'), (lesson.H, 1), (i, 0))
        assert page.place[:2] == (lesson.epochs[k], t + 1)
        assert_written(trace, t, i, lesson.targets[t])  # a step shows its target until another character is selected
        page.click(page.find(f'[data-step="{t}"] .distribution'), (lesson.V, 1), (v, 0))
        assert_written(trace, t, i, v)
        page.click(page.find("[data-label=R4] .grid").first, (1, lesson.H), (0, j))
        page.click(page.find("[data-label=C4] .grid"), (1, lesson.V), (0, lesson.V - 1))
        assert_written(trace, t, j, lesson.V - 1)


def vectors(t):
    """Return the equations that show vectors: the label, and for each vector its name and that of the array."""
    n = t + 1
    r1 = [(f"W_ih x_{n}", "W_ih x"), ("b_ih", "b_ih"), (f"W_hh h_{t}", "W_hh h"), ("b_hh", "b_hh"), (f"z_{n}", "z")]
    return [
        ("E1", [(f"x_{n}", "x")]),
        ("R1", r1),
        ("R2", [(f"h_{n}", "h")]),
        ("L1", [(f"W h_{n}", "W h"), ("b", "b"), (f"logits_{n}", "y")]),
        ("C2", [(f"p_{n}", "p")]),
        ("C4", [(f"dlogits_{n}", "dy")]),
        ("L2", [(f"doutput_{n}", "local")]),
        ("R3", [("this loss", "local"), ("later steps", "future"), (f"dh_{n}", "dh")]),
        ("R4", [(f"dh_{n}", "dh"), (f"dz_{n}", "dz")]),
        ("R6", [(f"dx_{n}", "dx")]),
        ("R3", [(f"to dh_{t}", "sent")]) if t > 0 else ("R6", [("dh_0", "sent")]),
    ]


def test_the_vectors(page, lesson, rng):
    for k, trace, t in lesson.moments(rng):
        page.choose(epoch=k, step=t)
        arrays = of_step(trace, t)
        for article, (label, names) in zip(page.find(".equation:has(.vectors)").all(), vectors(t), strict=True):
            assert article.get_attribute("data-label") == label
            for grid, (name, key) in zip(article.locator(".vectors .grid").all(), names, strict=True):
                array = arrays[key]
                for (_, i), said in page.sample(grid, (1, len(array)), rng):
                    what, value = said.split(" = ")
                    assert what == f"{name}[{lesson.place(len(array), i)}]"
                    # The test sums products in another order: a few roundings of terms of size 1.
                    assert abs(float(value) - array[i]) <= (1e-14 if key in ("W_ih x", "W_hh h", "W h") else 0)


def test_the_terms_of_an_inner_product(page, lesson, rng):
    k, t, i = 4, 8, 5
    trace, n, v = lesson.traces[k], t + 1, lesson.targets[t]
    at, w = f"‘{lesson.follows[t]}’", trace.weights
    page.choose(epoch=k)
    page.click(page.find(f'[data-step="{t}"] .strip'), (lesson.H, 1), (i, 0))
    products = [
        (f"(Wih x{n})[{i}]", f"W_ih[{i}, #] × x_{n}[#]", w["rnn.weight_ih_l0"][i], trace.x[t, 0]),
        (f"(Whh h{t})[{i}]", f"W_hh[{i}, #] × h_{t}[#]", w["rnn.weight_hh_l0"][i], trace.h[t, 0]),
        (f"(W h{n})[{at}]", f"W[{at}, #] × h_{n}[#]", w["fc.weight"][v], trace.h[n, 0]),
        (f"doutput{n}[{i}]", f"W[#, {i}] × dlogits_{n}[#]", w["fc.weight"][:, i], trace.dlogits[t, 0]),
    ]
    for details, (name, product, a, b) in zip(page.find(".equation details").all(), products, strict=True):
        details.locator("summary").click()
        assert details.locator("summary").text_content() == f"the {len(a)} terms of {name}"
        for (_, c), said in page.sample(details.locator(".grid"), (1, len(a)), rng):
            what, factors, value = said.split(" = ")
            assert what == product.replace("#", str(lesson.place(len(a), c)))
            assert [float(factor) for factor in factors.split(" × ")] == [a[c], b[c]]
            assert float(value) == a[c] * b[c]


def test_the_network(page, lesson, rng):
    for k, trace, t in lesson.moments(rng):
        page.choose(epoch=k)
        column, p = f'[data-step="{t}"]', trace.p[t, 0]
        guess = lesson.characters[p.argmax()]
        assert page.text(f"{column} .reads") == lesson.reads[t]
        assert page.text(f"{column} .next") == lesson.follows[t] + (
            "✓" if guess == lesson.follows[t] else f"✗ {guess}"
        )
        assert page.text(f"{column} .loss") == f"{trace.losses[t, 0]:.3f}"
        title = page.find(f"{column} .loss").get_attribute("title")
        assert float(title.removeprefix("-log p = ")) == trace.losses[t, 0]
        for (i, _), said in page.sample(page.find(f"{column} .strip"), (lesson.H, 1), rng):
            assert said.split(" = ")[0] == f"h_{t + 1}[{i}]"
            assert float(said.split(" = ")[1]) == trace.h[t + 1, 0, i]
        for (v, _), said in page.sample(page.find(f"{column} .distribution"), (lesson.V, 1), rng):
            assert said.split(" = ")[0] == f"p_{t + 1}[‘{lesson.characters[v]}’]"
            assert float(said.split(" = ")[1]) == p[v]


def test_how_each_loss_pulls_at_the_state(page, lesson, rng):
    for k, trace, t in lesson.moments(rng):
        page.choose(epoch=k, step=t)
        norms = np.linalg.norm(trace.dh_by_loss[t:, t, 0], axis=1)
        bars = page.find("#pulls .bar")
        said = bars.evaluate_all("(bars) => bars.map((bar) => bar.ariaLabel)")
        for d, (norm, words) in enumerate(zip(norms, said, strict=True)):
            value = re.fullmatch(rf"\|dL_{t + 1 + d}/dh_{t + 1}\| = (\S+)( \(this step's loss\))?", words)
            assert float(value[1]) == pytest.approx(norm, rel=1e-14)
            assert bool(value[2]) == (d == 0)
        assert page.text("#pulls .scale") == f"{printed(norms.max())}0"
        d = int(rng.integers(len(norms)))
        bars.nth(d).click()
        assert page.place == (lesson.epochs[k], t + 1, t + 1 + d, t + 1)
