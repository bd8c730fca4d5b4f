"""docs/backprop.md: its numbers, its figures, and what the text says about them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

import numpy_rnn as nr
from numpy_rnn import textbook
from tests import strategies as some
from tests.documents import figures, measure
from tests.documents import worked_example as example

PAGE = Path(example.PAGE).read_text(encoding="utf-8")
TOKENS, TARGETS = np.array(example.TOKENS)[:, None], np.array(example.TARGETS)[:, None]  # (2, 1)
LETTERS = tuple(example.PARAMETERS)  # the page's names, in the order of textbook.NAMES


def code_lines(page):
    """Return the lines of the worked example's code blocks: the text after the equals sign, by the name before it."""
    text = "".join(example.SECTION.findall(page))
    lines = [line for block in text.split("```")[1::2] for line in block.strip("\n").split("\n")]
    found = [re.match(r"(?:\(\w\d\))? *((?:new )?\S+) += (.*)", line) for line in lines]
    assert None not in found
    assert len({match[1] for match in found}) == len(found)
    return {match[1]: match[2] for match in found}


def printed(value, like):
    """Write a value with as many decimals as the page has in `like`."""
    decimals = len(re.search(r"\.(\d+)", like)[1])
    if np.ndim(value):
        return f"[{', '.join(printed(element, like) for element in value)}]"
    return f"{round(float(value), decimals) + 0.0:.{decimals}f}"


def of_each_step(**arrays):
    """Name the rows of (2, 1, ...) or (2, ...) arrays as the page does: x_1, x_2."""
    return {f"{name}_{t}": np.squeeze(array[t - 1]) for name, array in arrays.items() for t in (1, 2)}


def by_the_textbook(p, h_0):
    logits, x, h = textbook.forward(p, TOKENS, h_0)
    loss, dlogits = textbook.cross_entropy(logits, TARGETS)
    gradients, dh_0 = textbook.backward(p, TOKENS, x, h, dlogits, np.zeros_like(h_0))
    losses = [textbook.cross_entropy(logits[t : t + 1], TARGETS[t : t + 1])[0] for t in (0, 1)]
    found = of_each_step(x=x, h=h[1:], logits=logits, loss=losses, dlogits=dlogits) | {"loss": loss, "dh_0": dh_0[0]}
    found["norm"] = np.sqrt(sum((g**2).sum() for g in gradients.values()))
    found["scale"] = min(1, example.MAX_NORM / (found["norm"] + 1e-6))
    clipped = {name: g * found["scale"] for name, g in gradients.items()}
    m, v = ({name: np.zeros_like(g) for name, g in clipped.items()} for _ in range(2))
    textbook.adam(p, clipped, m, v, 1, lr=example.LR)
    return found | by_letter(gradients, clipped, m, v, p)


def model_and_parameters(p):
    model = nr.CharRNN(3, 2, 2, dtype=np.float64)
    model.load_state_dict(p)
    return model, model.parameters()


def by_the_layers(p, h_0):
    model, parameters = model_and_parameters(p)
    embedding, rnn, fc, criterion = model.embedding, model.rnn, model.fc, model.criterion
    x = embedding.forward(TOKENS)
    output, _ = rnn.forward(x, h_0[None])
    logits = fc.forward(output)
    loss = criterion.forward(logits.reshape(2, 3), TARGETS.reshape(2))
    losses = [nr.CrossEntropyLoss().forward(logits[t], TARGETS[t]) for t in (0, 1)]
    dlogits = criterion.backward()
    doutput = fc.backward(dlogits.reshape(2, 1, 3))
    dx, dh_0 = rnn.backward(doutput)
    embedding.backward(dx)
    found = of_each_step(x=x, h=output, logits=logits, loss=losses, dlogits=dlogits, doutput=doutput, dx=dx)
    found |= {"loss": loss, "dh_0": dh_0[0, 0]}
    gradients = {name: parameter.grad.copy() for name, parameter in parameters.items()}
    found["norm"] = nr.clip_grad_norm_(parameters, example.MAX_NORM)
    found["scale"] = example.MAX_NORM / (found["norm"] + 1e-6)
    clipped = {name: parameter.grad for name, parameter in parameters.items()}
    optimizer = nr.Adam(parameters, lr=example.LR)
    optimizer.step()
    averages = [parameters.views(vector) for vector in (optimizer.exp_avg, optimizer.exp_avg_sq)]
    return found | by_letter(gradients, clipped, *averages, parameters.state_dict())


