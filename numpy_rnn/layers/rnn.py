"""RNN: the Elman recurrence, and its backward pass through time.

Forward, for t = 1 ... T:

    z_t = W_ih x_t + b_ih + W_hh h_{t-1} + b_hh                 (1)
    h_t = tanh(z_t)                                             (2)

Backward, for t = T ... 1, from doutput_t, the gradient that reaches h_t from above, and dh_n, the one that
reaches h_T from whatever follows the sequence:

    dh_t = doutput_t + W_hh^T dz_{t+1}     (at t = T: doutput_T + dh_n)                 (3)
    dz_t = dh_t * (1 - h_t^2)              since tanh' = 1 - tanh^2                     (4)

    dW_hh = sum_t dz_t h_{t-1}^T,  dW_ih = sum_t dz_t x_t^T,  db_ih = db_hh = sum_t dz_t     (5)
    dx_t = W_ih^T dz_t,            dh_0 = W_hh^T dz_1                                        (6)

In the code a batch of B sequences lies in rows, so that W x becomes x @ W.T. Only W_hh h_{t-1} needs the step
before it: everything else is one matrix product over all N = T * B rows, outside the loop.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from numpy_rnn.checks import Array, as_array, as_dtype, as_size, check_shape
from numpy_rnn.layers.layer import Layer, Tape
from numpy_rnn.parameters import Parameters

__all__ = ["RNN"]


class RNNTape(Tape):
    """States, pre-activations and their gradients; x (N, I) and doutput (T, B, H) come from outside."""

    x: Array
    dz_rows: Array
    backward_steps: list[tuple[Array, Array, Array]]

    def __init__(self, layer: RNN, T: int, B: int) -> None:
        super().__init__(layer, (T, B))
        H, dtype = layer.hidden_size, layer.dtype
        self.h = np.empty((T + 1, B, H), dtype)  # h[0] is h_0, h[t] the state after step t
        self.z = np.empty((T, B, H), dtype)  # backward puts 1 - h^2 in its place
        self.dh = np.empty((1, B, H), dtype)  # dh_t while time runs backward; in the end dh_0
        self.bias = np.empty(H, dtype)  # b_ih + b_hh
        self.W_hh_h = np.empty((B, H), dtype)
        # The same memory as rows, N = T * B, and step by step.
        self.z_rows = self.z.reshape(-1, H)
        self.h_rows, self.h_previous_rows = self.h[1:].reshape(-1, H), self.h[:-1].reshape(-1, H)
        self.forward_steps = list(zip(self.h[:-1], self.z, self.h[1:], strict=True))
        # BLAS multiplies a narrow matrix up to twice as fast by W_hh^T stored as such than by a transposed W_hh:
        # worth one copy per forward. A single row (B = 1) gains nothing.
        self.W_hh_T = np.empty((H, H), dtype) if B > 1 else None

    @cached_property
    def dz(self) -> Array:
        return np.empty_like(self.z)

    @cached_property
    def dx(self) -> Array:
        return np.empty((len(self.z_rows), self.layer.input_size), self.z.dtype)

    def set_doutput(self, doutput: Array, dz: Array) -> None:
        """Say where doutput (T, B, H) is, and where dz shall be: the same memory, if doutput may be overwritten."""
        self.dz_rows = dz.reshape(-1, dz.shape[-1])
        self.backward_steps = list(zip(doutput, self.z, dz, strict=True))[::-1]


class RNN(Layer[RNNTape]):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh) over a sequence.

    Parameters
    ----------
    input_size : int
        I, the length of x_t.
    hidden_size : int
        H, the length of h_t.
    dtype : dtype, default float32
        float32, float64, or complex128 for the complex step.
    rng : numpy.random.Generator or seed, optional
        Draws `weight_ih_l0` (H, I), `weight_hh_l0` (H, H), `bias_ih_l0` (H,) and `bias_hh_l0` (H,) from
        U(-k, k), k = 1/sqrt(H). None: a fresh generator.

    References
    ----------
    J. L. Elman, "Finding structure in time", Cognitive Science 14 (1990).
    https://docs.pytorch.org/docs/stable/generated/torch.nn.RNN.html
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self.input_size = as_size("input_size", input_size)
        self.hidden_size = as_size("hidden_size", hidden_size)
        self.dtype = as_dtype(dtype)
        self._parameters = Parameters(
            {
                "weight_ih_l0": (self.hidden_size, self.input_size),
                "weight_hh_l0": (self.hidden_size, self.hidden_size),
                "bias_ih_l0": (self.hidden_size,),
                "bias_hh_l0": (self.hidden_size,),
            },
            self.dtype,
        )
        bound = 1 / math.sqrt(self.hidden_size)
        self._parameters.data = np.random.default_rng(rng).uniform(-bound, bound, self._parameters.data.size)
        self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0 = self._parameters.values()

    def new_tape(self, T: int, B: int) -> RNNTape:
        """Return a tape for T steps of B sequences, to hand to `forward` and `backward` again and again."""
        return RNNTape(self, T, B)

    def forward(self, x: ArrayLike, h_0: ArrayLike | None = None, tape: RNNTape | None = None) -> tuple[Array, Array]:
        """Run the recurrence, equations (1) and (2).

        Parameters
        ----------
        x : array, shape (T, B, I)
            T >= 1. The tape keeps it for `backward`, without a copy if it has the layer's dtype.
        h_0 : array, shape (1, B, H), optional
            The state before the first step. None: zeros.
        tape : RNNTape, optional
            Where to write; see `new_tape`.

        Returns
        -------
        output : ndarray, shape (T, B, H)
            h_1 ... h_T.
        h_n : ndarray, shape (1, B, H)
            h_T.
        """
        x = as_array("x", x, self.dtype)
        check_shape("x", x, (None, None, self.input_size), "(T, B, input_size)")
        T, B, _ = x.shape
        if T == 0:
            raise ValueError(f"x has shape {x.shape}: a sequence needs at least one time step")
        tape = self.new_tape(T, B) if tape is None else self._check_tape(tape, (T, B))
        tape.h[:1] = self.state("h_0", h_0, tape)
        tape.x = x.reshape(-1, self.input_size)
        self.forward_on(tape)
        tape.written, self.tape = True, tape
        return tape.h[1:], tape.h[-1:]

    def backward(
        self, doutput: ArrayLike, dh_n: ArrayLike | None = None, tape: RNNTape | None = None
    ) -> tuple[Array, Array]:
        """Backpropagate through time, equations (3) to (6).

        Assigns the gradients of the parameters (torch would add to them).

        Parameters
        ----------
        doutput : array, shape (T, B, H)
            Gradient of the loss with respect to `output`.
        dh_n : array, shape (1, B, H), optional
            Gradient with respect to `h_n` by any path but `output`. None: zeros.
        tape : RNNTape, optional
            The tape of the forward pass that this belongs to. None: the most recent one.

        Returns
        -------
        dx : ndarray, shape (T, B, I)
        dh_0 : ndarray, shape (1, B, H)
        """
        handed_in = tape is not None
        tape = self._written_tape(tape)
        doutput = as_array("doutput", doutput, self.dtype)
        check_shape("doutput", doutput, tape.z.shape, "(T, B, hidden_size)")
        tape.dh[...] = self.state("dh_n", dh_n, tape)
        tape.set_doutput(doutput, tape.dz)
        self.backward_on(tape)
        dx = tape.dx.reshape(*tape.shape, self.input_size)
        return (dx, tape.dh) if handed_in else (dx.copy(), tape.dh.copy())

    def state(self, name: str, value: ArrayLike | None, tape: RNNTape) -> Array | int:
        """Return h_0 or dh_n as an array of the tape's dtype and shape (1, B, H); None: zero."""
        if value is None:
            return 0
        value = as_array(name, value, self.dtype)
        check_shape(name, value, tape.dh.shape, "(1, B, hidden_size)")
        return value

    def forward_on(self, tape: RNNTape) -> None:
        self.project(tape.x, tape.z_rows, tape.bias)
        self.recur(tape)

    def backward_on(self, tape: RNNTape) -> None:
        self.backward_recur(tape)
        self.backward_project(tape.dz_rows, tape.x, tape.dx)

    def project(self, x: Array, z: Array, bias: Array) -> None:
        """z = W_ih x + (b_ih + b_hh), the part of (1) that waits for no other step; x (N, I), z (N, H), bias (H,)."""
        x.dot(self.weight_ih_l0.data.T, z)
        np.add(self.bias_ih_l0.data, self.bias_hh_l0.data, bias)
        np.add(z, bias, z)

    def recur(self, tape: RNNTape) -> None:
        """Complete z and compute h, step by step."""
        W_hh_T, W_hh_h = self.weight_hh_l0.data.T, tape.W_hh_h
        if tape.W_hh_T is not None:
            np.copyto(tape.W_hh_T, W_hh_T)
            W_hh_T = tape.W_hh_T
        add, tanh = np.add, np.tanh  # local names: looked up faster, and that shows where arrays are small
        for h_previous, z_t, h_t in tape.forward_steps:
            h_previous.dot(W_hh_T, W_hh_h)
            add(z_t, W_hh_h, z_t)  # (1)
            tanh(z_t, h_t)  # (2)

    def backward_recur(self, tape: RNNTape) -> None:
        """From doutput, and dh_n in dh, to dz, dW_hh, and dh_0 in dh."""
        W_hh, dh = self.weight_hh_l0, tape.dh[0]
        np.multiply(tape.h_rows, tape.h_rows, tape.z_rows)
        np.subtract(1, tape.z_rows, tape.z_rows)  # tanh'(z) = 1 - h^2, for all t at once
        add, multiply, W = np.add, np.multiply, W_hh.data
        for doutput_t, slope_t, dz_t in tape.backward_steps:
            add(dh, doutput_t, dh)  # (3)
            multiply(dh, slope_t, dz_t)  # (4)
            dz_t.dot(W, dh)  # W_hh^T dz_t: to the step before it, and in the end to h_0 (6)
        tape.dz_rows.T.dot(tape.h_previous_rows, W_hh.grad)  # (5)

    def backward_project(self, dz: Array, x: Array, dx: Array) -> None:
        """From dz (N, H) and x (N, I) to dx (N, I), dW_ih, db_ih and db_hh."""
        dz.T.dot(x, self.weight_ih_l0.grad)  # (5)
        np.add.reduce(dz, axis=0, out=self.bias_ih_l0.grad)
        self.bias_hh_l0.grad[...] = self.bias_ih_l0.grad
        dz.dot(self.weight_ih_l0.data, dx)  # (6)
