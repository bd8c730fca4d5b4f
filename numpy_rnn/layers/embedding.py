"""Embedding: a table with one row per token.

y[n] = weight[tokens[n]]                        (the product onehot(tokens) @ weight, without the zeros)
dweight[v] = sum of dy[n] over all n with tokens[n] == v               (= onehot(tokens).T @ dy)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from numpy_rnn.checks import Array, as_array, as_dtype, as_indices, as_size, check_shape
from numpy_rnn.layers.layer import Layer
from numpy_rnn.parameters import Parameters

__all__ = ["Embedding", "scatter_add"]


class EmbeddingTape:
    """tokens (*), y (*, E)."""

    def __init__(self, shape: tuple[int, ...], embedding_dim: int, dtype: DTypeLike) -> None:
        self.tokens = np.empty(0, np.intp)
        self.y = np.empty((*shape, embedding_dim), dtype)

    def renew_gradients(self) -> None:
        """Nothing to renew: tokens have no gradient."""


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
        self._parameters = Parameters({"weight": (num_embeddings, embedding_dim)}, dtype)
        self._parameters.data = np.random.default_rng(rng).standard_normal(self._parameters.data.size)

    def new_tape(self, *shape: int) -> EmbeddingTape:
        """Return a tape for tokens of `shape`, to hand to `forward` and `backward` again and again."""
        return EmbeddingTape(shape, self.embedding_dim, self.dtype)

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
        tape = self.new_tape(*tokens.shape) if tape is None else tape
        check_shape("tokens", tokens, tape.y.shape[:-1], "the tape's shape")
        tape.tokens = tokens
        # All tokens are valid: any mode but "raise" lets take write into `y` without a buffer of its own.
        self._parameters["weight"].data.take(tokens, axis=0, out=tape.y, mode="clip")
        self.tape = tape
        return tape.y

    def backward(self, dy: ArrayLike, tape: EmbeddingTape | None = None) -> None:
        """Assign `weight.grad` (torch would add to it); tokens have no gradient, so nothing is returned.

        Parameters
        ----------
        dy : array, shape (*tokens.shape, E)
            Gradient of the loss with respect to what `forward` returned.
        tape : EmbeddingTape, optional
            The tape of the forward pass that this belongs to. None: the most recent one.
        """
        tape = self._tape_for_backward(tape)
        dy = as_array("dy", dy, self.dtype)
        check_shape("dy", dy, tape.y.shape, "(*tokens.shape, embedding_dim)")
        scatter_add(tape.tokens.reshape(-1), dy.reshape(-1, self.embedding_dim), self._parameters["weight"].grad)


def scatter_add(indices: Array, rows: Array, out: Array) -> None:
    """out[v] = sum of rows[n] over all n with indices[n] == v; indices (N,), rows (N, E), out (V, E)."""
    out[...] = 0
    if indices.size:
        # Sorted by index, equal ones are neighbours and reduceat sums each run; np.add.at is far slower.
        order = indices.argsort(kind="stable")
        ordered = indices[order]
        starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        out[ordered[starts]] = np.add.reduceat(rows[order], starts, axis=0)
