"""numpy_rnn.textbook, textbook_lstm and textbook_gru, which are written for readability, on float32 arrays."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np

from benchmarks.contestants import Work
from benchmarks.problem import LR, Problem
from numpy_rnn import textbook, textbook_gru, textbook_lstm

GATED: dict[str, Any] = {"lstm": (textbook_lstm, 2), "gru": (textbook_gru, 1)}  # and the number of states


def prepare(problem: Problem) -> Work:
    case, tokens, targets = problem.case, problem.tokens, problem.targets
    p = {name: w.copy() for name, w in problem.weights.items()}
    h_0 = np.zeros((case.B, case.H), np.float32)

    if case.task == "forward":
        return Work(lambda: textbook.forward(p, tokens, h_0)[0], lambda logits: logits)

    if case.task == "generate":
        return Work(lambda: textbook.generate(p, int(tokens[0, 0]), case.T), list)

    m, v = ({name: np.zeros_like(w) for name, w in p.items()} for _ in range(2))
    steps = count(1)
    if case.task == "adam":
        return Work(lambda: textbook.adam(p, problem.gradients, m, v, next(steps), LR), lambda _: p)

    def train() -> Any:
        if case.cell in GATED:
            (page, count), C = GATED[case.cell], p["embedding.weight"]
            zeros, x = [h_0] * count, C[tokens]
            logits, *saved = page.forward(p, x, *zeros)
            loss, dlogits = page.cross_entropy(logits, targets)
            gradients, dx, *_ = page.backward(p, x, *saved, dlogits, *zeros)
            gradients["embedding.weight"] = np.zeros_like(C)
            np.add.at(gradients["embedding.weight"], tokens, dx)
        else:
            logits, x, h = textbook.forward(p, tokens, h_0)
            loss, dlogits = textbook.cross_entropy(logits, targets)
            gradients, _ = textbook.backward(p, tokens, x, h, dlogits, h_0)
        textbook.adam(p, gradients, m, v, next(steps), LR)
        return loss

    return Work(train, float)
