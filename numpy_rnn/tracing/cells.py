"""The steps of a trace for each cell, by the equations of `textbook`, `textbook_lstm` and `textbook_gru`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from numpy_rnn import textbook, textbook_gru, textbook_lstm
from numpy_rnn.checks import Array

__all__ = ["GATES", "backward", "forward"]

Arrays = dict[str, Array]
GATES: dict[str, tuple[str, ...]] = {"rnn": (), "lstm": ("i", "f", "g", "o"), "gru": ("r", "z", "n", "u_n")}


def forward(
    cell: str, p: Arrays, tokens: Array, states: Sequence[Array]
) -> tuple[Array, Array, Sequence[Array], Sequence[Array]]:
    """Read tokens (T, B) from states (B, H); return logits, x, each state (T + 1, B, H) and each gate (T, B, H)."""
    if cell == "rnn":
        logits, x, h = textbook.forward(p, tokens, *states)
        return logits, x, [h], []
    x = p["embedding.weight"][tokens]  # (E1)
    module: Any = textbook_lstm if cell == "lstm" else textbook_gru
    logits, *states, gates = module.forward(p, x, *states)
    return logits, x, states, [np.stack(gate) for gate in zip(*gates, strict=True)]


def backward(
    cell: str,
    p: Arrays,
    tokens: Array,
    x: Array,
    states: Sequence[Array],
    gates: Sequence[Array],
    dlogits: Array,
    dstates: Sequence[Array],
) -> tuple[Arrays, Array | None, list[Array]]:
    """Take one step back, with N sequences; return the gradients of the parameters, dx, and those of the states.

    tokens (1, N), x (1, N, E), dlogits (1, N, V); each state (2, N, H), before and after; the others (N, H).
    dx is None for the tanh RNN.
    """
    if cell == "rnn":
        (h,), (dh_n,) = states, dstates
        gradients, dh_0 = textbook.backward(p, tokens, x, h, dlogits, dh_n)
        return gradients, None, [dh_0]
    module: Any = textbook_lstm if cell == "lstm" else textbook_gru
    gradients, dx, *dstates = module.backward(p, x, *states, [tuple(gates)], dlogits, *dstates)
    dC = np.zeros_like(p["embedding.weight"])
    np.add.at(dC, tokens, dx)  # (E2)
    return {"embedding.weight": dC} | gradients, dx, list(dstates)