def by_the_trace(p, h_0):
    model, _ = model_and_parameters(p)
    trace = nr.trace(model, TOKENS, TARGETS, h_0[None])
    names = ("x", "z", "logits", "p", "dlogits", "dh", "dz", "dx")
    found = of_each_step(
        **{name: getattr(trace, name) for name in names},
        h=trace.h[1:], loss=trace.losses, doutput=trace.dh_local, slope=trace.dz / trace.dh,
    )  # fmt: skip
    gradients = {f"d{letter}": trace.gradients[name] for letter, name in zip(LETTERS, textbook.NAMES, strict=True)}
    return found | gradients | {"loss": trace.loss, "dh_0": trace.dh_0[0]}


def by_letter(*dictionaries):
    """Name gradients, clipped gradients, both averages and new parameters as the page does."""
    forms = ("d{}", "g({})", "m({})", "v({})", "new {}")
    return {
        form.format(letter): dictionary[name]
        for form, dictionary in zip(forms, dictionaries, strict=True)
        for letter, name in zip(LETTERS, textbook.NAMES, strict=True)
    }


WAYS = (by_the_textbook, by_the_layers, by_the_trace)


def chosen(lines):
    """Return the chosen numbers as the page prints them: the parameters, and h_0 (1, 2)."""
    p = {name: np.array(json.loads(lines[letter])) for letter, name in zip(LETTERS, textbook.NAMES, strict=True)}
    return p, np.array([json.loads(lines["h_0"])])


@pytest.mark.parametrize("way", WAYS)
def test_printed_numbers(way):
    lines = code_lines(PAGE)
    found = way(*chosen(lines))
    results = {name: line.rpartition("= ")[2] for name, line in lines.items() if name in found}
    assert len(results) > 20
    assert results == {name: printed(found[name], results[name]) for name in results}


IN_PYTHON = [  # from the page's notation, in this order
    (r"(\w+) (\w+)ᵀ", r"outer(\1, \2)"),
    (r"(\w+)ᵀ (\w+)", r"\1.T @ \2"),
    (r"\b(W\w*) (\w+)", r"\1 @ \2"),
    (r"(\w+) - max", r"\1 - \1.max()"),
    (r"sum of (\w+)", r"\1.sum()"),
    (r"log (\S+)", r"log(\1)"),
    (r"([.\d]+) g\((\w+)\)", r"\1 * g_\2"),
    ("10⁻⁶", "1e-6"),
    ("²", "**2"),
    ("·", "*"),
]


def test_formulas_give_the_numbers_beside_them():
    lines = code_lines(PAGE)
    p, h_0 = chosen(lines)
    names = dict(zip(LETTERS, p.values(), strict=True)) | {"h_0": h_0[0]}
    names |= {"onehot": lambda v: np.eye(3)[v], "outer": np.outer, "exp": np.exp, "log": np.log, "tanh": np.tanh}
    for way in WAYS:
        names |= {name.replace("(", "_").rstrip(")"): value for name, value in way(*chosen(lines)).items()}
    in_words = {"dC": "row 2 gets dx_1 + dx_2", "norm": "root of the sum of all squares"}
    for name, line in lines.items():
        formula, _, number = line.rpartition(" = ")
        if name in in_words:
            assert formula == in_words[name]
        elif formula and "]" not in name:
            for pattern, python in IN_PYTHON:
                formula = re.sub(pattern, python, formula)
            value = eval(formula, names)
            assert printed(value, number) == number, f"{name} = {formula}"
            names.setdefault(name, value)  # e and s, which no way has
    written_out = {name for name in lines if "]" in name}
    assert {name.replace("(", "_").rstrip(")") for name in lines.keys() - written_out} <= names.keys()


