"""Linear: an affine map of the last dimension. For the N rows of x (vectors are rows in the code):

y = x @ W.T + b                                     (L1)
dx = dy @ W                                         (L2)
dW = sum over n of dy[n] x[n].T = dy.T @ x          (L3)
db = sum over n of dy[n]                            (L4)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from numpy_rnn.checks import Array, as_array, as_dtype, as_flag, as_rng, as_size, check_shape
from numpy_rnn.layers.layer import Layer, Tape, quiet, writes_gradients
from numpy_rnn.parameters import Parameter, Parameters

__all__ = ["Linear", "affine", "affine_backward", "sum_rows"]


def affine(x: Array, W: Array, b: Array | None, y: Array) -> None:
    """Write y (N, O) for x (N, I), W (O, I) and b (O,), equation (L1); b None: zero."""
    x.dot(W.T, y)  # (L1)
    if b is not None:
        np.add(y, b, y)


def affine_backward(dy: Array, x: Array, W: Array, dx: Array, dW: Array, db: Array | None, ones: Array) -> None:
    """Write dx (N, I), dW (O, I) and db (O,) for dy (N, O), equations (L2) to (L4); `ones` has at least N of them."""
    dy.dot(W, dx)  # (L2)
    dy.T.dot(x, dW)  # (L3)
    if db is not None:
        sum_rows(dy, ones, db)  # (L4)


def sum_rows(rows: Array, ones: Array, out: Array | None = None) -> Array:
    """Return the sum of rows (N, O): pairwise, since one long float32 sum would lose digits as N grows."""
    N = len(rows)
    if N <= 128:
        return ones[:N].dot(rows, out)  # BLAS sums rows faster than NumPy
    total: Array = np.add(sum_rows(rows[: N // 2], ones), sum_rows(rows[N // 2 :], ones), out)
    return total


class LinearTape(Tape):
    """x and dx (N, in_features), y (N, out_features)."""

    x: Array  # the caller's

    def __init__(self, layer: Linear, shape: tuple[int, ...]) -> None:
        super().__init__(layer, shape)
        N = math.prod(shape)
        self.y = np.empty((N, layer.out_features), layer.dtype)
        self.dx = np.empty((N, layer.in_features), layer.dtype)
        self.ones = np.ones(N, layer.dtype)


class Linear(Layer[LinearTape]):
    """y = x @ weight.T + bias.

    Parameters
    ----------
    in_features, out_features : int
        Lengths of the last dimension of x and of y.
    bias : bool, default True
        False: no bias.
    dtype : dtype, default float32
        float32, float64, or complex128 for the complex step.
    rng : numpy.random.Generator or seed, optional
        Draws `weight` (out_features, in_features) and `bias` (out_features,) from U(-k, k),
        k = 1/sqrt(in_features). None: a fresh generator.

    References
    ----------
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        self.in_features = as_size("in_features", in_features)
        self.out_features = as_size("out_features", out_features)
        self.dtype = as_dtype(dtype)
        shapes: dict[str, tuple[int, ...]] = {"weight": (self.out_features, self.in_features)}
        if as_flag("bias", bias):
            shapes["bias"] = (self.out_features,)
        self._parameters = Parameters(shapes, self.dtype)
        bound = 1 / math.sqrt(self.in_features)
        self._parameters.data = as_rng(rng).uniform(-bound, bound, self._parameters.data.size)
        self.weight, self.bias = self._parameters["weight"], self._parameters.get("bias")

    def tie(self, weight: Parameter) -> None:
        """Use the weight of another layer, which alone keeps its values and its gradient."""
        self._parameters.tie("weight", weight)
        self.weight = weight

    def new_tape(self, *shape: int) -> LinearTape:
        """Return a tape for inputs of leading dimensions `shape`, to reuse in any number of passes."""
        return LinearTape(self, shape)

    @quiet
    def forward(self, x: ArrayLike, tape: LinearTape | None = None) -> Array:
        """Return x @ weight.T + bias.

        Parameters
        ----------
        x : array, shape (*, in_features)
            The tape keeps it for `backward`, without a copy if it has the layer's dtype.
        tape : LinearTape, optional
            Where to write; see `new_tape`.

        Returns
        -------
        ndarray, shape (*, out_features)
        """
        x = as_array("x", x, self.dtype)
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise ValueError(f"x has shape {x.shape}, expected (*, in_features) = (*, {self.in_features})")
        tape = self.new_tape(*x.shape[:-1]) if tape is None else self._check_tape(tape, x.shape[:-1])
        tape.x = x.reshape(-1, self.in_features)
        affine(tape.x, self.weight.data, None if self.bias is None else self.bias.data, tape.y)
        self._keep(tape)
        return tape.y.reshape(*tape.shape, self.out_features)

    @writes_gradients
    def backward(self, dy: ArrayLike, tape: LinearTape | None = None) -> Array:
        """Return dx and assign `weight.grad` and `bias.grad` (torch would add to them).

        Parameters
        ----------
        dy : array, shape (*, out_features)
            Gradient of the loss with respect to what `forward` returned.
        tape : LinearTape, optional
            The tape of the forward pass to differentiate. None: the most recent one.

        Returns
        -------
        ndarray, shape (*, in_features)
            Gradient with respect to x.
        """
        handed_in = tape is not None
        tape = self._written_tape(tape)
        dy = as_array("dy", dy, self.dtype)
        check_shape("dy", dy, (*tape.shape, self.out_features), "(*, out_features)")
        dy, db = dy.reshape(-1, self.out_features), None if self.bias is None else self.bias.grad
        affine_backward(dy, tape.x, self.weight.data, tape.dx, self.weight.grad, db, tape.ones)
        dx = tape.dx.reshape(*tape.shape, self.in_features)
        return dx if handed_in else dx.copy()
