"""CharRNN: embedding -> RNN -> linear, and the backward passes in reverse order."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from numpy_rnn.checks import Array, as_array, as_dtype, as_indices, as_size, check_shape
from numpy_rnn.layers import RNN, CrossEntropyLoss, Embedding, Linear
from numpy_rnn.layers.embedding import Scatter, gather
from numpy_rnn.layers.layer import Layer, Tape
from numpy_rnn.parameters import Parameters

__all__ = ["CharRNN"]


class CharRNNTape(Tape):
    """The tapes of the layers, wired once: what one of them writes is what the next one reads.

    Three arrays serve twice, each after its first content has been read for the last time:

    =============  ====================  ==========================================
    array          after forward         after backward
    =============  ====================  ==========================================
    first.z        z of the first layer  1 - h^2, then scratch of the scatter
    fc.y           logits                the same
    criterion.e    exp(logits - max)     dlogits
    fc.dx          (unused)              doutput, then dz
    =============  ====================  ==========================================
    """

    def __init__(self, model: CharRNN, T: int, B: int) -> None:
        super().__init__(model, (T, B))
        N, V, E, H = T * B, model.vocab_size, model.embedding_dim, model.hidden_size
        self.tokens = np.empty(N, np.intp)
        self.scatter = Scatter(N, V, model.dtype)
        self.rnn, self.fc = model.rnn.new_tape(T, B), model.fc.new_tape(T, B)
        self.criterion = model.criterion.new_tape(N, V, model.dtype)
        self.first = self.rnn.recurrences[0]
        self.fc.x = self.rnn.recurrences[-1].h_rows
        doutput = self.fc.dx.reshape(T, B, H)
        self.rnn.set_doutput(doutput, dz=doutput)
        self.criterion.logits = self.fc.y
        self.criterion.dlogits = self.criterion.e
        for part in (self.rnn, self.fc, self.criterion):
            part.layer = model  # wired as they are, they are of no use to the layers by themselves
        # What W_ih multiplies: the V rows of the embedding, or the N that were looked up, whichever are fewer. The
        # arrays of the other way are empty.
        self.table_first = V <= N
        self.projected, self.dprojected = (np.empty((V if self.table_first else 0, H), model.dtype) for _ in range(2))
        self.x, self.dx, self.ordered_dx = (
            np.empty((0 if self.table_first else N, E), model.dtype) for _ in range(3)
        )


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
        L, layers of the RNN.
    dropout : float, default 0
        Probability with which the output of each of its layers but the last is set to zero in training mode.
    dtype : dtype, default float32
        float32, float64, or complex128 for the complex step.
    rng : numpy.random.Generator or seed, optional
        Draws the initial values of all layers, in the order embedding, rnn, fc. None: a fresh generator.

    Attributes
    ----------
    embedding, rnn, fc : Embedding, RNN, Linear
        The layers. Their parameters lie in the model's two vectors, as `embedding.weight`, `rnn.weight_ih_l0`, ...;
        load values into them, do not put other layers in their place.
    criterion : CrossEntropyLoss
        The loss that `loss_and_gradients` takes: the mean over all characters. For another, call `forward`, a loss of
        your own, and `backward`.
    """

    def __init__(
        self,
        vocab_size: int,
        embedding_dim: int = 32,
        hidden_size: int = 32,
        num_layers: int = 1,
        dropout: float = 0.0,
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
        self.rnn = RNN(embedding_dim, hidden_size, num_layers, dropout=dropout, dtype=dtype, rng=rng)
        self.fc = Linear(hidden_size, vocab_size, dtype=dtype, rng=rng)
        self._criterion = CrossEntropyLoss()
        self._step_tape: CharRNNTape | None = None
        self._parameters = Parameters.join(
            {"embedding": self.embedding.parameters(), "rnn": self.rnn.parameters(), "fc": self.fc.parameters()}
        )

    def train(self, mode: bool = True) -> Self:
        """Set training mode, in which dropout is on, and return the model itself."""
        self.rnn.train(mode)
        return super().train(mode)

    @property
    def criterion(self) -> CrossEntropyLoss:
        return self._criterion

    def new_tape(self, T: int, B: int) -> CharRNNTape:
        """Return a tape for T steps of B sequences, to hand to the methods below again and again."""
        return CharRNNTape(self, as_size("T", T), as_size("B", B, low=0))

    def forward(
        self, tokens: ArrayLike, h_0: ArrayLike | None = None, tape: CharRNNTape | None = None
    ) -> tuple[Array, Array]:
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
        tape = self._read(self._check_tokens(tokens), h_0, tape)
        self.tape = tape
        return tape.fc.y.reshape(*tape.shape, self.vocab_size), tape.rnn.h_n()

    def _check_tokens(self, tokens: ArrayLike) -> Array:
        tokens = as_indices("tokens", tokens, self.vocab_size)
        slip = "tokens.reshape(-1, 1) is a batch of one" * (tokens.ndim == 1)
        check_shape("tokens", tokens, (None, None), "(T, B)", slip)
        if len(tokens) == 0:
            raise ValueError(f"tokens has shape {tokens.shape}: a sequence needs at least one time step")
        return tokens

    def _read(self, tokens: Array, h_0: ArrayLike | None, tape: CharRNNTape | None) -> CharRNNTape:
        tape = self.new_tape(*tokens.shape) if tape is None else self._check_tape(tape, tokens.shape)
        tape.rnn.set_h_0(self.rnn.check_state("h_0", h_0, tape.rnn.layout))
        tape.rnn.masks = self.rnn.draw_masks(*tape.shape)
        tape.tokens[...] = tokens.reshape(-1)
        self.forward_on(tape)
        tape.written = True
        return tape

    def backward(self, dlogits: ArrayLike, dh_n: ArrayLike | None = None, tape: CharRNNTape | None = None) -> Array:
        """Assign the gradient of every parameter (torch would add to it), and return that of h_0.

        Parameters
        ----------
        dlogits : array, shape (T, B, V)
            Gradient of the loss with respect to the logits.
        dh_n : array, shape (L, B, H), optional
            Gradient with respect to h_n by any path but the logits. None: zeros.
        tape : CharRNNTape, optional
            The tape of the forward pass that this belongs to. None: the most recent one.

        Returns
        -------
        dh_0 : ndarray, shape (L, B, H)
        """
        handed_in = tape is not None
        tape = self._written_tape(tape)
        dlogits = as_array("dlogits", dlogits, self.dtype)
        check_shape("dlogits", dlogits, (*tape.shape, self.vocab_size), "(T, B, vocab_size)")
        dh_n = self.rnn.check_state("dh_n", dh_n, tape.rnn.layout)
        tape.rnn.dh[...] = 0 if dh_n is None else dh_n
        tape.fc.dy = dlogits.reshape(-1, self.vocab_size)
        self.backward_on(tape)
        return tape.rnn.dh if handed_in else tape.rnn.dh.copy()

    # A gather commutes with a linear map, W_ih (C[token]) = (W_ih C)[token]: with fewer characters than tokens the
    # table C is multiplied once, V rows instead of N; and backward, dz is summed per character before W_ih sees it.
    # (Products of zero and nan are nan: one that is not a number spreads further than in torch.)

    def forward_on(self, tape: CharRNNTape) -> None:
        C, first, t = self.embedding.weight.data, self.rnn.layers[0][0], tape.first
        if tape.table_first:
            first.project(C, tape.projected, t.bias)
            gather(tape.projected, tape.tokens, t.z_rows)
        else:
            gather(C, tape.tokens, tape.x)
            first.project(tape.x, t.z_rows, t.bias)
        self.rnn.recur(tape.rnn)
        self.fc.forward_on(tape.fc)

    def backward_on(self, tape: CharRNNTape) -> None:
        C, first, t = self.embedding.weight, self.rnn.layers[0][0], tape.first
        self.fc.backward_on(tape.fc)
        self.rnn.backward_recur(tape.rnn)
        if tape.table_first:
            tape.scatter.add(tape.tokens, t.dz_rows, tape.dprojected, t.z_rows)
            first.backward_project(tape.dprojected, C.data, C.grad)
        else:
            first.backward_project(t.dz_rows, tape.x, tape.dx)
            tape.scatter.add(tape.tokens, tape.dx, C.grad, tape.ordered_dx)

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
        h_0 : array, shape (L, B, H), optional
            The state before the first step. None: zeros.
        tape : CharRNNTape, optional
            Where to write; see `new_tape`. None: one that the model keeps for this method alone, as long as (T, B)
            stays the same.

        Returns
        -------
        loss : float
            In nats per character.
        h_n : ndarray, shape (L, B, H)
        """
        handed_in = tape is not None
        tokens, targets = self._check_tokens(tokens), as_indices("targets", targets, self.vocab_size)
        check_shape("targets", targets, tokens.shape, "the shape of tokens")
        if tape is None:
            if self._step_tape is None or self._step_tape.shape != tokens.shape:
                self._step_tape = self.new_tape(*tokens.shape)
            tape = self._step_tape
        self._read(tokens, h_0, tape)
        tape.criterion.targets[...] = targets.reshape(-1)
        self._criterion.forward_on(tape.criterion)
        self._criterion.backward_on(tape.criterion)
        tape.fc.dy = tape.criterion.dlogits
        tape.rnn.dh.fill(0)
        self.backward_on(tape)
        h_n = tape.rnn.h_n()
        return tape.criterion.loss, h_n if handed_in else h_n.copy()