def test_numbers_are_those_of_the_command():
    assert example.write(PAGE) == PAGE


def test_command_renews_any_number():
    spoilt = re.sub(r"(?m)^(\([A-Z]\d\) .*= .*)\d(\]*)$", r"\g<1>?\2", PAGE)  # the last digit of each line
    assert spoilt.count("?") > PAGE.count("?") + 40
    assert example.write(spoilt) == PAGE


def test_sums_written_out_hold():
    sums = [line for name, line in code_lines(PAGE).items() if name[-1] == "]"]
    assert len(sums) == 3
    for line in sums:
        terms, result = line.split(" = ")
        # Up to six numbers of four decimals on the left, one on the right, factors of at most 1.
        assert eval(terms.replace("·", "*")) == pytest.approx(float(result), rel=0, abs=7 * 0.5e-4)


def test_figures_are_drawn_by_the_commands_beside_them(tmp_path):
    assert set(re.findall(r"\]\(figures/(\w+)\.png\)", PAGE)) == set(figures.FIGURES)
    for name in figures.FIGURES:
        assert f"(`python -m tests.documents.figures {name}`)" in PAGE
    pytest.importorskip("matplotlib")
    drawn = figures.draw([], tmp_path)
    assert sorted(path.name for path in drawn) == sorted(path.name for path in figures.FOLDER.glob("*.png"))
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)


def test_unknown_figure_is_named():
    with pytest.raises(SystemExit, match="no figure 'loss', expected some of biases, vanishing"):
        figures.draw(["loss"])


def test_table_of_the_models():
    # Not the last row: 1000 steps of training amplify differences in rounding.
    assert measure.row("tutorial, untrained", *measure.tutorial(0)) in PAGE
    assert measure.row("tutorial, after 100 epochs", *measure.tutorial(100)) in PAGE
    assert measure.row("recall, untrained", *measure.recall(0)) in PAGE


@given(rng=some.rngs, T=some.T, H=some.sizes)
def test_state_gradients_equal_dh_0_of_the_rest(rng, T, H):
    rnn = nr.RNN(2, H, dtype=np.float64, rng=rng)
    x, h_0, doutput = some.normal(rng, T, 3, 2), some.normal(rng, 1, 3, H), some.normal(rng, T, 3, H)
    output, _ = rnn.forward(x, h_0)
    dh = measure.state_gradients(rnn.weight_hh_l0.data, output, doutput)
    for t in range(T - 1):
        rnn.forward(x[t + 1 :], output[t][None])
        _, dh_0 = rnn.backward(doutput[t + 1 :])
        np.testing.assert_allclose(dh[t], doutput[t] + dh_0[0], rtol=1e-12, atol=1e-14)  # the same products
    np.testing.assert_array_equal(dh[-1], doutput[-1])


@given(rng=some.rngs, T=some.T, H=some.sizes)
def test_gradients_stay_below_their_bound(rng, T, H):
    rnn = nr.RNN(2, H, dtype=np.float64, rng=rng)
    h, _ = rnn.forward(some.normal(rng, T, 1, 2))
    doutput = np.zeros((T, 1, H))
    doutput[-1] = some.normal(rng, 1, H)
    norms = np.linalg.norm(measure.state_gradients(rnn.weight_hh_l0.data, h, doutput), axis=2)[:, 0]
    bound = (1 - h**2).max() * np.linalg.norm(rnn.weight_hh_l0.data, 2)
    assert (norms <= (1 + 1e-12) * norms[-1] * bound ** np.arange(T)[::-1]).all()  # rounding


@given(rng=some.rngs, T=some.T)
def test_both_truncations_agree_at_one_step_and_at_all(rng, T):
    model = nr.CharRNN(4, 2, 3, dtype=np.float64, rng=rng)
    case = model, some.tokens(rng, 4, T, 2), some.tokens(rng, 4, T, 2)
    each_loss, windows = measure.truncated(*case), measure.windows(*case)
    model.loss_and_gradients(*case[1:])
    np.testing.assert_allclose(windows[-1], model.rnn.weight_hh_l0.grad, rtol=1e-11, atol=1e-14)
    for k in (0, -1):
        np.testing.assert_allclose(each_loss[k], windows[k], rtol=1e-11, atol=1e-14)


