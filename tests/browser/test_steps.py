"""The network and the equations of a step: what is printed and what the tooltips say are the numbers of the trace."""

import numpy as np
import pytest

from tests.browser.printed import printed, term

pytestmark = pytest.mark.browser


def of_step(items, t):
    """Return the arrays of step t by their names in the equations."""
    y, h = items["logits"][t], items["h"][t + 1]
    return {
        "x": items["x"][t],
        "W_ih x": items["W_ih_x"][t],
        "b_ih": items["rnn.bias_ih_l0"],
        "W_hh h": items["W_hh_h"][t],
        "b_hh": items["rnn.bias_hh_l0"],
        "z": items["z"][t],
        "h": h,
        "W h": items["fc.weight"] @ h,
        "b": items["fc.bias"],
        "y": y,
        "e": np.exp(y - y.max()),
        "p": items["p"][t],
        "dy": items["dlogits"][t],
        "local": items["dh_local"][t],
        "future": items["dh_future"][t],
        "dh": items["dh"][t],
        "dz": items["dz"][t],
        "dx": items["dx"][t],
        "sent": items["dh_future"][t - 1] if t > 0 else items["dh_0"],
    }


def written(lesson, items, t, i, v):
    """Return the equations with their numbers at step t, for unit i and character v, by pass."""
    arrays, n, T, at = of_step(items, t), t + 1, lesson.T, f"‘{lesson.signs[v]}’"
    wx, b_ih, wh, b_hh, z, h, local, future, dh, dz = (
        arrays[name][i] for name in ("W_ih x", "b_ih", "W_hh h", "b_hh", "z", "h", "local", "future", "dh", "dz")
    )
    wh_v, b, y, e, p, dy = (arrays[name][v] for name in ("W h", "b", "y", "e", "p", "dy"))
    target, loss = lesson.targets[t], items["losses"][t]
    four = f"{printed(wx)}Wih x{n}+ {term(b_ih)}bih+ {term(wh)}Whh h{t}+ {term(b_hh)}bhh"  # each with its name below
    return {
        "forward": {
            "R1": f"z{n}[{i}] = {four} = {printed(z)}",
            "R2": f"h{n}[{i}] = tanh {term(z)} = {printed(h)}",
            "L1": f"logits{n}[{at}] = {printed(wh_v)}W h{n}+ {term(b)}b = {printed(y)}",
            "C1": f"e{n}[{at}] = exp({printed(y)} − {term(arrays['y'].max())}) = {printed(e)}",
            "C2": f"p{n}[{at}] = {printed(e)} / {printed(arrays['e'].sum())} = {printed(p)}",
            "C3": f"L{n} = −1/{T} log {printed(arrays['p'][target])} = {printed(loss)} / {T} = {printed(loss / T)}",
        },
        "backward": {
            "C4": f"dlogits{n}[{at}] = ({printed(p)} − {int(v == target)}) / {T} = {printed(dy)}",
            "R3": f"dh{n}[{i}] = {printed(local)}this loss+ {term(future)}later steps = {printed(dh)}",
            "R4": f"dz{n}[{i}] = {term(dh)} × (1 − {term(h)}²) = {printed(dz)}",
        },
    }


def test_the_written_equations(page, lesson, rng):
    """For steps, units and characters clicked in the network and in the vectors of the equations."""

    def assert_written(items, t, i, v):
        for direction, expected in written(lesson, items, t, i, v).items():
            page.choose(direction=direction)
            lines = page.find(".equation .numbers")
            labels = lines.evaluate_all("(all) => all.map((line) => line.closest('.equation').dataset.labels)")
            assert dict(zip(labels, lines.all_text_contents(), strict=True)) == expected

    for epoch, t in lesson.moments(rng):
        page.choose(epoch=epoch, direction="forward")
        items = page.items
        assert page.text("#epoch-name").endswith(f"loss {printed(items['loss'])}")
        i, j, v = (int(rng.integers(size)) for size in (lesson.H, lesson.H, lesson.V))
        distribution, state, _ = page.find(f'[data-step="{t}"] .strip').all()
        page.click(state, (lesson.H, 1), (i, 0))
        assert page.place == (epoch, t + 1, None)
        assert_written(items, t, i, lesson.targets[t])  # a step shows its target until another character is selected
        page.click(distribution, (lesson.V, 1), (v, 0))
        assert_written(items, t, i, v)
        page.click(page.find("[data-labels=R4] .grid").first, (1, lesson.H), (0, j))
        page.click(page.find(".equation[data-labels=C4] .grid"), (1, lesson.V), (0, lesson.V - 1))
        assert_written(items, t, j, lesson.V - 1)


