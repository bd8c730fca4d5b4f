"""Layers of recurrences, each running forward in time or in both directions.

Layer k reads the states of layer k - 1, both directions side by side, times a dropout mask:

    x^0 = x,   x^k = mask^k * [h^{k-1}, h_reverse^{k-1}],   mask = 0 with probability p, else 1 / (1 - p)     (1)

and the gradient flows back the same way, each direction of the layer below receiving its half:

    [doutput^{k-1}, doutput_reverse^{k-1}] = mask^k * (dx^k + dx_reverse^k)                                   (2)

How a recurrence computes h from x, and dx from dh, is in `recurrence.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from numpy_rnn.checks import Array, as_array, as_size
from numpy_rnn.layers.dropout import check_masks, draw_masks
from numpy_rnn.layers.layer import Layer, Tape
from numpy_rnn.layers.layout import Layout
from numpy_rnn.layers.recurrence import Recurrence, RecurrenceTape

__all__ = ["Recurrent", "RecurrentTape"]


class RecurrentTape(Tape):
    """The tapes of the recurrences, `layers[k][d]`, and the arrays between the layers.

    If the sequences differ in length, the rows of all arrays are sorted, longest first: row b is the caller's
    sequence `layout.order[b]`.
    """

    lengths: Array | None = None
    masks: Sequence[Array] | None = None  # (T, B, D * H) between a layer and the next, in the caller's order of B

    def __init__(self, layer: Recurrent, T: int, B: int) -> None:
        super().__init__(layer, (T, B))
        self.layout = Layout(T, B)
        D, H = layer.num_directions, layer.hidden_size
        self.dh = np.empty((layer.num_layers * D, B, H), layer.dtype)  # dh_n before backward, dh_0 after it
        dh = iter(self.dh)
        self.layers = [[RecurrenceTape(recurrence, T, next(dh)) for recurrence in each] for each in layer.layers]
        self.recurrences = [tape for directions in self.layers for tape in directions]
        # The states of a single direction are the output; those of two are copied side by side.
        self.outputs = [each[0].after if D == 1 else np.empty((T, B, D * H), layer.dtype) for each in self.layers]
        self.x: list[Array] = [np.empty(0)] * layer.num_layers  # the input of each layer, as rows (N, I)

    def set_lengths(self, lengths: Array | None) -> None:
        """Set the length of each row's sequence, in descending order; None: all are T long."""
        if lengths is None and self.lengths is None:
            return
        self.lengths = lengths
        for tape in self.recurrences:
            tape.set_lengths(lengths)
            tape.h.fill(0)

    def clear_padding(self, sequence: Array) -> None:
        """Set everything beyond the end of each sequence to zero."""
        running = self.recurrences[0].running
        if running is not None:
            sequence[~running] = 0

    def set_h_0(self, h_0: Array | None) -> None:
        for i, tape in enumerate(self.recurrences):
            tape.h[tape.first] = 0 if h_0 is None else h_0[i]

    def h_n(self) -> Array:
        """Return the last state of each recurrence, (L * D, B, H); of a single one a view."""
        states = [tape.h[tape.last] for tape in self.recurrences]
        return states[0][None] if len(states) == 1 else np.stack(states)

    def set_doutput(self, doutput: Array) -> None:
        """Set the array (T, B, D * H) from which backward reads doutput of the last layer."""
        for directions in reversed(self.layers):
            for tape, half in zip(directions, np.split(doutput, len(directions), axis=2), strict=True):
                tape.set_doutput(half)
            if directions is not self.layers[0]:
                doutput = directions[0].dx.reshape(doutput.shape)  # (2): backward_recur fills it, layer by layer

    def output(self, k: int) -> Array:
        """Return the states of layer k, (T, B, D * H), both directions side by side."""
        if len(self.layers[k]) > 1:
            np.concatenate([tape.after for tape in self.layers[k]], axis=2, out=self.outputs[k])
            self.clear_padding(self.outputs[k])
        return self.outputs[k]

    def read_below(self, k: int) -> Array:
        """Return the input of layer k > 0, equation (1), as rows."""
        x = self.output(k - 1) if self.masks is None else self.output(k - 1) * self.mask(k)
        return x.reshape(-1, x.shape[-1])

    def mask(self, k: int) -> Array:
        """Return the mask below layer k, in the order of the tape's rows."""
        assert self.masks is not None
        return self.layout.enter_state(self.masks[k - 1])

    def join_dx(self, k: int) -> Array:
        """Return the gradient of layer k's input, equation (2), in the array of its first direction."""
        dx = self.layers[k][0].dx
        for tape in self.layers[k][1:]:
            dx += tape.dx
        if k > 0 and self.masks is not None:
            dx *= self.mask(k).reshape(dx.shape)
        return dx


