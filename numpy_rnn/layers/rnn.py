"""RNN: layers of recurrences, each running forward in time or in both directions.

Layer k reads what layer k - 1 made, both directions side by side, times a dropout mask:

    x^0 = x,   x^k = mask^k * [h^{k-1}, h_reverse^{k-1}],   mask = 0 with probability p, else 1 / (1 - p)     (1)

and the gradient flows back the same way, each direction of the layer below taking its half:

    [doutput^{k-1}, doutput_reverse^{k-1}] = mask^k * (dx^k + dx_reverse^k)                                   (2)

How a recurrence comes from x to h, and from dh to dx, is in `recurrence.py`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from numpy_rnn.checks import Array, as_array, as_dtype, as_flag, as_probability, as_size, check_shape
from numpy_rnn.layers.layer import Layer, Tape
from numpy_rnn.layers.layout import Layout
from numpy_rnn.layers.recurrence import Recurrence, RecurrenceTape
from numpy_rnn.parameters import Parameter, Parameters

__all__ = ["RNN"]


class RNNTape(Tape):
    """The tapes of the recurrences, `layers[k][d]`, and what lies between the layers.

    Where the sequences differ in length, the rows of all arrays lie in falling order of length: row b is the caller's
    sequence `layout.order[b]`.
    """

    lengths: Array | None = None
    masks: Sequence[Array] | None = None  # (T, B, D * H) between a layer and the next, in the caller's order of B

    def __init__(self, layer: RNN, T: int, B: int) -> None:
        super().__init__(layer, (T, B))
        self.layout = Layout(T, B)
        D, H = layer.num_directions, layer.hidden_size
        self.dh = np.empty((layer.num_layers * D, B, H), layer.dtype)  # dh_n before backward, dh_0 after it
        self.layers = [
            [RecurrenceTape(recurrence, T, self.dh[k * D + d]) for d, recurrence in enumerate(directions)]
            for k, directions in enumerate(layer.layers)
        ]
        self.recurrences = [tape for directions in self.layers for tape in directions]
        # One direction's states are the output as they are; those of two need an array to lie side by side.
        self.outputs = [
            directions[0].after if D == 1 else np.empty((T, B, D * H), layer.dtype) for directions in self.layers
        ]
        self.x: list[Array] = [np.empty(0)] * layer.num_layers  # what each layer reads, as rows (N, I)

    def set_lengths(self, lengths: Array | None) -> None:
        """Say how long the sequence of each row is, in falling order; None: all are T long."""
        if lengths is None and self.lengths is None:
            return
        self.lengths = lengths
        for tape in self.recurrences:
            tape.set_lengths(lengths)
            tape.h.fill(0)

    def clear_padding(self, sequence: Array) -> None:
        """Set to zero what lies behind the end of each sequence."""
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

    def set_doutput(self, doutput: Array, dz: Array | None = None) -> None:
        """Say where doutput (T, B, D * H) of the last layer is; dz, for one direction: see `RecurrenceTape`."""
        for directions in reversed(self.layers):
            for tape, half in zip(directions, np.split(doutput, len(directions), axis=2), strict=True):
                tape.set_doutput(half, tape.dz if dz is None else dz)
            if directions is not self.layers[0]:
                doutput = directions[0].dx.reshape(doutput.shape)  # (2)
                dz = doutput if len(directions) == 1 else None

    def output(self, k: int) -> Array:
        """Return the states of layer k, (T, B, D * H), both directions side by side."""
        if len(self.layers[k]) > 1:
            np.concatenate([tape.after for tape in self.layers[k]], axis=2, out=self.outputs[k])
            self.clear_padding(self.outputs[k])
        return self.outputs[k]

    def read_below(self, k: int) -> Array:
        """Return what layer k > 0 reads, equation (1), as rows."""
        x = self.output(k - 1) if self.masks is None else self.output(k - 1) * self.mask(k)
        self.x[k] = x.reshape(-1, x.shape[-1])
        return self.x[k]

    def mask(self, k: int) -> Array:
        """Return the mask below layer k, its rows in the order of the tape's."""
        assert self.masks is not None
        return self.layout.enter_state(self.masks[k - 1])

    def join_dx(self, k: int) -> Array:
        """Return the gradient of what layer k read, equation (2), in the array of its first direction."""
        dx = self.layers[k][0].dx
        for tape in self.layers[k][1:]:
            dx += tape.dx
        if k > 0 and self.masks is not None:
            dx *= self.mask(k).reshape(dx.shape)
        return dx