def vectors(t):
    """Return the equations that show vectors: the label, and for each vector its name and that of the array."""
    n = t + 1
    r1 = [(f"W_ih x_{n}", "W_ih x"), ("b_ih", "b_ih"), (f"W_hh h_{t}", "W_hh h"), ("b_hh", "b_hh"), (f"z_{n}", "z")]
    return {
        "forward": [
            ("E1", [(f"x_{n}", "x")]),
            ("R1", r1),
            ("R2", [(f"h_{n}", "h")]),
            ("L1", [(f"W h_{n}", "W h"), ("b", "b"), (f"logits_{n}", "y")]),
            ("C2", [(f"p_{n}", "p")]),
        ],
        "backward": [
            ("C4", [(f"dlogits_{n}", "dy")]),
            ("L2", [(f"doutput_{n}", "local")]),
            ("R3", [("this loss", "local"), ("later steps", "future"), (f"dh_{n}", "dh")]),
            ("R4", [(f"dh_{n}", "dh"), (f"dz_{n}", "dz")]),
            ("R6", [(f"dx_{n}", "dx")]),
            ("R3 R6", [(f"to dh_{t}", "sent")]) if t > 0 else ("R6", [("dh_0", "sent")]),
        ],
    }


def test_the_vectors(page, lesson, rng):
    for epoch, t in lesson.moments(rng):
        page.choose(epoch=epoch, step=t)
        arrays = of_step(page.items, t)
        for direction, expected in vectors(t).items():
            page.choose(direction=direction)
            for article, (labels, names) in zip(page.find(".equation:has(.vectors)").all(), expected, strict=True):
                assert article.get_attribute("data-labels") == labels
                for grid, (name, key) in zip(article.locator(".vectors .grid").all(), names, strict=True):
                    array = arrays[key]
                    for (_, i), said in page.sample(grid, (1, len(array)), rng):
                        what, value = said.split(" = ")
                        assert what == f"{name}[{lesson.place(len(array), i)}]"
                        # The test sums one product in another order: a few roundings of terms of size 1.
                        assert abs(float(value) - array[i]) <= (1e-14 if key == "W h" else 0)


def test_a_column_of_the_network(page, lesson, rng):
    for epoch, t in lesson.moments(rng):
        page.choose(epoch=epoch, direction="forward")
        items, n, column = page.items, t + 1, f'[data-step="{t}"]'
        follows, guess = lesson.signs[lesson.targets[t]], lesson.signs[items["p"][t].argmax()]
        assert page.text(f"{column} .reads") == lesson.signs[lesson.tokens[t]]
        assert page.text(f"{column} .next") == follows + ("✓" if guess == follows else f"✗ {guess}")
        assert page.text(f"{column} .loss") == f"{items['losses'][t]:.3f}"
        for direction, strips in {
            "forward": {f"p_{n}": items["p"][t], f"h_{n}": items["h"][n], f"x_{n}": items["x"][t]},
            "backward": {f"dlogits_{n}": items["dlogits"][t], f"dh_{n}": items["dh"][t], f"dx_{n}": items["dx"][t]},
        }.items():
            page.choose(direction=direction)
            for strip, (name, array) in zip(page.find(f"{column} .strip").all(), strips.items(), strict=True):
                for (i, _), said in page.sample(strip, (len(array), 1), rng):
                    assert said == f"{name}[{lesson.place(len(array), i)}] = {said.split(' = ')[1]}"
                    assert float(said.split(" = ")[1]) == array[i]