class Recurrent(Layer[RecurrentTape]):
    """The layers, directions, dropout and lengths of a recurrent network; `layers[k][d]` is one recurrence."""

    input_size: int
    hidden_size: int
    num_layers: int
    num_directions: int
    batch_first: bool
    dropout: float
    dtype: np.dtype[Any]
    rng: np.random.Generator
    layers: list[list[Recurrence]]

    def new_tape(self, T: int, B: int) -> RecurrentTape:
        """Return a tape for T steps of B sequences, to reuse in any number of passes."""
        return RecurrentTape(self, as_size("T", T), as_size("B", B, low=0))

    def forward(
        self,
        x: ArrayLike,
        h_0: ArrayLike | None = None,
        tape: RecurrentTape | None = None,
        *,
        lengths: ArrayLike | None = None,
        masks: Sequence[ArrayLike] | None = None,
    ) -> tuple[Array, Array]:
        """Run all layers over a sequence.

        Parameters
        ----------
        x : array, shape (T, B, I); with batch_first (B, T, I); for a single sequence (T, I)
            T >= 1. The tape keeps it for `backward`, without a copy if it has the layer's dtype and is time-major.
        h_0 : array, shape (L * D, B, H); for a single sequence (L * D, H); optional
            The state before the first step, in the order l0, l0_reverse, l1, ... None: zeros.
        tape : RecurrentTape, optional
            Where to write; see `new_tape`.
        lengths : array of int, shape (B,), optional
            In [1, T], in any order: sequence b ends after lengths[b] steps, as in torch's PackedSequence. The rest
            of x is padding: it is not read, and its output and gradient are zero.
        masks : sequence of L - 1 arrays, shape (T, B, D * H), optional
            Dropout masks to use, in evaluation mode too, such as the `tape.masks` of another pass; always time-major.

        Returns
        -------
        output : ndarray, shape (T, B, D * H); with batch_first (B, T, D * H); for a single sequence (T, D * H)
            The states of the last layer.
        h_n : ndarray, shape of h_0
            The state after the last step; the reverse direction's last step reads x_1.
        """
        if hasattr(x, "batch_sizes"):
            raise TypeError("x must be an array, got a PackedSequence: torch_reference.from_packed unpacks it")
        x = as_array("x", x, self.dtype)
        layout = Layout.of(x, self.input_size, self.batch_first)
        T, B = layout.T, layout.B
        tape = self.new_tape(T, B) if tape is None else self._check_tape(tape, (T, B))
        lengths = layout.sort(lengths)
        h_0 = self.check_state("h_0", h_0, layout)
        tape.masks = self.draw_masks(T, B) if masks is None else check_masks(masks, *self._masks(T, B), self.dtype)
        tape.layout = layout
        tape.set_lengths(lengths)
        tape.set_h_0(h_0)
        x = layout.enter(x)
        tape.clear_padding(x)
        tape.x[0] = x.reshape(-1, self.input_size)
        for t in tape.layers[0]:
            t.recurrence.project(tape.x[0], t.z_rows, t.bias)
        self.recur(tape)
        tape.written, self.tape = True, tape
        return layout.leave(tape.output(-1)), layout.leave_state(tape.h_n())

    def backward(
        self, doutput: ArrayLike, dh_n: ArrayLike | None = None, tape: RecurrentTape | None = None
    ) -> tuple[Array, Array]:
        """Backpropagate through time, and assign the gradient of every parameter (torch would add to it).

        Parameters
        ----------
        doutput : array, shape of `output`
            Gradient of the loss with respect to `output`.
        dh_n : array, shape of `h_n`, optional
            Gradient with respect to `h_n` by any path other than `output`. None: zeros.
        tape : RecurrentTape, optional
            The tape of the forward pass to differentiate. None: the most recent one.

        Returns
        -------
        dx : ndarray, shape of `x`
        dh_0 : ndarray, shape of `h_n`
        """
        handed_in = tape is not None
        tape = self._written_tape(tape)
        doutput = as_array("doutput", doutput, self.dtype)
        tape.layout.check("doutput", doutput, self.num_directions * self.hidden_size, "num_directions * hidden_size")
        dh_n = self.check_state("dh_n", dh_n, tape.layout)
        tape.set_doutput(tape.layout.enter(doutput))
        tape.dh[...] = 0 if dh_n is None else dh_n
        self.backward_recur(tape)
        for t in tape.layers[0]:
            t.recurrence.backward_project(t.z_rows, tape.x[0], t.dx, t.ones)
        dx = tape.layout.leave(tape.join_dx(0).reshape(*tape.shape, self.input_size))
        dh_0 = tape.layout.leave_state(tape.dh)
        return (dx, dh_0) if handed_in else (dx.copy(), dh_0.copy())

    def recur(self, tape: RecurrentTape) -> None:
        """Run all layers, given W_ih x + b of the first layer in its z."""
        for t in tape.layers[0]:
            t.recurrence.recur(t)
        for k in range(1, self.num_layers):
            x = tape.x[k] = tape.read_below(k)
            for t in tape.layers[k]:
                t.recurrence.project(x, t.z_rows, t.bias)
                t.recurrence.recur(t)

    def backward_recur(self, tape: RecurrentTape) -> None:
        """Backpropagate through all layers, down to dz of the first, in its z."""
        for k in range(self.num_layers - 1, 0, -1):
            for t in tape.layers[k]:
                t.recurrence.backward_recur(t)
                t.recurrence.backward_project(t.z_rows, tape.x[k], t.dx, t.ones)
            tape.join_dx(k)
        for t in tape.layers[0]:
            t.recurrence.backward_recur(t)

    def check_state(self, name: str, state: ArrayLike | None, layout: Layout) -> Array | None:
        """Return the caller's h_0 or dh_n as an array (L * D, B, H), in the order of the tape's rows."""
        if state is None:
            return None
        state = as_array(name, state, self.dtype)
        layout.check_state(name, state, self.num_layers * self.num_directions, self.hidden_size)
        return layout.enter_state(state)

    def draw_masks(self, T: int, B: int) -> list[Array] | None:
        """Return the dropout masks for one forward pass; None: no dropout, as in evaluation mode."""
        if not self.training or self.dropout == 0:
            return None
        return draw_masks(self.dropout, *self._masks(T, B), self.dtype, self.rng)

    def _masks(self, T: int, B: int) -> tuple[int, tuple[int, int, int]]:
        return self.num_layers - 1, (T, B, self.num_directions * self.hidden_size)
