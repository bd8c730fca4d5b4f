"""Print the numbers of the worked example in docs/backprop.md: `python -m tests.documents.worked_example`.

With `--write`, it puts them into the page: after the last equals sign of each line of the example that begins with a
name known here. The rest of the page is written by hand.

As on the page, vectors are columns, there is no batch, and steps are computed one by one, without numpy_rnn.
tests/documents/test_worked_example.py compares the numbers with the textbook, the layers and nr.trace.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np

PAGE = Path(__file__).parents[2] / "docs" / "backprop.md"

TOKENS, TARGETS = [2, 2], [2, 1]  # "oo" to read, "oh" to predict; the vocabulary is ! h o
PARAMETERS = {
    "C": [[1.0, 0.0], [0.5, -0.5], [0.2, 0.6]],
    "W_ih": [[0.5, 1.0], [-1.0, 0.5]],
    "W_hh": [[0.4, 0.8], [0.6, 0.5]],
    "b_ih": [0.1, 0.2],
    "b_hh": [0.0, -0.1],
    "W": [[0.3, -0.2], [-0.5, 1.0], [1.0, 0.4]],
    "b": [0.0, 0.1, -0.1],
}
H_0 = [0.5, -0.5]
MAX_NORM, LR, BETA1, BETA2, EPS = 0.5, 0.1, 0.9, 0.999, 1e-8


def compute() -> dict[str, np.ndarray]:
    """Return every number of the example by its name on the page."""
    n = {name: np.array(value) for name, value in (PARAMETERS | {"h_0": H_0}).items()}
    C, W_ih, W_hh, b_ih, b_hh, W, b = (n[name] for name in PARAMETERS)
    T, onehot = len(TOKENS), np.eye(len(C))

    for t in (1, 2):
        n[f"x_{t}"] = C[TOKENS[t - 1]]
        n[f"z_{t}"] = W_ih @ n[f"x_{t}"] + b_ih + W_hh @ n[f"h_{t - 1}"] + b_hh
        n[f"h_{t}"] = np.tanh(n[f"z_{t}"])
        n[f"logits_{t}"] = W @ n[f"h_{t}"] + b
        n[f"e_{t}"] = np.exp(n[f"logits_{t}"] - n[f"logits_{t}"].max())
        n[f"s_{t}"] = n[f"e_{t}"].sum()
        n[f"p_{t}"] = n[f"e_{t}"] / n[f"s_{t}"]
        n[f"loss_{t}"] = -np.log(n[f"p_{t}"][TARGETS[t - 1]])
    n["loss"] = (n["loss_1"] + n["loss_2"]) / T

    dz_next = np.zeros(2)  # nothing comes after the last step
    for t in (2, 1):
        n[f"dlogits_{t}"] = (n[f"p_{t}"] - onehot[TARGETS[t - 1]]) / T
        n[f"doutput_{t}"] = W.T @ n[f"dlogits_{t}"]
        n[f"dh_{t}"] = n[f"doutput_{t}"] + W_hh.T @ dz_next
        n[f"slope_{t}"] = 1 - n[f"h_{t}"] ** 2
        n[f"dz_{t}"] = dz_next = n[f"dh_{t}"] * n[f"slope_{t}"]
        n[f"dx_{t}"] = W_ih.T @ n[f"dz_{t}"]
    n["dh_0"] = W_hh.T @ n["dz_1"]

    n["dW"] = np.outer(n["dlogits_1"], n["h_1"]) + np.outer(n["dlogits_2"], n["h_2"])
    n["db"] = n["dlogits_1"] + n["dlogits_2"]
    n["dW_hh"] = np.outer(n["dz_1"], n["h_0"]) + np.outer(n["dz_2"], n["h_1"])
    n["dW_ih"] = np.outer(n["dz_1"], n["x_1"]) + np.outer(n["dz_2"], n["x_2"])
    n["db_ih"] = n["db_hh"] = n["dz_1"] + n["dz_2"]
    n["dC"] = np.outer(onehot[TOKENS[0]], n["dx_1"]) + np.outer(onehot[TOKENS[1]], n["dx_2"])

    n["norm"] = np.sqrt(sum((n[f"d{name}"] ** 2).sum() for name in PARAMETERS))
    n["scale"] = np.minimum(1, MAX_NORM / (n["norm"] + 1e-6))
    for name in PARAMETERS:
        n[f"g({name})"] = g = n[f"d{name}"] * n["scale"]
        n[f"m({name})"] = m = (1 - BETA1) * g  # the averages are zero before the first step
        n[f"v({name})"] = v = (1 - BETA2) * g**2
        n[f"new {name}"] = n[name] - LR / (1 - BETA1) * m / (np.sqrt(v / (1 - BETA2)) + EPS)
    return n


def show(name: str, value: np.ndarray) -> str:
    """Write a number, a vector or a matrix with 4 decimals, Adam's squares with 8, and the chosen numbers with 1."""
    digits = 1 if name in PARAMETERS or name == "h_0" else 8 if name.startswith("v(") else 4
    if np.ndim(value) == 0:
        return f"{round(float(value), digits) + 0.0:.{digits}f}"  # + 0.0: no -0.0000
    return f"[{', '.join(show(name, element) for element in value)}]"


def written_out(n: dict[str, np.ndarray]) -> dict[str, str]:
    """Return a few elements as sums of products."""
    W_ih, W_hh = n["W_ih"], n["W_hh"]
    sums = {
        "z_1[0]": (
            *((W_ih[0, j], n["x_1"][j]) for j in (0, 1)),
            (n["b_ih"][0],),
            *((W_hh[0, j], n["h_0"][j]) for j in (0, 1)),
            (n["b_hh"][0],),
        ),
        "dh_1[0]": ((n["doutput_1"][0],), *((W_hh[i, 0], n["dz_2"][i]) for i in (0, 1))),
        "dW_hh[0][1]": ((n["dz_1"][0], n["h_0"][1]), (n["dz_2"][0], n["h_1"][1])),
    }

    def product(factors: tuple[float, ...]) -> str:
        numbers = [f"{round(float(x), 4):g}" for x in factors]
        return "·".join(f"({x})" if x.startswith("-") else x for x in numbers)

    return {
        name: f"{' + '.join(map(product, terms))} = {show(name, sum(np.prod(factors) for factors in terms))}"
        for name, terms in sums.items()
    }


def lines() -> dict[str, str]:
    """Return the text after the equals sign, by the name before it."""
    n = compute()
    return {name: show(name, value) for name, value in n.items()} | written_out(n)


SECTION = re.compile(r"(?ms)^## [^\n]*worked example.*?(?=^## )")
NAME = re.compile(r"(?:\([A-Z]\d\))? *((?:new )?[\w()\[\]]+) +=")


def write(page: str) -> str:
    """Return the page with the numbers of this example in its two sections."""
    known = lines()

    def renew(line: str) -> str:
        match = NAME.match(line)
        if match is None or match[1] not in known:
            return line
        # A sum that is written out contains an equals sign itself.
        end = line.index("= ") if "[" in match[1] else line.rindex("= ")
        return line[:end] + "= " + known[match[1]]

    return SECTION.sub(lambda section: "\n".join(map(renew, section[0].split("\n"))), page)


if __name__ == "__main__":
    for name, text in lines().items():
        print(f"{name} = {text}")
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(write(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
