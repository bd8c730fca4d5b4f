"""Embedding: a table with one row per token.

y[n] = weight[tokens[n]]                          = (onehot(tokens) @ weight)[n]            (E1)
dweight[v] = sum of dy[n] over all n with tokens[n] == v = (onehot(tokens).T @ dy)[v]       (E2)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from numpy_rnn.checks import Array, as_array, as_dtype, as_indices, as_integer, as_rng, as_size, check_shape
from numpy_rnn.layers.layer import Layer, Tape, quiet, writes_gradients
from numpy_rnn.layers.linear import sum_rows
from numpy_rnn.parameters import Parameters

__all__ = ["Embedding", "Scatter", "gather"]


class EmbeddingTape(Tape):
    """tokens (N,), y (N, E), and scratch of the same shape as y."""

    def __init__(self, layer: Embedding, shape: tuple[int, ...]) -> None:
        super().__init__(layer, shape)
        N = math.prod(shape)
        self.tokens = np.empty(N, np.intp)
        self.y = np.empty((N, layer.embedding_dim), layer.dtype)
        self.scatter = Scatter(N, layer.num_embeddings, layer.dtype)
        self.ordered_dy = np.empty_like(self.y)


class Embedding(Layer[EmbeddingTape]):
    """Look up one vector per token: y[n] = weight[tokens[n]].

    Parameters
    ----------
    num_embeddings : int
        V, the size of the vocabulary.
    embedding_dim : int
        E, the length of each vector.
    padding_idx : int, optional
        The padding token: its vector is initialised to zero and gets no gradient. A negative index counts from the
        end of the table.
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
        padding_idx: int | None = None,
        *,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self.num_embeddings = as_size("num_embeddings", num_embeddings)
        self.embedding_dim = as_size("embedding_dim", embedding_dim)
        self.dtype = as_dtype(dtype)
        self._parameters = Parameters({"weight": (self.num_embeddings, self.embedding_dim)}, self.dtype)
        self._parameters.data = as_rng(rng).standard_normal(self._parameters.data.size)
        self.weight = self._parameters["weight"]
        self.padding_idx = None if padding_idx is None else self._check_padding_idx(padding_idx)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0

    def new_tape(self, *shape: int) -> EmbeddingTape:
        """Return a tape for tokens of `shape`, to reuse in any number of passes."""
        return EmbeddingTape(self, shape)

    @quiet
    def forward(self, tokens: ArrayLike, tape: EmbeddingTape | None = None) -> Array:
        """Return the rows of `weight` that `tokens` select.

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
        tape.tokens[...] = tokens.reshape(-1)
        gather(self.weight.data, tape.tokens, tape.y)  # (E1)
        self._keep(tape)
        return tape.y.reshape(*tape.shape, self.embedding_dim)

    @writes_gradients
    def backward(self, dy: ArrayLike, tape: EmbeddingTape | None = None) -> None:
        """Assign `weight.grad` (torch would add to it). Tokens have no gradient, so nothing is returned.

        Parameters
        ----------
        dy : array, shape (*tokens.shape, E)
            Gradient of the loss with respect to what `forward` returned.
        tape : EmbeddingTape, optional
            The tape of the forward pass to differentiate. None: the most recent one.
        """
        tape = self._written_tape(tape)
        dy = as_array("dy", dy, self.dtype)
        check_shape("dy", dy, (*tape.shape, self.embedding_dim), "(*tokens.shape, embedding_dim)")
        dy, grad = dy.reshape(-1, self.embedding_dim), self.weight.grad
        tape.scatter.add(tape.tokens, dy, grad, tape.ordered_dy)  # (E2)
        if not np.isfinite(grad).all():  # 0 * inf is nan: the one-hot product spreads it to every row
            grad.fill(0)
            np.add.at(grad, tape.tokens, dy)
        if self.padding_idx is not None:
            grad[self.padding_idx] = 0

    def _check_padding_idx(self, padding_idx: int) -> int:
        V = self.num_embeddings
        if not -V <= as_integer("padding_idx", padding_idx) < V:
            raise ValueError(
                f"padding_idx must be in [-num_embeddings, num_embeddings) = [{-V}, {V}), got {padding_idx}"
            )
        return int(padding_idx) % V


def gather(table: Array, indices: Array, out: Array) -> None:
    """out[n] = table[indices[n]], equation (E1); table (V, E), valid indices (N,), out (N, E)."""
    # Unless mode is "raise", take writes into `out` without a buffer of its own.
    table.take(indices, axis=0, out=out, mode="clip")


class Scatter:
    """The transpose of a gather, equation (E2), for N indices in [0, V)."""

    def __init__(self, N: int, V: int, dtype: DTypeLike) -> None:
        self.n = np.arange(N)
        self.ones = np.ones(N, dtype)
        self.onehot = np.empty((V, N), dtype) if N * V <= 16384 else None
        self.shift = N.bit_length()  # n < 2^shift
        self.keys, self.order, self.is_first = np.empty(N, np.intp), np.empty(N, np.intp), np.ones(N, bool)

    def add(self, indices: Array, rows: Array, out: Array, ordered_rows: Array) -> None:
        """out[v] = sum of rows[n] over all n with indices[n] == v; rows and the scratch ordered_rows are (N, E)."""
        if self.onehot is not None:  # below 16384 elements this product costs less than sorting
            self.onehot.fill(0)
            self.onehot[indices, self.n] = 1
            self.onehot.dot(rows, out)
            return
        # Sorted by (v, n), the rows of each v are adjacent, and a BLAS call sums them (ones @ rows). The pair is
        # packed into a single integer, which can be sorted in place.
        keys, order, is_first = self.keys, self.order, self.is_first
        np.left_shift(indices, self.shift, keys)
        np.add(keys, self.n, keys)  # v * 2^shift + n
        keys.sort()
        np.bitwise_and(keys, (1 << self.shift) - 1, order)
        np.right_shift(keys, self.shift, keys)
        gather(rows, order, ordered_rows)
        np.not_equal(keys[1:], keys[:-1], is_first[1:])
        starts = is_first.nonzero()[0]
        out.fill(0)
        for v, start, stop in zip(keys[starts].tolist(), starts.tolist(), [*starts[1:].tolist(), None], strict=True):
            sum_rows(ordered_rows[start:stop], self.ones, out[v])