class RNN(Layer[RNNTape]):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh) over a sequence, in `num_layers` layers.

    Parameters
    ----------
    input_size : int
        I, the length of x_t.
    hidden_size : int
        H, the length of h_t.
    num_layers : int, default 1
        L; each layer reads the output of the one below.
    nonlinearity : {"tanh", "relu"}
        relu'(0) = 0, as in torch.
    bias : bool, default True
        False: no b_ih and b_hh.
    batch_first : bool, default False
        x and output are (B, T, ...) instead of (T, B, ...). h_0 and h_n stay as they are.
    dropout : float, default 0
        p, the probability with which a number in the output of any layer but the last is set to zero, in training
        mode: see `train` and `eval`. h_n is taken before.
    bidirectional : bool, default False
        D = 2 directions in each layer instead of 1: the second reads the sequence from its end.
    dtype : dtype, default float32
        float32, float64, or complex128 for the complex step.
    rng : numpy.random.Generator or seed, optional
        Draws `weight_ih_l{k}` (H, I; above the first layer H, D * H), `weight_hh_l{k}` (H, H), `bias_ih_l{k}` (H,)
        and `bias_hh_l{k}` (H,) of each layer k, and the same with `_reverse` of its second direction, from U(-a, a),
        a = 1/sqrt(H); later the dropout masks. None: a fresh generator.

    References
    ----------
    J. L. Elman, "Finding structure in time", Cognitive Science 14 (1990).
    M. Schuster and K. K. Paliwal, "Bidirectional recurrent neural networks", IEEE Trans. Signal Proc. 45 (1997).
    W. Zaremba, I. Sutskever and O. Vinyals, "Recurrent neural network regularization", arXiv:1409.2329 (2014).
    https://docs.pytorch.org/docs/stable/generated/torch.nn.RNN.html
    """

    weight_ih_l0: Parameter
    weight_hh_l0: Parameter

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self.input_size = as_size("input_size", input_size)
        self.hidden_size = as_size("hidden_size", hidden_size)
        self.num_layers = as_size("num_layers", num_layers)
        if not isinstance(nonlinearity, str) or nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
        self.nonlinearity = nonlinearity
        self.bias = as_flag("bias", bias)
        self.batch_first = as_flag("batch_first", batch_first)
        self.dropout = as_probability("dropout", dropout)
        self.bidirectional = as_flag("bidirectional", bidirectional)
        self.num_directions = 2 if bidirectional else 1
        self.dtype, self.rng = as_dtype(dtype), np.random.default_rng(rng)
        if self.dropout and self.num_layers == 1:
            warnings.warn(f"dropout={dropout} does nothing with num_layers=1: it lies between layers", stacklevel=2)

        H, D, width = self.hidden_size, self.num_directions, self.input_size
        shapes: dict[str, tuple[int, ...]] = {}
        for k in range(self.num_layers):
            for suffix in (f"l{k}", f"l{k}_reverse")[:D]:
                shapes |= {f"weight_ih_{suffix}": (H, width), f"weight_hh_{suffix}": (H, H)}
                if bias:
                    shapes |= {f"bias_ih_{suffix}": (H,), f"bias_hh_{suffix}": (H,)}
            width = D * H
        self._parameters = Parameters(shapes, self.dtype)
        bound = 1 / math.sqrt(H)
        self._parameters.data = self.rng.uniform(-bound, bound, self._parameters.data.size)
        for name, parameter in self._parameters.items():
            setattr(self, name, parameter)
        parameters = iter(self._parameters.values())
        self.layers = [
            [
                Recurrence([next(parameters) for _ in range(4 if bias else 2)], nonlinearity, reverse)
                for reverse in (False, True)[:D]
            ]
            for _ in range(self.num_layers)
        ]

    def new_tape(self, T: int, B: int) -> RNNTape:
        """Return a tape for T steps of B sequences, to hand to `forward` and `backward` again and again."""
        return RNNTape(self, as_size("T", T), as_size("B", B, low=0))

    def forward(
        self,
        x: ArrayLike,
        h_0: ArrayLike | None = None,
        tape: RNNTape | None = None,
        *,
        lengths: ArrayLike | None = None,
        masks: Sequence[ArrayLike] | None = None,
    ) -> tuple[Array, Array]:
        """Run all layers over a sequence.

        Parameters
        ----------
        x : array, shape (T, B, I); with batch_first (B, T, I); for a single sequence (T, I)
            T >= 1. The tape keeps it for `backward`, without a copy if it has the layer's dtype and lies time first.
        h_0 : array, shape (L * D, B, H); for a single sequence (L * D, H); optional
            The state before the first step, in the order l0, l0_reverse, l1, ... None: zeros.
        tape : RNNTape, optional
            Where to write; see `new_tape`.
        lengths : array of int, shape (B,), optional
            In [1, T], in any order: sequence b ends after lengths[b] steps, as if packed (torch's PackedSequence).
            What x holds behind the end is padding: it is not read, its output and its gradient are zero.
        masks : sequence of L - 1 arrays, shape (T, B, D * H), optional
            Dropout masks to take, in evaluation mode too, instead of drawing new ones: such as the `tape.masks` of
            another forward pass in training mode. Time first, whatever batch_first says.

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
        tape.masks = self._check_masks(masks, T, B) if masks is not None else self.draw_masks(T, B)
        tape.layout = layout
        tape.set_lengths(lengths)
        tape.set_h_0(h_0)
        x = layout.enter(x)
        tape.clear_padding(x)
        tape.x[0] = x.reshape(-1, self.input_size)
        self.forward_on(tape)
        tape.written, self.tape = True, tape
        return layout.leave(tape.output(-1)), layout.leave_state(tape.h_n())

    def backward(
        self, doutput: ArrayLike, dh_n: ArrayLike | None = None, tape: RNNTape | None = None
    ) -> tuple[Array, Array]:
        """Backpropagate through time.

        Assigns the gradients of the parameters (torch would add to them).

        Parameters
        ----------
        doutput : array, shape of `output`
            Gradient of the loss with respect to `output`.
        dh_n : array, shape of `h_n`, optional
            Gradient with respect to `h_n` by any path but `output`. None: zeros.
        tape : RNNTape, optional
            The tape of the forward pass that this belongs to. None: the most recent one.

        Returns
        -------
        dx : ndarray, shape of `x`
        dh_0 : ndarray, shape of `h_n`
        """
        handed_in = tape is not None
        tape = self._written_tape(tape)
        doutput = as_array("doutput", doutput, self.dtype)
        width = self.num_directions * self.hidden_size
        tape.layout.check("doutput", doutput, width, "num_directions * hidden_size")
        dh_n = self.check_state("dh_n", dh_n, tape.layout)
        tape.set_doutput(tape.layout.enter(doutput))
        tape.dh[...] = 0 if dh_n is None else dh_n
        self.backward_on(tape)
        dx = tape.layout.leave(tape.join_dx(0).reshape(*tape.shape, self.input_size))
        dh_0 = tape.layout.leave_state(tape.dh)
        return (dx, dh_0) if handed_in else (dx.copy(), dh_0.copy())

    def forward_on(self, tape: RNNTape) -> None:
        for t in tape.layers[0]:
            t.recurrence.project(tape.x[0], t.z_rows, t.bias)
        self.recur(tape)

    def backward_on(self, tape: RNNTape) -> None:
        self.backward_recur(tape)
        for t in tape.layers[0]:
            t.recurrence.backward_project(t.dz_rows, tape.x[0], t.dx)

    def recur(self, tape: RNNTape) -> None:
        """All layers, once W_ih x + b of the first is in its z."""
        for t in tape.layers[0]:
            t.recurrence.recur(t)
        for k in range(1, self.num_layers):
            x = tape.read_below(k)
            for t in tape.layers[k]:
                t.recurrence.project(x, t.z_rows, t.bias)
                t.recurrence.recur(t)

    def backward_recur(self, tape: RNNTape) -> None:
        """All layers, down to dz of the first."""
        for k in range(self.num_layers - 1, 0, -1):
            for t in tape.layers[k]:
                t.recurrence.backward_recur(t)
                t.recurrence.backward_project(t.dz_rows, tape.x[k], t.dx)
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
        """Return new dropout masks for the tape; None if there is no dropout, as in evaluation mode."""
        p = self.dropout
        if not self.training or p == 0:
            return None
        shape = (T, B, self.num_directions * self.hidden_size)
        # float32 whatever the dtype: a copy of the layer in another dtype draws the same masks.
        kept = [self.rng.random(shape, np.float32) >= p for _ in range(self.num_layers - 1)]
        return [mask * self.dtype.type(1 / (1 - p) if p < 1 else 0) for mask in kept]

    def _check_masks(self, masks: Sequence[ArrayLike], T: int, B: int) -> list[Array]:
        if not isinstance(masks, list | tuple):
            raise TypeError(
                f"masks must be a list of arrays, one for each layer but the last, got {type(masks).__name__}"
            )
        arrays = [as_array(f"masks[{k}]", mask, self.dtype) for k, mask in enumerate(masks)]
        if len(arrays) != self.num_layers - 1:
            raise ValueError(f"masks has length {len(arrays)}, expected num_layers - 1 = {self.num_layers - 1}")
        for k, mask in enumerate(arrays):
            shape = (T, B, self.num_directions * self.hidden_size)
            check_shape(f"masks[{k}]", mask, shape, "(T, B, num_directions * hidden_size)")
        return arrays
