"""CrossEntropyLoss: softmax and the negative log-likelihood of the target, averaged over N rows.

e[n, c] = exp(logits[n, c] - max_c logits[n])    (the shift cancels in p, and keeps exp finite)       (C1)
s[n] = sum_c e[n, c],  p[n, c] = e[n, c] / s[n]                                                         (C2)
loss = -1/N sum_n log p[n, targets[n]]                                                                  (C3)
dlogits = (p - onehot(targets)) / N                                                                     (C4)

These are the equations without options. With options, a target is a share r[n] of one class and shares q[n, c] of
every class,

nll[n] = -r[n] log p[n, targets[n]] - sum_c q[n, c] log p[n, c]                                         (C3')
dlogits[n] = g[n] ((r[n] + sum_c q[n, c]) p[n] - r[n] onehot(targets[n]) - q[n])                        (C4')

where the losses nll[n], which include the weights, are summed, or averaged over the sum of weight[targets[n]] (for
probabilities, over N) as in `weighted_loss`. g[n] is the derivative of that with respect to nll[n], 1/N above. With
eps = label_smoothing,

class indices:   r[n] = (1 - eps) weight[targets[n]]     q[n, c] = eps / C weight[c]                    (5)
probabilities:   r[n] = 0                                q[n, c] = weight[c] ((1 - eps) targets[n, c] + eps / C)
                 dtargets[n, c] = -g[n] weight[c] (1 - eps) log p[n, c]                                 (6)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from numpy_rnn.checks import Array, as_array, as_number, check_shape, to_numpy
from numpy_rnn.layers.layer import quiet
from numpy_rnn.layers.weighted_loss import LossTape, WeightedLoss, as_rows

__all__ = ["CrossEntropyLoss"]


class CrossEntropyTape(LossTape):
    """The arrays of LossTape, e (N, C) and s (N,)."""

    probabilities: Array | None = None  # (N, C), if that is what targets are
    dtargets: Array | None = None  # in the shape of targets, if they are probabilities
    q: Array | None = None  # (C,) or (N, C); None: 0 everywhere
    log_p: Array  # (N, C), if there is q

    def __init__(self, layer: CrossEntropyLoss, N: int, C: int, dtype: DTypeLike) -> None:
        super().__init__(layer, N, C, dtype)
        self.e = np.empty((N, C), dtype)
        self.e_flat = self.e.reshape(-1)
        self.s = np.empty(N, dtype)
        self.max = np.empty((N, 1), np.empty(0, dtype).real.dtype)
        self.row_starts = np.arange(0, N * C, C)  # where each row begins in a flat (N * C,) view
        self.flat_targets = np.empty(N, np.intp)
        self.log_s, self.scale = np.empty(N, dtype), np.empty((N, 1), dtype)
        self.ones_C = np.ones(C, dtype)


class CrossEntropyLoss(WeightedLoss[CrossEntropyTape]):
    """Mean cross-entropy between the softmax of logits and the target: the index of a class, or probabilities.

    Parameters
    ----------
    weight : array, shape (C,), optional
        The weight of each class. None: 1. It is in the `state_dict`, as in torch, but is not a parameter.
    ignore_index : int, default -100
        Rows whose target is this index have zero loss and zero gradient. Not used with probabilities.
    reduction : "mean", "sum" or "none", default "mean"
        The mean divides by the sum of the weights of the target classes; with probabilities, by the number of rows.
    label_smoothing : float, default 0
        In [0, 1]: the fraction of the target that is spread evenly over all classes.

    If the targets are probabilities, `backward` leaves the gradient with respect to them in `tape.dtargets` (for a
    call without a tape, `criterion.tape.dtargets`).

    References
    ----------
    C. Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016, section 7 (smoothing).
    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """

    tape_type = CrossEntropyTape

    def __init__(
        self,
        weight: ArrayLike | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, ignore_index, reduction)
        self.label_smoothing = as_number("label_smoothing", label_smoothing, high=1, closed=True)

    @quiet
    def forward(self, logits: ArrayLike, targets: ArrayLike, tape: CrossEntropyTape | None = None) -> Any:
        """Return the loss in nats.

        Parameters
        ----------
        logits : array of float32, float64 or complex128, shape (N, C), (N, C, d1, ...) or (C,)
            Unnormalised log-probabilities; the loss is computed in their dtype.
        targets : array of int, shape (N,), (N, d1, ...) or (); or of float, in the shape of logits
            The right class of each row, or the probability of each class.
        tape : CrossEntropyTape, optional
            Where to write; see `new_tape`.

        Returns
        -------
        float, or for reduction "none" ndarray of shape (N,), (N, d1, ...) or ()
            Complex for complex logits. The mean over no rows is nan.

        Raises
        ------
        IndexError
            A target is negative or not below C, and not ignore_index.
        TypeError
            The targets are neither integers nor probabilities, or the logits have another dtype.
        ValueError
            A shape does not fit, or probabilities meet an ignore_index that is not negative.
        """
        logits = self._check_scores("logits", logits)
        targets = to_numpy("targets", targets)
        probabilities, classes, ignored = None, np.zeros((), np.intp), None
        if targets.dtype.kind in "fc" and targets.ndim == logits.ndim:
            probabilities = self._check_probabilities(logits, targets)
        else:
            classes, ignored = self._check_classes("logits", logits, targets)
        tape = self._tape_for("logits", logits, tape)
        tape.probabilities, tape.dtargets = probabilities, None
        tape.targets[...], tape.ignored = classes, ignored
        self.forward_rows(as_rows(logits), tape)
        self._keep(tape)
        return tape.result

    def _check_probabilities(self, logits: Array, targets: Array) -> Array:
        check_shape("targets", targets, logits.shape, "probabilities in the shape of logits")
        if self.ignore_index >= 0:
            raise ValueError(f"ignore_index must be negative if targets are probabilities, got {self.ignore_index}")
        return as_rows(as_array("targets", targets, logits.dtype))

    def forward_rows(self, logits: Array, tape: CrossEntropyTape) -> None:
        """Set tape.loss for logits (N, C) and the targets on the tape."""
        e, s, nll, log_s = tape.e, tape.s, tape.nll, tape.log_s
        np.add(tape.row_starts, tape.targets, tape.flat_targets)
        # The maximum of the real part keeps the function analytic for the complex step.
        np.maximum.reduce(logits.real, axis=1, out=tape.max, keepdims=True)
        np.subtract(logits, tape.max, e)  # (C1): the exponent
        tape.e_flat.take(tape.flat_targets, out=nll, mode="clip")  # the logit of the target - max
        np.exp(e, e)  # (C1)
        if len(tape.ones_C) <= 1000:
            e.dot(tape.ones_C, s)  # (C2)
        else:  # BLAS is faster, but not as accurate for many classes
            np.add.reduce(e, axis=1, out=s)  # (C2)
        np.subtract(np.log(s, log_s), nll, nll)  # (C3): -log p = log s - (logit - max)
        self.weigh(tape)
        if tape.r is not None:
            np.multiply(nll, tape.r, nll)
        tape.loss = self.reduce(nll, tape)
        if tape.q is not None:
            tape.log_p = logits - tape.max - log_s[:, None]
            spread = self.reduce(-(tape.log_p * tape.q).sum(axis=1), tape)
            if tape.probabilities is None:
                spread += tape.loss  # (C3')
            tape.loss = spread

    def weigh(self, tape: CrossEntropyTape) -> None:
        """Set r and q, equation (5), and the divisor of the mean."""
        eps, C = self.label_smoothing, tape.shape[1]
        if tape.probabilities is not None:
            tape.r, tape.total = 0.0, tape.count if self.reduction == "mean" else 1
            tape.q = self.class_weights(tape) * ((1 - eps) * tape.probabilities + eps / C)
            return
        super().weigh(tape)
        tape.q = None
        if eps:
            tape.r = (1 - eps) * (1.0 if tape.r is None else tape.r)
            tape.q = self.class_weights(tape) * (eps / C)

    def backward_rows(self, dlogits: Array, tape: CrossEntropyTape) -> None:
        """Write dlogits (N, C), for tape.dloss; it may be the array tape.e."""
        g = self.upstream(tape)
        picked = whole = g if tape.r is None else g * tape.r
        if tape.q is not None:
            g = np.asarray(g, dlogits.dtype).reshape(-1, 1)
            spread = g * tape.q
            whole = picked + spread.sum(axis=1)
        np.divide(whole, tape.s, tape.scale[:, 0])
        np.multiply(tape.e, tape.scale, dlogits)  # (C4): p / N ..., or (C4')
        dlogits.reshape(-1)[tape.flat_targets] -= picked
        if tape.q is not None:
            dlogits -= spread
        if tape.probabilities is not None:
            weight = (1 - self.label_smoothing) * self.class_weights(tape)
            tape.dtargets = tape.unrow(-g * weight * tape.log_p)  # (6)
