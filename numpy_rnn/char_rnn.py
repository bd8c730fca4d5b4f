"""CharRNN: embedding -> RNN -> linear, and the backward passes in reverse order."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from numpy_rnn.checks import Array, as_dtype, as_indices, as_size, check_shape
from numpy_rnn.layers import RNN, CrossEntropyLoss, Embedding, Linear
from numpy_rnn.layers.layer import Layer
from numpy_rnn.parameters import Parameters

__all__ = ["CharRNN"]


class CharRNNTape:
    """One tape a layer: `embedding`, `rnn`, `fc` and `criterion`."""

    def __init__(self, model: CharRNN, T: int, B: int) -> None:
        self.embedding = model.embedding.new_tape(T, B)
        self.rnn = model.rnn.new_tape(T, B)
        self.fc = model.fc.new_tape(T, B)
        self.criterion = model.criterion.new_tape(T * B, model.vocab_size, model.dtype)

    def renew_gradients(self) -> None:
        for tape in (self.embedding, self.rnn, self.fc, self.criterion):
            tape.renew_gradients()


class CharRNN(Layer[CharRNNTape]):
    """Predict each next character of a text: logits = fc(rnn(embedding(tokens))).

    Parameters
    ----------
    vocab_size : int
        V, the number of distinct characters.
    embedding_dim : int, default 32
        E.
    hidden_size : int, default 32
        H.
    dtype : dtype, default float32
        float32, float64, or complex128 for the complex step.
    rng : numpy.random.Generator or seed, optional
        Draws the initial values of all layers, in the order embedding, rnn, fc. None: a fresh generator.

    Attributes
    ----------
    embedding, rnn, fc : Embedding, RNN, Linear
        The layers. Their parameters lie in the model's two vectors, as `embedding.weight`, `rnn.weight_ih_l0`, ...
    criterion : CrossEntropyLoss
        The loss that `loss_and_gradients` takes.
    """

    def __init__(
        self,
        vocab_size: int,
        embedding_dim: int = 32,
        hidden_size: int = 32,
        *,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        rng = np.random.default_rng(rng)
        self.vocab_size = as_size("vocab_size", vocab_size)
        self.embedding_dim = as_size("embedding_dim", embedding_dim)
        self.hidden_size = as_size("hidden_size", hidden_size)
        self.dtype = as_dtype(dtype)
        self.embedding = Embedding(vocab_size, embedding_dim, dtype=dtype, rng=rng)
        self.rnn = RNN(embedding_dim, hidden_size, dtype=dtype, rng=rng)
        self.fc = Linear(hidden_size, vocab_size, dtype=dtype, rng=rng)
        self.criterion = CrossEntropyLoss()
        self._step_tape: CharRNNTape | None = None
        self._parameters = Parameters.join(
            {"embedding": self.embedding.parameters(), "rnn": self.rnn.parameters(), "fc": self.fc.parameters()}
        )

    def new_tape(self, T: int, B: int) -> CharRNNTape:
        """Return a tape for T steps of B sequences, to hand to the methods below again and again."""
        return CharRNNTape(self, T, B)

    def forward(
        self, tokens: ArrayLike, h_0: ArrayLike | None = None, tape: CharRNNTape | None = None
    ) -> tuple[Array, Array]:
        """Return the logits of the character after each token, and the last hidden state.

        Parameters
        ----------
        tokens : array of int, shape (T, B)
            Time first; in [0, V).
        h_0 : array, shape (1, B, H), optional
            The state before the first step. None: zeros.
        tape : CharRNNTape, optional
            Where to write; see `new_tape`.

        Returns
        -------
        logits : ndarray, shape (T, B, V)
        h_n : ndarray, shape (1, B, H)
        """
        tokens = as_indices("tokens", tokens, self.vocab_size)
        check_shape("tokens", tokens, (None, None), "(T, B)")
        tape = self.new_tape(*tokens.shape) if tape is None else tape
        x = self.embedding.forward(tokens, tape.embedding)
        output, h_n = self.rnn.forward(x, h_0, tape.rnn)
        logits = self.fc.forward(output, tape.fc)
        self.tape = tape
        return logits, h_n

    def backward(self, dlogits: ArrayLike, dh_n: ArrayLike | None = None, tape: CharRNNTape | None = None) -> Array:
        """Assign the gradient of every parameter (torch would add to it), and return that of h_0.

        Parameters
        ----------
        dlogits : array, shape (T, B, V)
            Gradient of the loss with respect to the logits.
        dh_n : array, shape (1, B, H), optional
            Gradient with respect to h_n by any path but the logits. None: zeros.
        tape : CharRNNTape, optional
            The tape of the forward pass that this belongs to. None: the most recent one.

        Returns
        -------
        dh_0 : ndarray, shape (1, B, H)
        """
        tape = self._tape_for_backward(tape)
        doutput = self.fc.backward(dlogits, tape.fc)
        dx, dh_0 = self.rnn.backward(doutput, dh_n, tape.rnn)
        self.embedding.backward(dx, tape.embedding)
        return dh_0

    def loss_and_gradients(
        self,
        tokens: ArrayLike,
        targets: ArrayLike,
        h_0: ArrayLike | None = None,
        tape: CharRNNTape | None = None,
    ) -> tuple[float, Array]:
        """Return the mean cross-entropy and h_n, and assign the gradient of every parameter.

        The arithmetic of one training step: forward, loss, backward. No gradient leaves through h_0: carrying h_n
        into the next call is truncated backpropagation through time.

        Parameters
        ----------
        tokens, targets : array of int, shape (T, B)
            Each token, and the one that follows it.
        h_0 : array, shape (1, B, H), optional
            The state before the first step. None: zeros.
        tape : CharRNNTape, optional
            Where to write; see `new_tape`. None: one that the model keeps, renewed when (T, B) changes.

        Returns
        -------
        loss : float
            In nats per character.
        h_n : ndarray, shape (1, B, H)
        """
        handed = tape is not None
        tokens, targets = np.asarray(tokens), np.asarray(targets)
        check_shape("tokens", tokens, (None, None), "(T, B)")
        check_shape("targets", targets, tokens.shape, "the shape of tokens")
        if tape is None:
            if self._step_tape is None or self._step_tape.embedding.y.shape[:2] != tokens.shape:
                self._step_tape = self.new_tape(*tokens.shape)
            tape = self._step_tape
        logits, h_n = self.forward(tokens, h_0, tape)
        loss = self.criterion.forward(logits.reshape(-1, self.vocab_size), targets.reshape(-1), tape.criterion)
        dlogits = self.criterion.backward(tape.criterion)
        self.backward(dlogits.reshape(logits.shape), None, tape)
        return loss, h_n if handed else h_n.copy()
