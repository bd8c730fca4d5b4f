"""numpy_rnn with some of its tricks undone: the plain form of each, put in its place in this process.

Each function below changes numpy_rnn for the process that it is called in. What it puts there computes the same.
"""

# mypy: disable-error-code="method-assign, assignment"

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import numpy_rnn as nr
from benchmarks.contestants import Work
from benchmarks.problem import LR, Array, Problem
from numpy_rnn.layers.embedding import Scatter
from numpy_rnn.layers.projected_embedding import ProjectedEmbeddingTape
from numpy_rnn.layers.recurrence import Recurrence, RecurrenceTape


def products_into_new_arrays() -> None:
    """h @ W instead of h.dot(W, out), and operators instead of ufuncs with an output."""

    def recur(recurrence: Recurrence, tape: Any) -> None:
        W_hh_T = recurrence.weight_hh.data.T
        if tape.W_hh_T is not None:
            tape.W_hh_T[...] = W_hh_T
            W_hh_T = tape.W_hh_T
        for h_previous, z_t, h_t, _ in tape.forward_steps:
            z_t += h_previous @ W_hh_T
            h_t[...] = np.tanh(z_t)

    def backward_recur(recurrence: Recurrence, tape: Any) -> None:
        W_hh = recurrence.weight_hh
        tape.z_rows[...] = 1 - tape.h_rows**2
        for dh, doutput_t, z_t in tape.backward_steps:
            z_t[...] = (doutput_t + dh) * z_t
            dh[...] = z_t @ W_hh.data
        W_hh.grad[...] = tape.z_rows.T @ tape.before.reshape(tape.h_rows.shape)

    Recurrence.recur, Recurrence.backward_recur = recur, backward_recur


def gather_first() -> None:
    """Look the N embeddings up and multiply them all, whatever the size of the table."""
    allocate = ProjectedEmbeddingTape.__init__

    def gathered(tape: Any, embedding: nr.Embedding, recurrence: Recurrence, N: int) -> None:
        allocate(tape, embedding, recurrence, N)
        tape.table_first = False
        tape.x, tape.dx, tape.ordered_dx = (np.empty((N, embedding.embedding_dim), embedding.dtype) for _ in range(3))

    ProjectedEmbeddingTape.__init__ = gathered


def scatter_with_add_at() -> None:
    """np.add.at instead of a small product or a sort and sums by BLAS."""

    def add(scatter: Any, indices: Array, rows: Array, out: Array, ordered_rows: Array) -> None:
        out.fill(0)
        np.add.at(out, indices, rows)

    Scatter.add = add


def transposed_view() -> None:
    """h @ W_hh.T through a view, instead of through a copy of W_hh^T."""
    allocate = RecurrenceTape.__init__

    def without_copy(tape: Any, *arguments: Any) -> None:
        allocate(tape, *arguments)
        tape.W_hh_T = None

    RecurrenceTape.__init__ = without_copy


def softmax_as_written() -> None:
    """Softmax, loss and gradient as the equations stand, each in a new array."""

    def forward_rows(criterion: nr.CrossEntropyLoss, logits: Array, tape: Any) -> None:
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        tape.e[...] = e / e.sum(axis=1, keepdims=True)
        tape.loss = float(-np.log(tape.e[np.arange(len(e)), tape.targets]).mean())

    def backward_rows(criterion: nr.CrossEntropyLoss, dlogits: Array, tape: Any) -> None:
        one_hot = np.zeros_like(tape.e)
        one_hot[np.arange(len(one_hot)), tape.targets] = 1
        dlogits[...] = (tape.e - one_hot) / len(one_hot)

    nr.CrossEntropyLoss.forward_rows, nr.CrossEntropyLoss.backward_rows = forward_rows, backward_rows


def adam_by_tensor() -> None:
    """One tensor after the other, in new arrays, instead of one flat vector in blocks."""

    def step(adam: nr.Adam) -> None:
        adam.step_count += 1
        beta1, beta2 = adam.betas
        averages, squares = map(adam.parameters.views, (adam.exp_avg, adam.exp_avg_sq))
        for name, p in adam.parameters.items():
            m, v = averages[name], squares[name]
            m[...] = beta1 * m + (1 - beta1) * p.grad
            v[...] = beta2 * v + (1 - beta2) * p.grad**2
            m_hat, v_hat = m / (1 - beta1**adam.step_count), v / (1 - beta2**adam.step_count)
            p.data -= adam.lr * m_hat / (np.sqrt(v_hat) + adam.eps)

    nr.Adam.step = step


def start(threads: int, *, undone: Sequence[str]) -> dict[str, str]:
    """Undo the tricks of those names: the functions above; a "new_tape" for every step is `prepare`'s to make."""
    for name in undone:
        if name != "new_tape":
            globals()[name]()
    return {}


def prepare(problem: Problem, undone: Sequence[str]) -> Work:
    case = problem.case
    model = nr.CharRNN(case.V, case.E, case.H, rng=0)
    model.load_state_dict(problem.weights)
    optimizer = nr.Adam(model.parameters(), lr=LR)
    kept = model.new_tape(case.T, case.B)

    def train() -> float:
        tape = model.new_tape(case.T, case.B) if "new_tape" in undone else kept
        loss, _ = model.loss_and_gradients(problem.tokens, problem.targets, None, tape)
        optimizer.step()
        return loss

    return Work(train, float)
