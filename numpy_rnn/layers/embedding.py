"""Embedding: a table with one row per token.

y[n] = weight[tokens[n]]                          = (onehot(tokens) @ weight)[n]            (1)
dweight[v] = sum of dy[n] over all n with tokens[n] == v = (onehot(tokens).T @ dy)[v]       (2)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from numpy_rnn.checks import Array, as_array, as_dtype, as_indices, as_size, check_shape
from numpy_rnn.layers.layer import Layer, Tape
from numpy_rnn.parameters import Parameters

__all__ = ["Embedding", "gather", "scatter_add"]


class EmbeddingTape(Tape):
    """tokens (N,), y (N, E); dy (N, E) comes from outside."""

    dy: Array

    def __init__(self, layer: Embedding, shape: tuple[int, ...]) -> None:
        super().__init__(layer, shape)
        self.tokens = np.empty(shape, np.intp)
        self.y = np.empty((math.prod(shape), layer.embedding_dim), layer.dtype)


class Embedding(Layer[EmbeddingTape]):
    """Look up one vector per token: y[n] = weight[tokens[n]].

    Parameters
    ----------
    num_embeddings : int
        V, the size of the vocabulary.
    embedding_dim : int
        E, the length of each vector.
    dtype : dtype, default float32
        float32, float64, or complex128 for the complex step.
    rng : numpy.random.Generator or seed, optional
        Draws `weight` (V, E) from N(0, 1). None: a fresh generator.

    References
    ----------
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        *,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self.num_embeddings = as_size("num_embeddings", num_embeddings)
        self.embedding_dim = as_size("embedding_dim", embedding_dim)
        self.dtype = as_dtype(dtype)
        self._parameters = Parameters({"weight": (self.num_embeddings, self.embedding_dim)}, self.dtype)
        self._parameters.data = np.random.default_rng(rng).standard_normal(self._parameters.data.size)

    def new_tape(self, *shape: int) -> EmbeddingTape:
        """Return a tape for tokens of `shape`, to hand to `forward` and `backward` again and again."""
        return EmbeddingTape(self, shape)

    def forward(self, tokens: ArrayLike, tape: EmbeddingTape | None = None) -> Array:
        """Return the rows of `weight` that `tokens` name.

        Parameters
        ----------
        tokens : array of int, any shape
        tape : EmbeddingTape, optional
            Where to write; see `new_tape`.

        Returns
        -------
        ndarray, shape (*tokens.shape, E)

        Raises
        ------
        IndexError
            A token is negative or not below `num_embeddings`.
        TypeError
            The tokens are not integers.
        """
        tokens = as_indices("tokens", tokens, self.num_embeddings)
        tape = self.new_tape(*tokens.shape) if tape is None else self._check_tape(tape, tokens.shape)
        tape.tokens[...] = tokens
        self.forward_on(tape)
        tape.written, self.tape = True, tape
        return tape.y.reshape(*tape.shape, self.embedding_dim)

    def backward(self, dy: ArrayLike, tape: EmbeddingTape | None = None) -> None:
        """Assign `weight.grad` (torch would add to it); tokens have no gradient, so nothing is returned.

        Parameters
        ----------
        dy : array, shape (*tokens.shape, E)
            Gradient of the loss with respect to what `forward` returned.
        tape : EmbeddingTape, optional
            The tape of the forward pass that this belongs to. None: the most recent one.
        """
        tape = self._written_tape(tape)
        dy = as_array("dy", dy, self.dtype)
        check_shape("dy", dy, (*tape.shape, self.embedding_dim), "(*tokens.shape, embedding_dim)")
        tape.dy = dy.reshape(-1, self.embedding_dim)
        self.backward_on(tape)

    def forward_on(self, tape: EmbeddingTape) -> None:
        gather(self._parameters["weight"].data, tape.tokens.reshape(-1), tape.y)  # (1)

    def backward_on(self, tape: EmbeddingTape) -> None:
        scatter_add(tape.tokens.reshape(-1), tape.dy, self._parameters["weight"].grad)  # (2)


def gather(table: Array, indices: Array, out: Array) -> None:
    """out[n] = table[indices[n]]; table (V, E), valid indices (N,), out (N, E)."""
    # Any mode but "raise" lets take write into `out` without a buffer of its own.
    table.take(indices, axis=0, out=out, mode="clip")


def scatter_add(indices: Array, rows: Array, out: Array) -> None:
    """out[v] = sum of rows[n] over all n with indices[n] == v; indices (N,), rows (N, E), out (V, E)."""
    N, V = len(indices), len(out)
    if N * V <= 16384:  # a small product costs less than sorting
        onehot = np.zeros((V, N), rows.dtype)
        onehot[indices, np.arange(N)] = 1
        onehot.dot(rows, out)
        return
    # In the order of their index the rows of one v lie together; a vector of ones sums them in one BLAS call.
    order = indices.argsort(kind="stable")
    ordered_indices, ordered_rows, ones = indices[order], rows[order], np.ones(N, rows.dtype)
    starts = np.flatnonzero(np.diff(ordered_indices, prepend=-1))
    out[...] = 0
    for v, start, stop in zip(ordered_indices[starts], starts, [*starts[1:], N], strict=True):
        ones[start:stop].dot(ordered_rows[start:stop], out[v])
