"""The worked example of docs/backprop.md: every printed number, recomputed in several ways."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import numpy_rnn as nr
from numpy_rnn import textbook
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
