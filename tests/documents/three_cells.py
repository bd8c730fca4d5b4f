"""How far gradients reach back in the three cells, before and after training, for the figure of docs/backprop.md.

`python -m tests.documents.three_cells` prints the page's table.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

import numpy_rnn as nr
from tests.documents.measure import Array, relative

SEEDS, STEPS = 5, 1000
CELLS = {
    "tanh RNN": ("rnn", None),
    "GRU": ("gru", None),
    "LSTM, bias_f = 0": ("lstm", 0),
    "LSTM, bias_f = 1": ("lstm", 1),
}


class Reach(NamedTuple):
    """|dL_T/dh_t| and |dL_T/dc_t|, relative to t = T, by distance T - t, (seeds, T); c is None but for an LSTM."""

    h: Array
    c: Array | None
    loss: Array  # (seeds,), of the last character


def new_model(vocab_size: int, cell: str, bias_f: float | None, seed: int) -> nr.CharRNN:
    model = nr.CharRNN(vocab_size, cell=cell, dtype=np.float64, rng=seed)
    if bias_f is not None:
        H = model.hidden_size
        model.rnn.bias_ih_l0.data[H : 2 * H] = bias_f  # gates i, f, g, o: block f is the second
        model.rnn.bias_hh_l0.data[H : 2 * H] = 0
    return model


def before_and_after(dashes: int, cell: str, bias_f: float | None) -> tuple[Reach, Reach]:
    """Train models of several seeds on two texts, a---a and b---b, and return the reach before and after."""
    texts = [letter + dashes * "-" + letter for letter in "ab"]
    vocabulary = nr.Vocabulary.from_text("".join(texts))
    data = np.stack([vocabulary.encode(text) for text in texts], axis=1)
    before, after = [], []
    for seed in range(SEEDS):
        model = new_model(len(vocabulary), cell, bias_f, seed)
        optimizer = nr.Adam(model.parameters(), lr=0.002)
        before.append(measured(model, data))
        for _ in range(STEPS):
            model.loss_and_gradients(data[:-1], data[1:])
            nr.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        after.append(measured(model, data))
    return stacked(before), stacked(after)


def measured(model: nr.CharRNN, data: Array) -> Reach:
    trace = nr.trace(model, data[:-1], data[1:])
    c = relative(trace.dc_by_loss[-1]) if model.cell == "lstm" else None
    return Reach(relative(trace.dh_by_loss[-1]), c, trace.losses[-1].mean())


def stacked(reaches: list[Reach]) -> Reach:
    h, c, loss = zip(*reaches, strict=True)
    return Reach(np.stack(h), None if c[0] is None else np.stack(c), np.array(loss))


def row(dashes: int, name: str) -> str:
    """Return a row of the table: the median over the seeds, at the largest distance."""
    before, after = before_and_after(dashes, *CELLS[name])
    columns = [before.h, after.h, before.c, after.c]
    reach = " | ".join("" if column is None else f"{np.median(column[:, -1]):.2g}" for column in columns)
    return f"| {dashes} | {name} | {reach} | {np.median(after.loss):.2g} |"


if __name__ == "__main__":
    for dashes in (8, 30):
        for name in CELLS:
            print(row(dashes, name), flush=True)
