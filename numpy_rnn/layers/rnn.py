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

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from numpy_rnn.checks import Array, as_array, as_dtype, as_size, check_shape
from numpy_rnn.layers.layer import Layer
from numpy_rnn.parameters import Parameters

__all__ = ["RNN"]


class RNNTape:
    """The states and pre-activations of one forward pass over (T, B), and their gradients."""

    def __init__(self, T: int, B: int, input_size: int, hidden_size: int, dtype: DTypeLike) -> None:
        self.x = np.empty((T, B, input_size), dtype)
        self.z = np.empty((T, B, hidden_size), dtype)
        self.h = np.empty((T + 1, B, hidden_size), dtype)  # h[0] is h_0; h[t] the state after step t
        self.recurrent = np.empty(_step(B, hidden_size), dtype)  # W_hh h_{t-1}
        self.forward_steps = list(zip(_steps(self.h[:-1]), _steps(self.z), _steps(self.h[1:]), strict=True))
        self.renew_gradients()

    def renew_gradients(self) -> None:
        self.dz = np.empty(self.z.shape, self.z.dtype)
        self.dx = np.empty(self.x.shape, self.x.dtype)
        self.dh = np.empty(self.h[:1].shape, self.h.dtype)  # (1, B, H): dh_t during the loop, dh_0 after it
        self.dz_steps = _steps(self.dz)


def _step(B: int, H: int) -> tuple[int, ...]:
    return (H,) if B == 1 else (B, H)


def _steps(array: Array) -> list[Array]:
    """Views of a (T, B, H) array per time step: (B, H), or (H,) for B = 1, where BLAS has a faster product."""
    return list(array.reshape(array.shape[0], *_step(*array.shape[1:])))


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
                "weight_ih_l0": (hidden_size, input_size),
                "weight_hh_l0": (hidden_size, hidden_size),
                "bias_ih_l0": (hidden_size,),
                "bias_hh_l0": (hidden_size,),
            },
            dtype,
        )
        bound = 1 / math.sqrt(hidden_size)
        self._parameters.data = np.random.default_rng(rng).uniform(-bound, bound, self._parameters.data.size)

    def new_tape(self, T: int, B: int) -> RNNTape:
        """Return a tape for T steps of B sequences, to hand to `forward` and `backward` again and again."""
        return RNNTape(T, B, self.input_size, self.hidden_size, self.dtype)

    def forward(self, x: ArrayLike, h_0: ArrayLike | None = None, tape: RNNTape | None = None) -> tuple[Array, Array]:
        """Run the recurrence, equations (1) and (2).

        Parameters
        ----------
        x : array, shape (T, B, I)
            T >= 1. Kept for `backward`, not copied.
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
        tape = self.new_tape(T, B) if tape is None else tape
        check_shape("x", x, tape.dx.shape, "the tape's shape")
        tape.x = x
        if h_0 is None:
            tape.h[0] = 0
        else:
            h_0 = as_array("h_0", h_0, self.dtype)
            check_shape("h_0", h_0, (1, B, self.hidden_size), "(1, B, hidden_size)")
            tape.h[:1] = h_0

        self.project(x.reshape(-1, self.input_size), out=tape.z.reshape(-1, self.hidden_size))
        W_hh_T, recurrent = self._parameters["weight_hh_l0"].data.T, tape.recurrent
        for h_previous, z_t, h_t in tape.forward_steps:
            h_previous.dot(W_hh_T, recurrent)
            np.add(z_t, recurrent, z_t)  # (1)
            np.tanh(z_t, h_t)  # (2)
        self.tape = tape
        return tape.h[1:], tape.h[-1:]

    def project(self, x: Array, out: Array | None = None) -> Array:
        """Return W_ih x + b_ih + b_hh, the part of z that does not wait for the step before: (N, I) -> (N, H)."""
        p = self._parameters
        z: Array = np.dot(x, p["weight_ih_l0"].data.T, out)
        z += p["bias_ih_l0"].data + p["bias_hh_l0"].data
        return z

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
        tape = self._tape_for_backward(tape)
        doutput = as_array("doutput", doutput, self.dtype)
        check_shape("doutput", doutput, tape.dz.shape, "(T, B, hidden_size)")
        if dh_n is None:
            tape.dh[...] = 0
        else:
            dh_n = as_array("dh_n", dh_n, self.dtype)
            check_shape("dh_n", dh_n, tape.dh.shape, "(1, B, hidden_size)")
            tape.dh[...] = dh_n

        p = self._parameters
        h, W_hh = tape.h[1:], p["weight_hh_l0"].data
        np.multiply(h, h, tape.dz)
        np.subtract(1, tape.dz, tape.dz)  # 1 - h_t^2 for all t
        (dh,) = _steps(tape.dh)
        for doutput_t, dz_t in zip(reversed(_steps(doutput)), reversed(tape.dz_steps), strict=True):
            np.add(dh, doutput_t, dh)  # (3)
            np.multiply(dz_t, dh, dz_t)  # (4)
            dz_t.dot(W_hh, dh)

        dz = tape.dz.reshape(-1, self.hidden_size)  # (N, H)
        dz.T.dot(tape.h[:-1].reshape(-1, self.hidden_size), p["weight_hh_l0"].grad)  # (5)
        dz.T.dot(tape.x.reshape(-1, self.input_size), p["weight_ih_l0"].grad)
        dz.sum(0, out=p["bias_ih_l0"].grad)
        p["bias_hh_l0"].grad = p["bias_ih_l0"].grad
        dz.dot(p["weight_ih_l0"].data, tape.dx.reshape(-1, self.input_size))  # (6)
        return tape.dx, tape.dh
