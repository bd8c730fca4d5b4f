"""CrossEntropyLoss: softmax and the negative log-likelihood of the target, averaged over N rows.

e[n, c] = exp(logits[n, c] - max_c logits[n])    (the shift cancels in p; without it exp overflows)     (1)
s[n] = sum_c e[n, c],  p[n, c] = e[n, c] / s[n]                                                         (2)
loss = -1/N sum_n log p[n, targets[n]]                                                                  (3)
dlogits = (p - onehot(targets)) / N                                                                     (4)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from numpy_rnn.checks import Array, as_dtype, as_indices, check_shape, to_numpy
from numpy_rnn.layers.layer import Layer, Tape
from numpy_rnn.parameters import Parameters

__all__ = ["CrossEntropyLoss"]


class CrossEntropyTape(Tape):
    """targets (N,), e (N, C), s (N,), loss, dlogits (N, C); logits (N, C) come from outside."""

    logits: Array
    loss: float

    def __init__(self, layer: CrossEntropyLoss, N: int, C: int, dtype: DTypeLike) -> None:
        super().__init__(layer, (N, C))
        self.targets = np.empty(N, np.intp)
        self.e = np.empty((N, C), dtype)
        self.s = np.empty(N, dtype)
        self.dlogits = np.empty((N, C), dtype)
        self.max = np.empty((N, 1), np.empty(0, dtype).real.dtype)
        self.row_starts = np.arange(0, N * C, C)  # where each row begins in a flat (N * C,) view
        self.flat_targets = np.empty(N, np.intp)
        self.log_p = np.empty(N, dtype)
        self.scale = np.empty((N, 1), dtype)
        self.ones_C, self.ones_N = np.ones(C, dtype), np.ones(N, dtype)  # sums are products with ones: BLAS is fast


class CrossEntropyLoss(Layer[CrossEntropyTape]):
    """Mean cross-entropy between the softmax of logits and the index of the right class.

    References
    ----------
    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """

    def __init__(self) -> None:
        self._parameters = Parameters({})

    def new_tape(self, N: int, C: int, dtype: DTypeLike = np.float32) -> CrossEntropyTape:
        """Return a tape for N rows of C logits, to hand to `forward` and `backward` again and again."""
        return CrossEntropyTape(self, N, C, as_dtype(dtype))

    def forward(self, logits: ArrayLike, targets: ArrayLike, tape: CrossEntropyTape | None = None) -> float:
        """Return the loss in nats, as a Python float (complex for complex logits, nan for N = 0).

        Parameters
        ----------
        logits : array of float32, float64 or complex128, shape (N, C)
            Unnormalised log-probabilities; the loss is computed in their dtype.
        targets : array of int, shape (N,)
            The right class of each row.
        tape : CrossEntropyTape, optional
            Where to write; see `new_tape`.

        Raises
        ------
        IndexError
            A target is negative or not below C.
        TypeError
            The targets are not integers, or the logits have another dtype.
        """
        logits = to_numpy("logits", logits)
        if logits.dtype not in (np.float32, np.float64, np.complex128):
            raise TypeError(f"logits must be float32, float64 or complex128, got dtype {logits.dtype}")
        check_shape("logits", logits, (None, None), "(N, C)")
        N, C = logits.shape
        if C == 0:
            raise ValueError(f"logits has shape {logits.shape}, expected at least one class")
        targets = as_indices("targets", targets, C)
        check_shape("targets", targets, (N,), "one class per row of logits")
        tape = self.new_tape(N, C, logits.dtype) if tape is None else self._check_tape(tape, logits.shape)
        if tape.e.dtype != logits.dtype:
            raise TypeError(f"tape was made for logits of dtype {tape.e.dtype}, got {logits.dtype}")
        tape.logits = logits
        tape.targets[...] = targets
        self.forward_on(tape)
        tape.written, self.tape = True, tape
        return tape.loss

    def backward(self, tape: CrossEntropyTape | None = None) -> Array:
        """Return the gradient of the loss with respect to the logits, (p - onehot(targets)) / N.

        Parameters
        ----------
        tape : CrossEntropyTape, optional
            The tape of the forward pass that this belongs to. None: the most recent one.

        Returns
        -------
        ndarray, shape (N, C)
        """
        handed_in = tape is not None
        tape = self._written_tape(tape)
        self.backward_on(tape)
        return tape.dlogits if handed_in else tape.dlogits.copy()

    def forward_on(self, tape: CrossEntropyTape) -> None:
        e, s, log_p, N = tape.e, tape.s, tape.log_p, len(tape.s)
        np.add(tape.row_starts, tape.targets, tape.flat_targets)
        # The real part orders complex numbers as a perturbation of the real ones: the complex step passes through.
        np.maximum.reduce(tape.logits.real, axis=1, out=tape.max, keepdims=True)
        np.subtract(tape.logits, tape.max, e)
        e.reshape(-1).take(tape.flat_targets, out=log_p, mode="clip")  # the logit of the target - max
        np.exp(e, e)  # (1)
        e.dot(tape.ones_C, s)  # (2)
        np.subtract(log_p, np.log(s, tape.scale[:, 0]), log_p)  # log p = logit - max - log s
        tape.loss = -(tape.ones_N.dot(log_p).item()) / N if N else math.nan  # (3)

    def backward_on(self, tape: CrossEntropyTape) -> None:
        N, dlogits = len(tape.s), tape.dlogits
        if N:
            np.divide(1 / N, tape.s, tape.scale[:, 0])
            np.multiply(tape.e, tape.scale, dlogits)  # (4): p / N ...
            dlogits.reshape(-1)[tape.flat_targets] -= 1 / N
