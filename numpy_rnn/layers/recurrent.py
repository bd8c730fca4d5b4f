"""Layers of recurrences, each running forward in time or in both directions.

Layer k reads the states of layer k - 1, both directions side by side, times a dropout mask:

    x^0 = x,   x^k = mask^k * [h^{k-1}, h_reverse^{k-1}],   mask = 0 with probability p, else 1 / (1 - p)     (1)

and the gradient flows back the same way, each direction of the layer below receiving its half:

    [doutput^{k-1}, doutput_reverse^{k-1}] = mask^k * (dx^k + dx_reverse^k)                                   (2)

How a recurrence computes h from x, and dx from dh, is in `recurrence.py`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from numpy_rnn.checks import Array, as_array, as_dtype, as_flag, as_number, as_rng, as_size
from numpy_rnn.layers.dropout import check_masks, draw_masks
from numpy_rnn.layers.layer import Layer, quiet, writes_gradients
from numpy_rnn.layers.layout import Layout
from numpy_rnn.layers.recurrence import Recurrence
from numpy_rnn.layers.recurrent_tape import RecurrentTape
from numpy_rnn.parameters import Parameter, Parameters

__all__ = ["Recurrent", "State", "as_arrays", "copy_state"]

State = Any  # an array h (L * D, B, H), or the LSTM's pair of arrays (h, c)


def as_arrays(state: State) -> tuple[Any, ...]:
    """Return the arrays of a state: h, or h and c."""
    return state if isinstance(state, tuple) else (state,)


def copy_state(state: State) -> State:
    return tuple(array.copy() for array in state) if isinstance(state, tuple) else state.copy()


class Recurrent(Layer[RecurrentTape]):
    """The layers, directions, dropout and lengths of a recurrent network; `layers[k][d]` is one recurrence."""

    cell: type[Recurrence]
    cell_options: tuple[Any, ...] = ()
    mask_rows: tuple[int, slice] | None = None  # x is these rows of a larger batch, and so are the dropout masks
    weight_ih_l0: Parameter
    weight_hh_l0: Parameter

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
        **unknown: Any,
    ) -> None:
        for name in unknown:
            slip = {"nonlinearity": ": RNN has it", "proj_size": ": apply nr.Linear to the output"}.get(name, "")
            raise TypeError(f"{type(self).__name__} has no option {name!r}{slip}")
        self.input_size, self.hidden_size = as_size("input_size", input_size), as_size("hidden_size", hidden_size)
        self.num_layers = as_size("num_layers", num_layers)
        self.bias, self.batch_first = as_flag("bias", bias), as_flag("batch_first", batch_first)
        self.dropout = as_number("dropout", dropout, high=1, closed=True)
        self.bidirectional = as_flag("bidirectional", bidirectional)
        self.num_directions = 2 if bidirectional else 1
        self.dtype, self.rng = as_dtype(dtype), as_rng(rng)
        if self.dropout and self.num_layers == 1:
            words = f"dropout={dropout} does nothing with num_layers=1: it lies between layers"
            warnings.warn(words, stacklevel=2 + (type(self).__init__ is not Recurrent.__init__))

        H, D, width, G = self.hidden_size, self.num_directions, self.input_size, self.cell.gates
        shapes: dict[str, tuple[int, ...]] = {}
        for k in range(self.num_layers):
            for suffix in (f"l{k}", f"l{k}_reverse")[:D]:
                shapes |= {f"weight_ih_{suffix}": (G * H, width), f"weight_hh_{suffix}": (G * H, H)}
                if bias:
                    shapes |= {f"bias_ih_{suffix}": (G * H,), f"bias_hh_{suffix}": (G * H,)}
            width = D * H
        self._parameters = Parameters(shapes, self.dtype)
        bound = 1 / math.sqrt(H)
        self._parameters.data = self.rng.uniform(-bound, bound, self._parameters.data.size)
        for name, parameter in self._parameters.items():
            setattr(self, name, parameter)
        parameters = iter(self._parameters.values())
        self.layers = [
            [
                self.cell([next(parameters) for _ in range(4 if bias else 2)], reverse, *self.cell_options)
                for reverse in (False, True)[:D]
            ]
            for _ in range(self.num_layers)
        ]

    def new_tape(self, T: int, B: int) -> RecurrentTape:
        """Return a tape for T steps of B sequences, to reuse in any number of passes."""
        return RecurrentTape(self, as_size("T", T), as_size("B", B, low=0))

    @quiet
    def forward(
        self,
        x: ArrayLike,
        h_0: State = None,
        tape: RecurrentTape | None = None,
        *,
        lengths: ArrayLike | None = None,
        masks: Sequence[ArrayLike] | None = None,
    ) -> tuple[Array, State]:
        """Run all layers over a sequence.

        Parameters
        ----------
        x : array, shape (T, B, I); with batch_first (B, T, I); for a single sequence (T, I)
            T >= 1. The tape keeps it for `backward`, without a copy if it has the layer's dtype and is time-major.
        h_0 : array, shape (L * D, B, H); for a single sequence (L * D, H); optional
            The state before the first step, in the order l0, l0_reverse, l1, ... None: zeros. For an LSTM, a pair
            (h_0, c_0) of such arrays; likewise h_n, dh_n and dh_0 below.
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
        states = self.check_state("h_0", h_0, layout)
        tape.masks = self.draw_masks(T, B) if masks is None else check_masks(masks, *self._masks(T, B), self.dtype)
        tape.layout = layout
        tape.set_lengths(lengths)
        tape.set_initial(states)
        x = layout.enter(x)
        tape.clear_padding(x)
        tape.x[0] = x.reshape(-1, self.input_size)
        for t in tape.layers[0]:
            t.recurrence.project(tape.x[0], t.z_rows, t)
        self.recur(tape)
        self._keep(tape)
        return layout.leave(tape.output(-1)), self.as_state([layout.leave_state(h) for h in tape.last()])

    @writes_gradients
    def backward(
        self, doutput: ArrayLike, dh_n: State = None, tape: RecurrentTape | None = None
    ) -> tuple[Array, State]:
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
        dstates = self.check_state("dh_n", dh_n, tape.layout)
        tape.set_doutput(tape.layout.enter(doutput))
        tape.set_dlast(dstates)
        self.backward_recur(tape)
        for t in tape.layers[0]:
            t.recurrence.backward_project(t.z_rows, tape.x[0], t.dx, t)
        dx = tape.layout.leave(tape.join_dx(0).reshape(*tape.shape, self.input_size))
        dh_0 = self.as_state([tape.layout.leave_state(d) for d in tape.dstates])
        return (dx, dh_0) if handed_in else (dx.copy(), copy_state(dh_0))

    def recur(self, tape: RecurrentTape) -> None:
        """Run all layers, given W_ih x + b of the first layer in its z."""
        for t in tape.layers[0]:
            t.recurrence.recur(t)
        for k in range(1, self.num_layers):
            x = tape.x[k] = tape.read_below(k)
            for t in tape.layers[k]:
                t.recurrence.project(x, t.z_rows, t)
                t.recurrence.recur(t)

    def backward_recur(self, tape: RecurrentTape) -> None:
        """Backpropagate through all layers, down to dz of the first, in its z."""
        for k in range(self.num_layers - 1, 0, -1):
            for t in tape.layers[k]:
                t.recurrence.backward_recur(t)
                t.recurrence.backward_project(t.z_rows, tape.x[k], t.dx, t)
            tape.join_dx(k)
        for t in tape.layers[0]:
            t.recurrence.backward_recur(t)

    def check_state(self, name: str, state: State, layout: Layout) -> list[Array] | None:
        """Return the arrays of the caller's h_0 or dh_n, each (L * D, B, H), in the order of the tape's rows."""
        if state is None:
            return None
        names, arrays = [name], [state]
        if isinstance(state, tuple) and self.cell.states == 1:
            raise TypeError(f"{name} must be an array, got a tuple: only an LSTM has a pair of states")
        if self.cell.states == 2:
            names.append(name.replace("h_", "c_"))
            if not isinstance(state, tuple | list) or len(state) != 2:
                length = f" of length {len(state)}" if isinstance(state, tuple | list) else ""
                raise TypeError(f"{name} must be a pair ({', '.join(names)}), got {type(state).__name__}{length}")
            arrays = list(state)
        for i, name in enumerate(names):
            arrays[i] = as_array(name, arrays[i], self.dtype)
            layout.check_state(name, arrays[i], self.num_layers * self.num_directions, self.hidden_size)
            arrays[i] = layout.enter_state(arrays[i])
        return arrays

    @staticmethod
    def as_state(states: Sequence[Array] | Array) -> State:
        """Return h, or the LSTM's pair (h, c), as the caller has it."""
        return states[0] if len(states) == 1 else tuple(states)

    def draw_masks(self, T: int, B: int) -> list[Array] | None:
        """Return the dropout masks for one forward pass; None: no dropout, as in evaluation mode."""
        if not self.training or self.dropout == 0:
            return None
        whole, rows = self.mask_rows or (B, slice(None))
        return [mask[:, rows] for mask in draw_masks(self.dropout, *self._masks(T, whole), self.dtype, self.rng)]

    def _masks(self, T: int, B: int) -> tuple[int, tuple[int, int, int]]:
        return self.num_layers - 1, (T, B, self.num_directions * self.hidden_size)