@given(rng=some.rngs, T=some.T, rest=some.T)
def test_handing_dh_0_back_undoes_detaching(rng, T, rest):
    model = nr.CharRNN(4, 2, 3, dtype=np.float64, rng=rng)
    tokens, dlogits = some.tokens(rng, 4, T + rest, 2), some.normal(rng, T + rest, 2, 4)
    model.forward(tokens)
    whole_dh_0 = model.backward(dlogits)
    whole = model.parameters().grad.copy()
    _, h_n = model.forward(tokens[:T])
    before = model.tape
    model.forward(tokens[T:], h_n)
    dh_n = model.backward(dlogits[T:])
    windows = model.parameters().grad.copy()
    dh_0 = model.backward(dlogits[:T], dh_n, tape=before)
    windows += model.parameters().grad
    np.testing.assert_allclose(windows, whole, rtol=1e-11, atol=1e-13)  # sums in another order
    np.testing.assert_allclose(dh_0, whole_dh_0, rtol=1e-11, atol=1e-13)


@given(rng=some.rngs, T=some.T, rest=some.T)
def test_detached_is_the_gradient_of_two_windows(rng, T, rest):
    model = nr.CharRNN(4, 2, 3, dtype=np.float64, rng=rng)
    tokens, targets = some.tokens(rng, 4, T + rest, 2), some.tokens(rng, 4, T + rest, 2)
    full, parts = measure.detached(model, tokens, targets, cut=T)
    first = nr.trace(model, tokens[:T], targets[:T])
    second = nr.trace(model, tokens[T:], targets[T:], first.h[-1:])
    dh = np.concatenate([first.dh * T, second.dh * rest]) / (T + rest)  # each has the mean over its own steps
    np.testing.assert_allclose(parts, np.linalg.norm(dh, axis=(1, 2)), rtol=1e-11, atol=1e-14)
    np.testing.assert_array_equal(full[T:], parts[T:])
    assert (full[:T] != parts[:T]).all()


def test_biases_keep_their_difference():
    path = measure.bias_paths(epochs=20)
    assert np.ptp(path[:, 0], axis=0).min() > 0.01
    difference = path[:, 0] - path[:, 1]
    np.testing.assert_allclose(difference, np.broadcast_to(difference[0], difference.shape), rtol=0, atol=1e-15)
    losses, (d_ih, d_hh) = measure.loss_over_two_biases(np.array([0.0, 0.3]), np.array([0.0, 0.3]))
    assert d_ih == d_hh != 0
    assert losses[0, 1] == pytest.approx(losses[1, 0], rel=1e-14)
    assert losses[0, 0] != losses[1, 1]


def test_clipping_keeps_the_direction():
    for before, after in measure.clipped_arrows(max_norm=1.0):
        assert after @ before == pytest.approx(np.linalg.norm(after) * np.linalg.norm(before), rel=1e-14)
        # 1e-6 in the denominator
        assert np.linalg.norm(after) == pytest.approx(min(1, np.linalg.norm(before)), rel=1e-5)


def test_gradients_vanish_below_and_explode_above_a_radius_of_one():
    below, at, above = (np.median(measure.random_reach(radius), axis=0) for radius in (0.7, 1.0, 2.0))
    assert below[-1] < 1e-5
    assert 1e-2 < at[-1] < 1
    assert 10 < above[-1] < 2.0**39 / 1e6


def test_recall_reaches_back_and_the_tutorial_does_not():
    assert measure.reach(*measure.recall(0))[-1] < 0.02
    assert measure.reach(*measure.recall(1000))[-1] > 0.05
    assert measure.reach(*measure.tutorial(100))[8] < measure.reach(*measure.tutorial(0))[8] < 0.01
