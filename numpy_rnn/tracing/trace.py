"""Itemised backpropagation through time: which loss sends how much gradient to which step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.checks import as_array, as_indices, check_shape
from numpy_rnn.layers.recurrent import State, as_arrays
from numpy_rnn.text.vocabulary import Vocabulary
from numpy_rnn.tracing.items import Items, check_size

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Trace", "trace"]


class Trace(Items):
    """All intermediate results of one forward and backward pass; see `Items` for the arrays, `trace` to make one.

    In a notebook a trace is displayed as a heatmap and a table.
    """

    def __repr__(self) -> str:
        T, B = self.tokens.shape
        return f"Trace(T={T}, B={B}, loss={self.loss:.4f}; {', '.join(vars(self))})"

    def heatmap(
        self,
        vocabulary: Vocabulary,
        after: Trace | None = None,
        *,
        sequence: int = 0,
        width: int = 100,
        state: str = "h",
    ) -> str:
        """Return the norms |dL_s/dh_t| as a heatmap in plain text.

        Parameters
        ----------
        vocabulary : Vocabulary
            The one the model was trained with.
        after : Trace, optional
            A trace of the same text after training: both are shown.
        sequence : int, default 0
            Index into the batch.
        width : int, default 100
            Maximum line length. A longer text is cut off, with a note that says so.
        state : {"h", "c"}, default "h"
            "c" shows |dL_s/dc_t| of an LSTM's cell state, the path on which its gradient is meant to last.
        """
        from numpy_rnn.tracing.heatmap import text_heatmap

        return text_heatmap(self._titled(after), vocabulary, sequence, width, state)

    def plot(
        self, vocabulary: Vocabulary, after: Trace | None = None, *, sequence: int = 0, state: str = "h"
    ) -> Figure:
        """Return a figure with four panels; `figure.savefig("trace.png")` writes it to a file.

        The panels: the norms |dL_s/dh_t|; how much of a gradient is left d steps back, with its trend; what each step
        contributes to the gradient of each parameter, summed over the batch; the singular values of each Jacobian.

        The arguments are those of `heatmap`. Raises ModuleNotFoundError without matplotlib.
        """
        from numpy_rnn.tracing.plot import draw

        figure: Figure = draw(self._titled(after), vocabulary, sequence, state)
        return figure

    def _repr_html_(self) -> str:
        """Return the heatmap and what truncation would lose, for a notebook."""
        from numpy_rnn.tracing.html import html

        return html(self)

    def _titled(self, after: Trace | None) -> dict[str, Items]:
        if after is None:
            return {f"loss {self.loss:.4f}": self}
        if not (np.array_equal(self.tokens, after.tokens) and np.array_equal(self.targets, after.targets)):
            raise ValueError("after is a trace of other tokens or targets, expected the same")
        return {f"before training, loss {self.loss:.4f}": self, f"after training, loss {after.loss:.4f}": after}


def trace(model: CharRNN, tokens: ArrayLike, targets: ArrayLike, h_0: State = None) -> Trace:
    """Run a model forward and backward, and return every term of its gradients.

    The terms add up to the gradients of `model.loss_and_gradients`. The model is only read: its gradients and tapes
    do not change. All arithmetic is in float64, whatever the model's dtype.

    Parameters
    ----------
    model : CharRNN
        A real model with one layer.
    tokens, targets : array of int, shape (T, B)
        The tokens to read, and the token that follows each of them.
    h_0 : array, shape (1, B, H), optional
        The initial state; for an LSTM, a pair (h_0, c_0) of such arrays. Default: zeros.

    Returns
    -------
    Trace
        It holds about T^2 B H + T B H^2 + 2 T P float64 numbers, where P is the number of parameters: 4 MB for the
        tutorial's text. Computing it takes about T^2 / 2 backward steps and T B singular value decompositions of
        (H, H) matrices. For an LSTM, read 2 H for H.

    Raises
    ------
    ValueError
        The model has more than one layer, its numbers are not finite or overflow, or the trace would be larger than
        1 GiB.
    """
    if not isinstance(model, CharRNN):
        raise TypeError(f"model must be a CharRNN, got {type(model).__name__}")
    model.check_own("trace")
    if model.rnn.num_layers > 1:
        raise ValueError(f"model has num_layers={model.rnn.num_layers}, expected 1: a trace follows a single layer")
    tokens = as_indices("tokens", tokens, model.vocab_size)
    check_shape(
        "tokens", tokens, (None, None), "(T, B)", "tokens.reshape(-1, 1) is a batch of one" * (tokens.ndim == 1)
    )
    targets = as_indices("targets", targets, model.vocab_size)
    check_shape("targets", targets, tokens.shape, "the shape of tokens")
    if not tokens.size:
        raise ValueError(f"tokens has shape {tokens.shape}, expected at least one time step and one sequence")
    (T, B), H, double = tokens.shape, model.hidden_size, np.dtype(np.float64)
    names = ("h_0", "c_0")[: model.rnn.cell.states]
    check_size(T, B, len(names) * H, model.parameters().data.size)
    weights = {name: as_array(name, array, double) for name, array in model.state_dict().items()}
    states = [np.zeros((1, B, H)) for _ in names] if h_0 is None else as_arrays(h_0)
    if len(states) != len(names):
        expected = "a pair (h_0, c_0)" if len(names) == 2 else "an array"
        raise TypeError(f"h_0 must be {expected}, got {type(h_0).__name__}")
    initial = {name: as_array(name, state, double) for name, state in zip(names, states, strict=True)}
    for name, state in initial.items():
        check_shape(name, state, (1, B, H), "(1, B, hidden_size)")
    for name, array in (weights | initial).items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} has numbers that are not finite: there are no gradients to trace")
    return Trace(model.cell, weights, tokens.copy(), targets.copy(), *(state[0] for state in initial.values()))
