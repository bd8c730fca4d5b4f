"""Print the numbers of the one-unit LSTM and GRU in docs/backprop.md: `python -m tests.documents.one_unit`.

With `--write`, it puts them into the page, in place of the two blocks that begin with "t = 1  t = 2  t = 3".

Both cells have H = 1 and one input, so that every quantity is a number. They read 1, 0, 0, and the loss is h_3.
tests/documents/test_one_unit.py compares the numbers with textbook_lstm.py and textbook_gru.py.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from math import exp, tanh

from tests.documents.worked_example import PAGE

X = [1.0, 0.0, 0.0]
LSTM = {"W_ih": [4, 0, 2, 0], "W_hh": [1, 0.5, -1, 0.5], "b_ih": [-2, 2, 0, 1], "b_hh": [0, 1, 0, 0]}  # i f g o
GRU = {"W_ih": [0, -4, 2], "W_hh": [1, 0.5, -1], "b_ih": [0, 3, 0], "b_hh": [0, 0, 0.5]}  # r z n
Numbers = dict[str, dict[int, float]]  # a name on the page, then the step


def sigmoid(z: float) -> float:
    return 1 / (1 + exp(-z))


def lstm() -> Numbers:
    n: Numbers = defaultdict(dict, {"h": {0: 0.0}, "c": {0: 0.0}})
    for t, x in enumerate(X, 1):
        for gate, W, U, b, b2 in zip("ifgo", *LSTM.values(), strict=True):
            n[f"z^{gate}"][t] = z = W * x + b + U * n["h"][t - 1] + b2
            n[gate][t] = tanh(z) if gate == "g" else sigmoid(z)
        n["c"][t] = n["f"][t] * n["c"][t - 1] + n["i"][t] * n["g"][t]
        n["h"][t] = n["o"][t] * tanh(n["c"][t])
    dh, dc = 1.0, 0.0
    for t in (3, 2, 1):
        i, f, g, o, tanh_c = (*(n[gate][t] for gate in "ifgo"), tanh(n["c"][t]))
        dc += dh * o * (1 - tanh_c**2)
        n["dh"][t], n["dc"][t] = dh, dc
        n["di"][t], n["df"][t], n["dg"][t], n["do"][t] = dc * g, dc * n["c"][t - 1], dc * i, dh * tanh_c
        slopes = i * (1 - i), f * (1 - f), 1 - g**2, o * (1 - o)
        for gate, slope in zip("ifgo", slopes, strict=True):
            n[f"dz^{gate}"][t] = n[f"d{gate}"][t] * slope
        dz = [n[f"dz^{gate}"][t] for gate in "ifgo"]
        n["dx"][t], dh = dot(LSTM["W_ih"], dz), dot(LSTM["W_hh"], dz)
        dc *= f
    n["dh"][0], n["dc"][0] = dh, dc
    return n


def gru() -> Numbers:
    n: Numbers = defaultdict(dict, {"h": {0: 0.0}})
    for t, x in enumerate(X, 1):
        h = n["h"][t - 1]
        for gate, W, U, b, b2 in zip("rzn", *GRU.values(), strict=True):
            n[f"a^{gate}"][t], n[f"u^{gate}"][t] = W * x + b, U * h + b2
        a_r, a_z, a_n, u_r, u_z, u_n = (n[f"{s}^{gate}"][t] for s in "au" for gate in "rzn")
        n["r"][t], n["z"][t] = r, z = sigmoid(a_r + u_r), sigmoid(a_z + u_z)
        n["n"][t] = tanh(a_n + r * u_n)
        n["h"][t] = (1 - z) * n["n"][t] + z * h
    dh = 1.0
    for t in (3, 2, 1):
        r, z, candidate, u_n = n["r"][t], n["z"][t], n["n"][t], n["u^n"][t]
        dz, dn = dh * (n["h"][t - 1] - candidate), dh * (1 - z)
        da_n = dn * (1 - candidate**2)
        dr, du_n = da_n * u_n, da_n * r
        da_r, da_z = dr * r * (1 - r), dz * z * (1 - z)
        n["dh"][t], n["dz"][t], n["dn"][t], n["dr"][t] = dh, dz, dn, dr
        n["da^n"][t], n["du^n"][t], n["da^r"][t], n["da^z"][t] = da_n, du_n, da_r, da_z
        n["dx"][t] = dot(GRU["W_ih"], [da_r, da_z, da_n])
        dh = dot(GRU["W_hh"], [da_r, da_z, du_n]) + dh * z
    n["dh"][0] = dh
    return n


def dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


ROWS = {
    "LS": "1 z^i z^f z^g z^o 2 i f g o 3 c 4 h 5 dh 6 dc 7 di df dg do 8 dz^i dz^f dz^g dz^o 10 dx",
    "GR": "1 a^r a^z a^n u^r u^z u^n 2 r z 3 n 4 h 5 dh 6 dz dn 7 da^n dr du^n 8 da^r da^z 10 dx",
}
# What the sums over the steps are made of: the gradients of W_ih x and of W_hh h, gate by gate.
INPUT_SIDE = {"LS": "dz^i dz^f dz^g dz^o", "GR": "da^r da^z da^n"}
STATE_SIDE = {"LS": "dz^i dz^f dz^g dz^o", "GR": "da^r da^z du^n"}
HEAD = f"{'':14}{'t = 1':>10}{'t = 2':>10}{'t = 3':>10}"


def sums(part: str, n: Numbers) -> dict[str, list[float]]:
    """Return the gradients of the parameters, one number per gate."""
    inputs, states = ([n[name] for name in side[part].split()] for side in (INPUT_SIDE, STATE_SIDE))
    return {
        "dW_ih": [sum(d[t] * X[t - 1] for t in (1, 2, 3)) for d in inputs],
        "dW_hh": [sum(d[t] * n["h"][t - 1] for t in (1, 2, 3)) for d in states],
        "db_ih": [sum(d[t] for t in (1, 2, 3)) for d in inputs],
        "db_hh": [sum(d[t] for t in (1, 2, 3)) for d in states],
    }


def show(x: float | Iterable[float]) -> str:
    if isinstance(x, Iterable):
        return f"[{', '.join(map(show, x))}]"
    return f"{round(x, 4) + 0.0:.4f}"  # + 0.0: no -0.0000


def block(part: str) -> str:
    """Return the numbers of one cell: an equation's label, a name, and its value at each step; then the sums."""
    n, number, rows = lstm() if part == "LS" else gru(), "", [HEAD]
    for word in ROWS[part].split():
        if word.isdigit():
            number = word
        else:
            rows.append(f"{f'({part}{number})':8}{word:6}{''.join(f'{show(n[word][t]):>10}' for t in (1, 2, 3))}")
    states = "hc" if part == "LS" else "h"
    rows += [f"({part}10)  d{name}_0 = {show(n[f'd{name}'][0])}" for name in states]
    rows += [f"({part}9)   {name} = {show(numbers)}" for name, numbers in sums(part, n).items()]
    return "\n".join(rows)


def write(page: str) -> str:
    """Return the page with the numbers of both cells."""
    blocks = iter(map(block, ROWS))
    return re.sub(rf"(?ms)(?<=^```\n){re.escape(HEAD)}.*?(?=\n```)", lambda _: next(blocks), page)


if __name__ == "__main__":
    print(*map(block, ROWS), sep="\n\n")
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(write(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
