"""The floor: only the matrix products that every implementation needs, into preallocated outputs.

With N = T * B rows these are the input projection of min(V, N) rows (of the embedding table or of the embedded text,
whichever has fewer rows), one recurrent product per time step in each direction, the output layer, and one product
per gradient. A gated cell has 4 (LSTM) or 3 (GRU) blocks of H columns where the tanh RNN has one. The rest of another
contestant's time is element-wise work and overhead.

With `loops`, the floor of NumPy for small arrays: also what else has to be called for each time step of the tanh RNN,
an addition and a tanh forward, an addition and a multiplication backward, in the same two plain loops.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.contestants import Work
from benchmarks.problem import Array, Problem

Product = Callable[[], object]


def prepare(problem: Problem, loops: bool = False) -> Work:
    before, forward_steps, between, backward_steps, after = _products(problem)
    z, h, dh, slope = (np.zeros((problem.case.B, problem.case.H), np.float32) for _ in range(4))
    add, tanh, multiply = np.add, np.tanh, np.multiply

    def run() -> None:
        for product in before:
            product()
        for product in forward_steps:
            product()
            if loops:
                add(z, h, z)
                tanh(z, h)
        for product in between:
            product()
        for product in backward_steps:
            if loops:
                add(dh, h, dh)
                multiply(dh, slope, z)
            product()
        for product in after:
            product()

    return Work(run, None)


def _products(problem: Problem) -> tuple[list[Product], ...]:
    """Return the products before, in, between and after the loops over time."""
    case, w = problem.case, problem.weights
    W_ih, W_hh, W = w["rnn.weight_ih_l0"], w["rnn.weight_hh_l0"], w["fc.weight"]
    T, B, N = case.T, case.B, case.T * case.B
    rng = np.random.default_rng(2)
    width = len(W_hh)  # G H
    x, z = (rng.standard_normal((min(case.V, N), size), np.float32) for size in (case.E, width))
    h, dh, dz = (rng.standard_normal((N, size), np.float32) for size in (case.H, case.H, width))
    logits = rng.standard_normal((N, case.V), np.float32)

    # With one sequence, a product with a vector, which is faster than one with a matrix of one column.
    batch = () if B == 1 else (B,)
    W_hh_h, dh_t = (np.empty((*batch, size), np.float32) for size in (width, case.H))
    # Otherwise W_hh^T is stored as such, which is faster. That copy is not part of the floor.
    W_hh_T = W_hh.T if B == 1 else np.ascontiguousarray(W_hh.T)
    forward_steps = [_product(h_t, W_hh_T, W_hh_h) for h_t in h.reshape(T, *batch, case.H)]
    if case.task == "generate":
        outputs = [_product(h_t, W.T, y) for h_t, y in zip(h, logits, strict=True)]
        return [], [product for pair in zip(forward_steps, outputs, strict=True) for product in pair], [], [], []

    project, output = _product(x, W_ih.T, z), _product(h, W.T, logits)
    if case.task == "forward":
        return [project], forward_steps, [output], [], []

    dW_ih, dW_hh, dW, dx = (np.empty_like(a) for a in (W_ih, W_hh, W, x))
    dlogits = rng.standard_normal(logits.shape, np.float32)
    backward_steps = [_product(dz_t, W_hh, dh_t) for dz_t in dz.reshape(T, *batch, width)]
    doutput, forward = _product(dlogits, W, dh), ([project], forward_steps, [output])
    gradients = [
        _product(dlogits.T, h, dW),
        _product(dz.T, h, dW_hh),
        _product(z.T, x, dW_ih),
        _product(z, W_ih, dx),
    ]
    before, loop, between = forward if case.task == "train" else ([], [], [])
    return before, loop, [*between, doutput], backward_steps, gradients


def _product(a: Array, b: Array, out: Array) -> Product:
    return partial(a.dot, b, out)
