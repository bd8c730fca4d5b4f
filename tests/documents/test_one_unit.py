"""The LSTM and the GRU with one unit in docs/backprop.md: every number, recomputed with the pages of the textbook."""

import json
import re

import numpy as np
import pytest

from numpy_rnn import textbook_gru, textbook_lstm
from tests.documents import one_unit as example
from tests.documents.worked_example import PAGE as PATH

PAGE = PATH.read_text(encoding="utf-8")
CELLS = {"LS": (textbook_lstm, "LSTM", "hc", "ifgo"), "GR": (textbook_gru, "GRU", "h", ("r", "z", "n", "u^n"))}


def blocks(part):
    """Return the parameters, the rows of the table and the single results of a section, by name."""
    section = re.search(rf"(?ms)^### An? {CELLS[part][1]} with one unit\n.*?(?=^## )", PAGE)[0]
    _, chosen, _, numbers, _ = section.split("```")
    rows = {name: row.split() for name, row in re.findall(r"\(\w+\) +(\S+)((?: +-?\d\.\d+){3})\n", numbers)}
    results = re.findall(r"\(\w+\) +(\w+) = (.*)", numbers)
    return dict(re.findall(r"(\w+) = (\[.*?\])", chosen)), rows, dict(results)


def computed(part):
    """Return the value of each step, and the other results, by the name on the page."""
    page, _, states, gates = CELLS[part]
    W_ih, W_hh, b_ih, b_hh = (np.array(json.loads(text), float) for text in blocks(part)[0].values())
    output = np.ones((1, 1)), np.zeros(1)  # logits = h
    p = dict(zip(page.NAMES, (W_ih[:, None], W_hh[:, None], b_ih, b_hh, *output), strict=True))
    x, dlogits = (np.array(values).reshape(3, 1, 1) for values in ([1.0, 0.0, 0.0], [0.0, 0.0, 1.0]))
    zeros = [np.zeros((1, 1)) for _ in states]
    _, *all_states, all_gates = page.forward(p, x, *zeros)
    n = {name: values[1:, 0, 0] for name, values in zip(states, all_states, strict=True)}
    n |= dict(zip(gates, np.squeeze(all_gates).T, strict=True))
    # Backward from each step on gives what comes back to the states before it: column t is for step t, from 0 on.
    back = np.zeros((len(states), 4))
    for t in (0, 1, 2):
        rest = [s[t:] for s in all_states]
        gradients, dx, *dstates = page.backward(p, x[t:], *rest, all_gates[t:], dlogits[t:], *zeros)
        back[:, t] = np.squeeze(dstates)
        n.setdefault("dx", np.squeeze(dx))
        n.setdefault("parameters", gradients)
    results = {f"d{name}_0": float(values[0]) for name, values in zip(states, back, strict=True)}
    names = dict(zip(("dW_ih", "dW_hh", "db_ih", "db_hh"), page.NAMES, strict=False))
    results |= {name: np.squeeze(n["parameters"][full]) for name, full in names.items()}
    del n["parameters"]
    n["dh"] = back[0, 1:] + dlogits[:, 0, 0]
    if part == "LS":
        n["dc"] = back[1, 1:] + n["dh"] * n["o"] * (1 - np.tanh(n["c"]) ** 2)
    return n, results


@pytest.mark.parametrize("part", CELLS)
def test_printed_numbers(part):
    per_step, results = computed(part)
    _, rows, printed = blocks(part)
    assert len(per_step) >= 7
    for name, values in per_step.items():
        assert list(map(example.show, values)) == rows[name], name
    assert printed == {name: example.show(value) for name, value in results.items()}


@pytest.mark.parametrize("part", CELLS)
def test_the_gradients_of_the_gates_add_up(part):
    _, rows, _ = blocks(part)
    for side, name in ((example.INPUT_SIDE, "db_ih"), (example.STATE_SIDE, "db_hh")):
        sums = [np.array(rows[row], float).sum() for row in side[part].split()]
        np.testing.assert_allclose(sums, computed(part)[1][name], rtol=0, atol=3 * 0.5e-4)  # three rounded numbers


def test_numbers_are_those_of_the_command():
    assert example.write(PAGE) == PAGE
    spoilt = re.sub(r"(?m)^(\((?:LS|GR)\d+\) .*\d\.\d\d\d)\d", r"\g<1>?", PAGE)
    assert spoilt.count("?") > PAGE.count("?") + 40
    assert example.write(spoilt) == PAGE


def test_what_the_text_says_about_them():
    lstm, gru = example.lstm(), example.gru()
    text = " ".join(PAGE.split())
    dc_0, dc_1, _, dc_3 = (lstm["dc"][t] for t in range(4))
    assert f"$dc_1$ is still {100 * dc_1 / dc_3:.0f} percent of $dc_3$, and $dc_0$ is {100 * dc_0 / dc_3:.0f}" in text
    assert f"$f_2 f_3 dc_3 = {lstm['f'][2] * lstm['f'][3] * dc_3:.4f}$" in text
    assert f"$dh_1$ is still {100 * gru['dh'][1]:.0f} percent of $dh_3$" in text
    assert f"$dh_0$ is only {100 * gru['dh'][0]:.0f} percent" in text
