"""LogSoftmax: the logarithm of the softmax along one dimension.

y = x - max x - log sum exp(x - max x)    (the shift by the maximum cancels; without it exp overflows)     (1)
dx = dy - softmax(x) sum dy,              softmax(x) = exp(y)                                              (2)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from numpy_rnn.checks import Array, as_array, as_dtype, as_floats, as_integer, check_shape
from numpy_rnn.layers.layer import Layer, Tape, quiet
from numpy_rnn.parameters import Parameters

__all__ = ["LogSoftmax"]


class LogSoftmaxTape(Tape):
    """y and dx in the shape of x; max and sum, of length 1 along dim."""

    def __init__(self, layer: LogSoftmax, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        super().__init__(layer, shape)
        self.y, self.dx = np.empty(shape, dtype), np.empty(shape, dtype)
        reduced = list(shape)
        if shape:
            reduced[layer.dim] = 1
        self.max, self.sum = np.empty(reduced, self.y.real.dtype), np.empty(reduced, dtype)


class LogSoftmax(Layer[LogSoftmaxTape]):
    """y = log softmax(x) along `dim`.

    Parameters
    ----------
    dim : int
        The dimension along which softmax(x) sums to 1; negative: from the end.

    References
    ----------
    https://docs.pytorch.org/docs/stable/generated/torch.nn.LogSoftmax.html
    """

    def __init__(self, dim: int) -> None:
        self.dim = as_integer("dim", dim)
        self._parameters = Parameters({})

    def new_tape(self, *shape: int, dtype: DTypeLike = np.float32) -> LogSoftmaxTape:
        """Return a tape for inputs of `shape`, to reuse in any number of passes."""
        ndim = max(len(shape), 1)
        if not -ndim <= self.dim < ndim:
            raise IndexError(f"dim must be in [{-ndim}, {ndim}) for x of shape {shape}, got {self.dim}")
        return LogSoftmaxTape(self, shape, as_dtype(dtype))

    @quiet
    def forward(self, x: ArrayLike, tape: LogSoftmaxTape | None = None) -> Array:
        """Return log softmax(x).

        Parameters
        ----------
        x : array of float32, float64 or complex128, any shape
            A single number counts as a vector of length one.
        tape : LogSoftmaxTape, optional
            Where to write; see `new_tape`.

        Returns
        -------
        ndarray, in the shape of x

        Raises
        ------
        IndexError
            x has no dimension `dim`.
        """
        x = as_floats("x", x)
        tape = self.new_tape(*x.shape, dtype=x.dtype) if tape is None else self._check_tape(tape, x.shape)
        if tape.y.dtype != x.dtype:
            raise TypeError(f"tape was made for x of dtype {tape.y.dtype}, got {x.dtype}")
        y, e, s = tape.y, tape.dx, tape.sum  # dx is free to hold exp(x - max) until backward
        # The maximum of the real part keeps the function analytic for the complex step.
        np.maximum.reduce(x.real, axis=self.dim, out=tape.max, keepdims=True, initial=-np.inf)
        np.subtract(x, tape.max, y)
        np.add.reduce(np.exp(y, e), axis=self.dim, out=s, keepdims=True)
        np.subtract(y, np.log(s, s), y)  # (1)
        self._keep(tape)
        return tape.y

    @quiet
    def backward(self, dy: ArrayLike, tape: LogSoftmaxTape | None = None) -> Array:
        """Return the gradient with respect to x.

        Parameters
        ----------
        dy : array, in the shape of x
            Gradient of the loss with respect to what `forward` returned.
        tape : LogSoftmaxTape, optional
            The tape of the forward pass to differentiate. None: the most recent one.

        Returns
        -------
        ndarray, in the shape of x
        """
        handed_in = tape is not None
        tape = self._written_tape(tape)
        dy = as_array("dy", dy, tape.y.dtype)
        check_shape("dy", dy, tape.shape, "the shape of x")
        dx, s = tape.dx, tape.sum
        np.add.reduce(dy, axis=self.dim, out=s, keepdims=True)
        np.multiply(np.exp(tape.y, dx), s, dx)
        np.subtract(dy, dx, dx)  # (2)
        return dx if handed_in else dx.copy()
