"""Linear: an affine map of the last dimension.

y = x @ weight.T + bias
dx = dy @ weight
dweight = sum over n of dy[n] x[n].T = dy.T @ x
dbias = sum over n of dy[n]
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from numpy_rnn.checks import Array, as_array, as_dtype, as_size, check_shape
from numpy_rnn.layers.layer import Layer
from numpy_rnn.parameters import Parameters

__all__ = ["Linear"]


class LinearTape:
    """x (*, in_features), y (*, out_features); dx (*, in_features)."""

    def __init__(self, shape: tuple[int, ...], in_features: int, out_features: int, dtype: DTypeLike) -> None:
        self.x = np.empty((*shape, in_features), dtype)
        self.y = np.empty((*shape, out_features), dtype)
        self.renew_gradients()

    def renew_gradients(self) -> None:
        self.dx = np.empty(self.x.shape, self.x.dtype)


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
        self.bias = bias
        self.dtype = as_dtype(dtype)
        shapes: dict[str, tuple[int, ...]] = {"weight": (out_features, in_features)}
        if bias:
            shapes["bias"] = (out_features,)
        self._parameters = Parameters(shapes, dtype)
        bound = 1 / math.sqrt(in_features)
        self._parameters.data = np.random.default_rng(rng).uniform(-bound, bound, self._parameters.data.size)

    def new_tape(self, *shape: int) -> LinearTape:
        """Return a tape for inputs of leading dimensions `shape`, to hand to `forward` and `backward`."""
        return LinearTape(shape, self.in_features, self.out_features, self.dtype)

    def forward(self, x: ArrayLike, tape: LinearTape | None = None) -> Array:
        """Return x @ weight.T + bias.

        Parameters
        ----------
        x : array, shape (*, in_features)
            Kept for `backward`, not copied.
        tape : LinearTape, optional
            Where to write; see `new_tape`.

        Returns
        -------
        ndarray, shape (*, out_features)
        """
        x = as_array("x", x, self.dtype)
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise ValueError(f"x has shape {x.shape}, expected (*, in_features) = (*, {self.in_features})")
        tape = self.new_tape(*x.shape[:-1]) if tape is None else tape
        check_shape("x", x, tape.dx.shape, "the tape's shape")
        tape.x = x
        y = tape.y.reshape(-1, self.out_features)
        x.reshape(-1, self.in_features).dot(self._parameters["weight"].data.T, y)
        if self.bias:
            np.add(y, self._parameters["bias"].data, y)
        self.tape = tape
        return tape.y

    def backward(self, dy: ArrayLike, tape: LinearTape | None = None) -> Array:
        """Return dx and assign `weight.grad` and `bias.grad` (torch would add to them).

        Parameters
        ----------
        dy : array, shape (*, out_features)
            Gradient of the loss with respect to what `forward` returned.
        tape : LinearTape, optional
            The tape of the forward pass that this belongs to. None: the most recent one.

        Returns
        -------
        ndarray, shape (*, in_features)
            Gradient with respect to x.
        """
        tape = self._tape_for_backward(tape)
        dy = as_array("dy", dy, self.dtype)
        check_shape("dy", dy, tape.y.shape, "(*, out_features)")
        dy = dy.reshape(-1, self.out_features)  # (N, out)
        x = tape.x.reshape(-1, self.in_features)  # (N, in)
        weight = self._parameters["weight"]
        dy.dot(weight.data, tape.dx.reshape(-1, self.in_features))
        dy.T.dot(x, weight.grad)
        if self.bias:
            dy.sum(0, out=self._parameters["bias"].grad)
        return tape.dx
