"""CharRNN: embedding -> recurrent layers -> linear, and the backward passes in reverse order."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from numpy_rnn.checks import Array, as_array, as_dtype, as_flag, as_indices, as_rng, as_size, check_shape
from numpy_rnn.layers import CELLS, CrossEntropyLoss, Embedding, Linear
from numpy_rnn.layers.char_rnn_tape import CharRNNTape
from numpy_rnn.layers.layer import Layer, quiet, writes_gradients
from numpy_rnn.layers.linear import affine, affine_backward
from numpy_rnn.layers.projected_embedding import ProjectedEmbedding
from numpy_rnn.layers.recurrent import State, copy_state
from numpy_rnn.parameters import Parameters

__all__ = ["CharRNN"]


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
    num_layers : int, default 1
        L, the layers of the RNN.
    dropout : float, default 0
        Probability with which a value between two layers of the RNN is set to zero in training mode.
    cell : {"rnn", "lstm", "gru"}, default "rnn"
        The kind of recurrent layer: `RNN` (tanh), `LSTM` or `GRU`. The LSTM's state is a pair (h, c): wherever h_0,
        h_n, dh_n or dh_0 is an array of shape (L, B, H) below, it is a pair of such arrays.
    tie_weights : bool, default False
        fc.weight is embedding.weight: one tensor, whose gradient is the sum over both uses. Needs E = H. It is in
        `parameters()` once and in the `state_dict` under both names, as in torch.
    dtype : dtype, default float32
        float32, float64, or complex128 for the complex step.
    rng : numpy.random.Generator or seed, optional
        Draws the initial values of all layers, in the order embedding, rnn, fc. None: a fresh generator.

    Attributes
    ----------
    embedding, rnn, fc : Embedding, RNN (or LSTM or GRU), Linear
        The layers. Their parameters are stored in the model's two vectors, as `embedding.weight`,
        `rnn.weight_ih_l0`, ...: load values into them, but do not replace the layers themselves.
    criterion : CrossEntropyLoss
        The loss that `loss_and_gradients` computes: the mean over all characters. For any other loss, call `forward`,
        your own loss, and `backward`.
    """

    def __init__(
        self,
        vocab_size: int,
        embedding_dim: int = 32,
        hidden_size: int = 32,
        num_layers: int = 1,
        dropout: float = 0.0,
        *,
        cell: str = "rnn",
        tie_weights: bool = False,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        rng = as_rng(rng)
        self.vocab_size = as_size("vocab_size", vocab_size)
        self.embedding_dim = as_size("embedding_dim", embedding_dim)
        self.hidden_size = as_size("hidden_size", hidden_size)
        self.dtype = as_dtype(dtype)
        self.embedding = Embedding(vocab_size, embedding_dim, dtype=dtype, rng=rng)
        if not isinstance(cell, str) or cell not in CELLS:
            raise ValueError(f"cell must be one of {', '.join(map(repr, CELLS))}, got {cell!r}")
        self.cell = cell
        self.rnn = CELLS[cell](embedding_dim, hidden_size, num_layers, dropout=dropout, dtype=dtype, rng=rng)
        self.fc = Linear(hidden_size, vocab_size, dtype=dtype, rng=rng)
        self.tie_weights = self.embedding.tied = self.fc.tied = as_flag("tie_weights", tie_weights)
        if tie_weights:
            if embedding_dim != hidden_size:
                raise ValueError(
                    f"tie_weights needs embedding_dim = hidden_size, got {embedding_dim} and {hidden_size}"
                )
            self.fc.tie(self.embedding.weight)
        self.projected_embedding = ProjectedEmbedding(self.embedding, self.rnn.layers[0][0])
        self._criterion = CrossEntropyLoss()
        self._step_tape: CharRNNTape | None = None
        self._parameters = Parameters.join(
            {"embedding": self.embedding.parameters(), "rnn": self.rnn.parameters(), "fc": self.fc.parameters()}
        )

    def train(self, mode: bool = True) -> Self:
        """Switch dropout on (or, with mode=False, off), and return the model itself."""
        self.rnn.train(mode)
        return super().train(mode)

    @property
    def criterion(self) -> CrossEntropyLoss:
        return self._criterion

    def new_tape(self, T: int, B: int) -> CharRNNTape:
        """Return a tape for T steps of B sequences, to reuse in any number of calls of the methods below."""
        return CharRNNTape(self, as_size("T", T), as_size("B", B, low=0))

    @quiet
    def forward(self, tokens: ArrayLike, h_0: State = None, tape: CharRNNTape | None = None) -> tuple[Array, State]:
        """Return the logits of the character after each token, and the last hidden state.

        Parameters
        ----------
        tokens : array of int, shape (T, B)
            Time first; in [0, V).
        h_0 : array, shape (L, B, H), optional
            The state before the first step. None: zeros.
        tape : CharRNNTape, optional
            Where to write; see `new_tape`.

        Returns
        -------
        logits : ndarray, shape (T, B, V)
        h_n : ndarray, shape (L, B, H)
        """
        tape = self._start(self._check_tokens(tokens), h_0, tape)
        self._forward(tape)
        self._keep(tape)
        return tape.logits.reshape(*tape.shape, self.vocab_size), self.rnn.as_state(tape.rnn.last())

    def _check_tokens(self, tokens: ArrayLike) -> Array:
        tokens = as_indices("tokens", tokens, self.vocab_size)
        slip = "tokens.reshape(-1, 1) is a batch of one" * (tokens.ndim == 1)
        check_shape("tokens", tokens, (None, None), "(T, B)", slip)
        if len(tokens) == 0:
            raise ValueError(f"tokens has shape {tokens.shape}: a sequence needs at least one time step")
        return tokens

    @writes_gradients
    def backward(self, dlogits: ArrayLike, dh_n: State = None, tape: CharRNNTape | None = None) -> State:
        """Assign the gradient of every parameter (torch would add to it), and return that of h_0.

        Parameters
        ----------
        dlogits : array, shape (T, B, V)
            Gradient of the loss with respect to the logits.
        dh_n : array, shape (L, B, H), optional
            Gradient with respect to h_n by any path other than the logits. None: zeros.
        tape : CharRNNTape, optional
            The tape of the forward pass to differentiate. None: the most recent one.

        Returns
        -------
        dh_0 : ndarray, shape (L, B, H)
        """
        handed_in = tape is not None
        tape = self._written_tape(tape)
        dlogits = as_array("dlogits", dlogits, self.dtype)
        check_shape("dlogits", dlogits, (*tape.shape, self.vocab_size), "(T, B, vocab_size)")
        tape.rnn.set_dlast(self.rnn.check_state("dh_n", dh_n, tape.rnn.layout))
        self._backward(dlogits.reshape(-1, self.vocab_size), tape)
        dh_0 = self.rnn.as_state(tape.rnn.dstates)
        return dh_0 if handed_in else copy_state(dh_0)

    def _start(self, tokens: Array, h_0: State, tape: CharRNNTape | None) -> CharRNNTape:
        """Return the tape with the inputs of a forward pass on it."""
        tape = self.new_tape(*tokens.shape) if tape is None else self._check_tape(tape, tokens.shape)
        tape.rnn.set_initial(self.rnn.check_state("h_0", h_0, tape.rnn.layout))
        tape.rnn.masks = self.rnn.draw_masks(*tape.shape)
        tape.embedding.tokens[...] = tokens.reshape(-1)
        return tape

    # Each line of the forward pass has its line in the backward pass, in reverse order.

    def _forward(self, tape: CharRNNTape) -> None:
        bottom, top, W, b = tape.bottom, tape.top, self.fc.weight, self._parameters["fc.bias"]
        self.projected_embedding.forward(tape.embedding, bottom)  # z (E1), (R1) but W_hh h
        self.rnn.recur(tape.rnn)  # h (R1) (R2)
        affine(top.h_rows, W.data, b.data, tape.logits)  # logits (L1)
        tape.written = True

    def _backward(self, dlogits: Array, tape: CharRNNTape) -> None:
        bottom, top, W, b = tape.bottom, tape.top, self.fc.weight, self._parameters["fc.bias"]
        dW = W.grad if tape.dW is None else tape.dW
        affine_backward(dlogits, top.h_rows, W.data, tape.doutput, dW, b.grad, top.ones)  # (L2) (L3) (L4)
        self.rnn.backward_recur(tape.rnn)  # (R3) (R4), dW_hh (R5)
        self.projected_embedding.backward(tape.embedding, bottom, tape.scratch)  # (R5) (R6) (E2)
        if tape.dW is not None:
            W.grad += tape.dW  # tied: (E2) has assigned its own part

    def check_own(self, caller: str) -> None:
        """Refuse a subclass whose forward or backward is not ours: `caller` would not run it."""
        for name in ("forward", "backward"):
            if getattr(getattr(self, name), "__func__", None) is not getattr(CharRNN, name):
                raise TypeError(
                    f"{caller} does not call {type(self).__name__}.{name}, which replaces that of CharRNN: call "
                    "forward, a loss, and backward yourself"
                )

    @writes_gradients
    def loss_and_gradients(
        self,
        tokens: ArrayLike,
        targets: ArrayLike,
        h_0: State = None,
        tape: CharRNNTape | None = None,
    ) -> tuple[float, State]:
        """Return the mean cross-entropy and h_n, and assign the gradient of every parameter.

        This is one training step without the update: forward, loss, backward. The gradient of h_0 is not returned, so
        passing h_n to the next call is truncated backpropagation through time.

        Parameters
        ----------
        tokens, targets : array of int, shape (T, B)
            Each token, and the one that follows it. Where the target is -100, nothing is counted: padding.
        h_0 : array, shape (L, B, H), optional
            The state before the first step. None: zeros.
        tape : CharRNNTape, optional
            Where to write; see `new_tape`. None: the model keeps one for this method and reuses it while (T, B) stays
            the same.

        Returns
        -------
        loss : float
            In nats per character.
        h_n : ndarray, shape (L, B, H)
        """
        self.check_own("loss_and_gradients")
        handed_in = tape is not None
        tokens = self._check_tokens(tokens)
        targets, ignored = self.criterion.as_classes(targets, self.vocab_size)
        check_shape("targets", targets, tokens.shape, "the shape of tokens")
        if tape is None:
            if self._step_tape is None or self._step_tape.shape != tokens.shape:
                self._step_tape = self.new_tape(*tokens.shape)
            tape = self._step_tape
        self._start(tokens, h_0, tape)
        tape.criterion.targets[...], tape.criterion.ignored = targets.reshape(-1), ignored
        tape.rnn.dstates.fill(0)
        dlogits = tape.criterion.e

        self._forward(tape)
        self.criterion.forward_rows(tape.logits, tape.criterion)
        self.criterion.backward_rows(dlogits, tape.criterion)
        self._backward(dlogits, tape)
        h_n = self.rnn.as_state(tape.rnn.last())
        return tape.criterion.result, h_n if handed_in else copy_state(h_n)
