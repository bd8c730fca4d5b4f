"""CrossEntropyLoss: softmax and the negative log-likelihood of the target, averaged over N rows.

e[n, c] = exp(logits[n, c] - max_c logits[n])              (the shift cancels; without it exp overflows)
p[n, c] = e[n, c] / s[n],  s[n] = sum_c e[n, c]
loss = -1/N sum_n log p[n, targets[n]]
dlogits = (p - onehot(targets)) / N
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from numpy_rnn.checks import Array, as_array, as_dtype, as_indices, check_shape
from numpy_rnn.layers.layer import Layer
from numpy_rnn.parameters import Parameters

__all__ = ["CrossEntropyLoss"]


class CrossEntropyTape:
    """e (N, C), s (N, 1) and targets (N,) of the equations above; dlogits (N, C)."""

    def __init__(self, N: int, C: int, dtype: DTypeLike) -> None:
        self.e = np.empty((N, C), dtype)
        self.s = np.empty((N, 1), dtype)
        self.targets = np.empty(0, np.intp)
        self.rows = np.arange(N)
        self.renew_gradients()

    def renew_gradients(self) -> None:
        self.dlogits = np.empty(self.e.shape, self.e.dtype)


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
        return CrossEntropyTape(N, C, as_dtype(dtype))

    def forward(self, logits: ArrayLike, targets: ArrayLike, tape: CrossEntropyTape | None = None) -> float:
        """Return the loss in nats, as a Python float (complex for complex logits, nan for N = 0).

        Parameters
        ----------
        logits : array of floats, shape (N, C)
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
            The targets are not integers, or the logits not float32, float64 or complex128.
        """
        logits = np.asarray(logits)
        if logits.dtype.kind not in "fc":
            raise TypeError(f"logits must be floating-point, got dtype {logits.dtype}")
        check_shape("logits", logits, (None, None), "(N, C)")
        N, C = logits.shape
        targets = as_indices("targets", targets, C)
        check_shape("targets", targets, (N,), "one class per row of logits")
        tape = self.new_tape(N, C, logits.dtype) if tape is None else tape
        check_shape("logits", logits, tape.e.shape, "the tape's shape")
        logits = as_array("logits", logits, tape.e.dtype)

        e, s = tape.e, tape.s
        tape.targets = targets
        # The real part orders complex numbers as a perturbation of the real ones: the complex step passes through.
        np.subtract(logits, logits.real.max(1, keepdims=True), e)
        shifted_target = e[tape.rows, targets]
        np.exp(e, e)
        e.sum(1, keepdims=True, out=s)
        total = (np.log(s[:, 0]) - shifted_target).sum().item()  # -log p = log s - (logit of the target - max)
        self.tape = tape
        return total / N if N else float("nan")

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
        tape = self._tape_for_backward(tape)
        N = len(tape.rows)
        if N:
            np.multiply(tape.e, 1 / (N * tape.s), tape.dlogits)
            tape.dlogits[tape.rows, tape.targets] -= 1 / N
        return tape.dlogits
