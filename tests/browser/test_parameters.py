"""The gradient of each parameter, and what each step adds to it."""

import numpy as np
import pytest

from tests.browser.printed import printed

pytestmark = pytest.mark.browser

# The label of the equation, the symbol, and the factors of the outer product.
PARAMETERS = {
    "embedding.weight": ("E2", "C", "onehot", "dx"),
    "rnn.weight_ih_l0": ("R5", "W_ih", "dz", "x"),
    "rnn.weight_hh_l0": ("R5", "W_hh", "dz", "before"),
    "rnn.bias_ih_l0": ("R5", "b_ih", None, "dz"),
    "rnn.bias_hh_l0": ("R5", "b_hh", None, "dz"),
    "fc.weight": ("L3", "W", "dlogits", "h"),
    "fc.bias": ("L4", "b", None, "dlogits"),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_gradient_and_contribution(page, lesson, rng, name):
    label, symbol, left, top = PARAMETERS[name]
    page.choose(parameter=name)
    for epoch, t in lesson.moments(rng):
        page.choose(epoch=epoch, step=t)
        items = page.items
        gradient = np.atleast_2d(items["gradients"][name])
        rows, columns = shape = gradient.shape
        vectors = {quantity: items[quantity][t] for quantity in ("x", "dx", "dz", "dlogits")}
        vectors |= {"onehot": np.eye(lesson.V)[lesson.tokens[t]], "before": items["h"][t], "h": items["h"][t + 1]}

        def place(r, c, rows=rows, columns=columns):
            return lesson.place(columns, c) if rows == 1 else f"{lesson.place(rows, r)}, {c}"

        for (r, c), said in page.sample(page.find("#gradient .grid"), shape, rng):
            assert said.split(" = ")[0] == f"d{symbol}[{place(r, c)}]"
            assert float(said.split(" = ")[1]) == gradient[r, c]
        assert page.text("#gradient .legend") == f"{printed(-abs(gradient).max())}{printed(abs(gradient).max())}"

        assert page.text("#contribution .label") == label
        read = (int(lesson.tokens[t]) if name == "embedding.weight" else 0, 1)  # the only row of C that is not zero
        for (r, c), said in page.sample(page.find("#contribution .grid"), shape, rng, read):
            what, *factors, value = said.split(" = ")
            assert what == f"step {t + 1}: d{symbol}[{place(r, c)}]"
            if left is None:
                assert factors == []
                assert float(value) == vectors[top][c]
            else:
                assert [float(factor) for factor in factors[0].split(" × ")] == [vectors[left][r], vectors[top][c]]
                assert float(value) == vectors[left][r] * vectors[top][c]


def test_what_all_steps_add_is_the_gradient(page, lesson):
    gradients = page.items["gradients"]
    added = page.tab.evaluate("""() => {
      const added = Object.fromEntries(NAMES.map((name) => [name, each(() => 0, items.gradients[name])]));
      for (let t = 0; t < model.T; t += 1) {
        for (const [name, [, , , top, left]] of Object.entries(terms(t))) {
          accumulate(added[name], left ? outer(left, top) : top);
        }
      }
      return added;
    }""")
    for name, gradient in gradients.items():
        np.testing.assert_allclose(added[name], gradient, rtol=1e-12, atol=1e-16)


def test_the_colour_shows_the_sign(page, lesson):
    """Negative is orange, positive violet: compare red with blue. Cells close to zero are left out."""
    page.choose(epoch=4)
    gradient = np.array(page.items["gradients"]["rnn.weight_hh_l0"])
    red, _, blue, _ = np.reshape(page.pixels(page.find("#gradient .grid")), (*gradient.shape, 4)).transpose(2, 0, 1)
    clear = abs(gradient) > 0.05 * abs(gradient).max()
    assert clear.sum() > gradient.size / 2
    assert (np.sign(blue - red)[clear] == np.sign(gradient[clear])).all()
