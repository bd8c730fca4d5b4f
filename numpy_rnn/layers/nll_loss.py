"""NLLLoss: the negative log-likelihood of the right class, from log-probabilities.

nll[n] = -log_p[n, targets[n]]                                          (1)
dlog_p[n, c] = -g[n] r[n] if c = targets[n], else 0                     (2)

`weighted_loss` defines the class weights r, the reduction of nll to a loss, and g, the gradient at row n.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from numpy_rnn.checks import Array
from numpy_rnn.layers.layer import quiet
from numpy_rnn.layers.weighted_loss import LossTape, WeightedLoss, as_rows

__all__ = ["NLLLoss"]


class NLLLoss(WeightedLoss[LossTape]):
    """Minus the log-probability of the right class, averaged over rows.

    Parameters
    ----------
    weight : array, shape (C,), optional
        The weight of each class. None: 1. It is in the `state_dict`, as in torch, but is not a parameter.
    ignore_index : int, default -100
        Rows with this target have zero loss and zero gradient.
    reduction : "mean", "sum" or "none", default "mean"
        The mean is weighted: it divides by the sum of the weights of the targets.

    References
    ----------
    https://docs.pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html
    """

    tape_type = LossTape

    @quiet
    def forward(self, log_p: ArrayLike, targets: ArrayLike, tape: LossTape | None = None) -> Any:
        """Return the loss in nats.

        Parameters
        ----------
        log_p : array of float32, float64 or complex128, shape (N, C), (N, C, d1, ...) or (C,)
            Log-probabilities, such as those of `LogSoftmax`.
        targets : array of int, shape (N,), (N, d1, ...) or ()
            The right class of each row.
        tape : LossTape, optional
            Where to write; see `new_tape`.

        Returns
        -------
        float, or ndarray in the shape of targets
            The array for reduction "none". Complex for complex log_p. The mean over no rows is nan.

        Raises
        ------
        IndexError
            A target is negative or not below C, and not ignore_index.
        TypeError
            The targets are not integers, or log_p has another dtype.
        ValueError
            A shape does not fit.
        """
        log_p = self._check_scores("log_p", log_p)
        classes, ignored = self._check_classes("log_p", log_p, targets)
        tape = self._tape_for("log_p", log_p, tape)
        tape.targets[...], tape.ignored = classes, ignored
        self.forward_rows(as_rows(log_p), tape)
        self._keep(tape)
        return tape.result

    def forward_rows(self, log_p: Array, tape: LossTape) -> None:
        np.negative(log_p[np.arange(len(log_p)), tape.targets], tape.nll)  # (1)
        self.weigh(tape)
        if tape.r is not None:
            np.multiply(tape.nll, tape.r, tape.nll)
        tape.loss = self.reduce(tape.nll, tape)

    def backward_rows(self, dlog_p: Array, tape: LossTape) -> None:
        g = self.upstream(tape)
        dlog_p.fill(0)
        dlog_p[np.arange(len(dlog_p)), tape.targets] = -g if tape.r is None else -g * tape.r  # (2)
