"""The arrays of a forward and a backward pass through a recurrent network: of one recurrence, and of all layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.layers.layer import Tape
from numpy_rnn.layers.layout import Layout

if TYPE_CHECKING:
    from numpy_rnn.layers.recurrence import Recurrence
    from numpy_rnn.layers.recurrent import Recurrent

__all__ = ["RecurrenceTape", "RecurrentTape"]


class RecurrenceTape:
    """The states h (T + 1, B, H) and the pre-activations z (T, B, G H), which backward overwrites with dz.

    `states` is [h], of an LSTM [h, c]. All arrays are in the order of the text, whatever the direction: step t starts
    from `before[t]` and computes `after[t]`. `dstates` (S, B, H) has the gradients of the S states at step t during
    the backward pass, and those of the initial states after it.
    """

    first: Any
    last: Any
    saved: Sequence[Array] = ()  # what else the forward pass saves, (T, B, ...)
    backward_steps: list[tuple[Array, ...]]
    _rest: list[tuple[Array, ...]] | None

    def __init__(self, recurrence: Recurrence, T: int, dstates: Array) -> None:
        self.recurrence, self.reverse, self.dstates, self.dh = recurrence, recurrence.reverse, dstates, dstates[0]
        (S, B, H), dtype = dstates.shape, dstates.dtype
        self.states = [np.empty((T + 1, B, H), dtype) for _ in range(S)]
        self.h = self.states[0]
        self.z = np.empty((T, B, recurrence.width), dtype)
        self.bias = np.empty(recurrence.width, dtype)
        self.W_hh_h = np.empty((B, recurrence.width), dtype)
        self.ones = np.ones(T * B, dtype)
        self.before, self.after = self.sides(self.h)
        # The same memory as N = T * B rows.
        self.z_rows, self.h_rows = self.z.reshape(T * B, recurrence.width), self.after.reshape(T * B, H)
        # BLAS multiplies a narrow matrix up to twice as fast by a stored W_hh^T as by a transposed view of W_hh:
        # worth one copy per forward pass. A single row (B = 1) gains nothing.
        self.W_hh_T = np.empty((H, recurrence.width), dtype) if B > 1 else None

    def forward_arrays(self) -> Iterable[Iterable[Array]]:
        """Return what `recur` reads and writes at each step: here that of the Elman cell."""
        return self.before, self.z, self.after, repeat(self.W_hh_h)

    def backward_arrays(self) -> Iterable[Iterable[Array]]:
        """Return what `backward_recur` reads and writes at each step, besides doutput."""
        return repeat(self.dh), self.z

    @cached_property
    def dx(self) -> Array:
        return np.empty((len(self.z_rows), self.recurrence.input_size), self.z.dtype)

    def sides(self, states: Array) -> tuple[Array, Array]:
        """Return the states (T + 1, B, H) before and after each step."""
        return (states[1:], states[:-1]) if self.reverse else (states[:-1], states[1:])

    def set_lengths(self, lengths: Array | None) -> None:
        """Set the length of each row's sequence, in descending order; None: all are T long."""
        T, B, _ = self.z.shape
        self.running = None if lengths is None else np.arange(T)[:, None] < lengths  # (T, B)
        end = T if lengths is None else (lengths, np.arange(B))  # where in h each sequence ends
        self.first, self.last = (end, 0) if self.reverse else (0, end)  # where in h h_0 and h_n are
        for array in () if lengths is None else (*self.states, *self.saved):
            array.fill(0)  # the steps beyond the end of a sequence are not computed
        self.forward_steps, self._rest = self._steps(self.forward_arrays()), None

    def set_doutput(self, doutput: Array) -> None:
        """Set the array (T, B, H) from which backward reads doutput."""
        if self._rest is None:
            self._rest = self._steps(self.backward_arrays())[::-1]
        steps = self._steps((doutput,))[::-1]
        self.backward_steps = [step + rest for step, rest in zip(steps, self._rest, strict=True)]

    def _steps(self, arrays: Iterable[Iterable[Array]]) -> list[tuple[Array, ...]]:
        """Return the views of each time step, cut to the rows still running, in the order of the direction."""
        steps: list[tuple[Array, ...]] = list(zip(*arrays, strict=False))
        if self.running is not None:
            rows = self.running.sum(axis=1).tolist()
            steps = [tuple(view[:n] for view in step) for step, n in zip(steps, rows, strict=True)]
        return steps[::-1] if self.reverse else steps

    def cut(self, sequence: Array) -> Array:
        """Set what is beyond the end of each sequence to zero, in place: nothing comes back from there."""
        if self.running is not None:
            sequence[~self.running] = 0
        return sequence

    def h_previous(self) -> Array:
        """Return h_{t-1} of all steps as rows (N, H), zero beyond the end of each sequence."""
        h = self.before if self.running is None else np.where(self.running[:, :, None], self.before, 0)
        return h.reshape(self.h_rows.shape)


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
        # The gradients of h (and c): of the last states before backward, of the initial states after it.
        self.dstates = np.empty((layer.cell.states, layer.num_layers * D, B, H), layer.dtype)
        d = iter(self.dstates.swapaxes(0, 1))
        self.layers: list[list[RecurrenceTape]]
        self.layers = [[recurrence.tape(recurrence, T, next(d)) for recurrence in each] for each in layer.layers]
        self.recurrences = [tape for directions in self.layers for tape in directions]
        for tape in self.recurrences:
            tape.set_lengths(None)
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

    def clear_padding(self, sequence: Array) -> None:
        """Set everything beyond the end of each sequence to zero."""
        running = self.recurrences[0].running
        if running is not None:
            sequence[~running] = 0

    def set_initial(self, states: Sequence[Array] | None) -> None:
        """Set h_0 (and c_0), each (L * D, B, H); None: zeros."""
        for i, tape in enumerate(self.recurrences):
            for k, state in enumerate(tape.states):
                state[tape.first] = 0 if states is None else states[k][i]

    def last(self) -> list[Array]:
        """Return h_n (and c_n), each (L * D, B, H); of a single recurrence views."""
        if len(self.recurrences) == 1:
            (tape,) = self.recurrences
            return [state[tape.last][None] for state in tape.states]
        return [np.stack([tape.states[k][tape.last] for tape in self.recurrences]) for k in range(len(self.dstates))]

    def set_dlast(self, dstates: Sequence[Array] | None) -> None:
        """Set dh_n (and dc_n), each (L * D, B, H); None: zeros."""
        for k, d in enumerate(self.dstates):
            d[...] = 0 if dstates is None else dstates[k]

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
