"""An embedding and the linear map W_ih of the recurrence that reads it, in the cheaper order.

A lookup commutes with a linear map: row n of C[tokens] @ W_ih.T is row tokens[n] of C @ W_ih.T. So with fewer
characters than tokens the table C is projected once, V rows instead of N:

    z = C[tokens] @ W_ih.T + b  =  (C @ W_ih.T + b)[tokens]                          (E1) (R1)

and backward, dz is summed per character before W_ih sees it: with S = onehot(tokens),

    dC = S.T @ (dz @ W_ih)  =  (S.T @ dz) @ W_ih                                     (R6) (E2)

0 * nan is nan, so here a value that is not finite would reach more gradients than in torch: those of characters that
do not occur, and dW_ih from the rows of such characters. Then the gradients are computed again, row by row.
"""

from __future__ import annotations

import cmath

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.layers.embedding import Embedding, Scatter, gather
from numpy_rnn.layers.recurrence import Recurrence
from numpy_rnn.layers.recurrent_tape import RecurrenceTape

__all__ = ["ProjectedEmbedding", "ProjectedEmbeddingTape"]


class ProjectedEmbeddingTape:
    """tokens (N,), and the arrays that the chosen order needs; those of the other order are empty."""

    def __init__(self, embedding: Embedding, recurrence: Recurrence, N: int) -> None:
        V, E, dtype = embedding.num_embeddings, embedding.embedding_dim, embedding.dtype
        width = recurrence.width
        self.table_first = V <= N
        self.tokens, self.scatter = np.empty(N, np.intp), Scatter(N, V, dtype)
        self.table, self.dtable = (np.empty((V if self.table_first else 0, width), dtype) for _ in range(2))
        self.x, self.dx, self.ordered_dx = (np.empty((0 if self.table_first else N, E), dtype) for _ in range(3))


class ProjectedEmbedding:
    """z = W_ih C[tokens] + b, and its backward pass; `embedding` and `recurrence` hold the parameters."""

    def __init__(self, embedding: Embedding, recurrence: Recurrence) -> None:
        self.embedding, self.recurrence = embedding, recurrence

    def new_tape(self, N: int) -> ProjectedEmbeddingTape:
        return ProjectedEmbeddingTape(self.embedding, self.recurrence, N)

    def forward(self, tape: ProjectedEmbeddingTape, bottom: RecurrenceTape) -> None:
        """Write z of the bottom layer, (N, G H)."""
        C = self.embedding.weight.data
        if tape.table_first:
            self.recurrence.project(C, tape.table, bottom)  # (R1)
            gather(tape.table, tape.tokens, bottom.z_rows)  # (E1)
        else:
            gather(C, tape.tokens, tape.x)  # (E1)
            self.recurrence.project(tape.x, bottom.z_rows, bottom)  # (R1)

    def backward(self, tape: ProjectedEmbeddingTape, bottom: RecurrenceTape, scratch: Array) -> None:
        """Assign dC, dW_ih, db_ih and db_hh for the bottom layer's dz; `scratch` (N, G H) is overwritten."""
        C, dz = self.embedding.weight, bottom.z_rows
        if tape.table_first:
            tape.scatter.add(tape.tokens, dz, tape.dtable, scratch)  # (E2)
            self.recurrence.backward_project(tape.dtable, C.data, C.grad, bottom)  # (R5) (R6)
        else:
            self.recurrence.backward_project(dz, tape.x, tape.dx, bottom)  # (R5) (R6)
            tape.scatter.add(tape.tokens, tape.dx, C.grad, tape.ordered_dx)  # (E2)
        W_ih = self.recurrence.weight_ih
        dW = W_ih.grad.reshape(-1)
        if not cmath.isfinite(dW.dot(dW)):
            dz.T.dot(C.data[tape.tokens], W_ih.grad)  # (R5)
            C.grad.fill(0)
            np.add.at(C.grad, tape.tokens, dz.dot(W_ih.data))  # (R6) (E2)
