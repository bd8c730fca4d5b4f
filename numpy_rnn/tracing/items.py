"""The arrays of a trace, and how they are computed.

A backward pass returns one gradient per parameter. A trace keeps the terms of that sum. The loss is itself a sum over
steps, L = sum_s L_s with L_s = -1/N sum_b log p_s[target_s], and gradients are linear in the loss, so each one splits
by the loss s that it comes from and by the step t at which it is computed:

    dL_s/dh_s     = W^T dL_s/dlogits_s                               (L2)  where loss s enters
    dL_s/dh_{t-1} = J_t^T dL_s/dh_t                     for t <= s         one step back
    J_t = dh_t/dh_{t-1} = diag(1 - h_t^2) W_hh                       (R4, R3)

Labels such as (R3) are those of docs/backprop.md. The equations themselves are called from `numpy_rnn.textbook`, one
step at a time. Everything is float64.
"""

from __future__ import annotations

import numpy as np

from numpy_rnn import textbook
from numpy_rnn.checks import Array
from numpy_rnn.display.terminal import visible
from numpy_rnn.layers import LogSoftmax
from numpy_rnn.text.vocabulary import Vocabulary

__all__ = ["Items", "check_size", "labels", "norms", "what_is_left"]

MAX_NUMBERS = 2**27  # float64: 1 GiB


class Items:
    """All intermediate results of one forward and backward pass, computed from the parameters and the inputs.

    Axes: T time (twice in `dh_by_loss`: the step of the loss, then the step of the state), B batch, H hidden_size,
    E embedding_dim, V vocab_size. Index t of an array is step t + 1 in the equations, which count from 1. `h` has
    one more entry: step t reads `h[t]` and computes `h[t + 1]`.

    ===================================  ===============  ==========================================================
    weights                                               the parameters by name, in float64
    tokens, targets                      (T, B)
    x                                    (T, B, E)        embedded tokens (E1)
    z                                    (T, B, H)        pre-activations (R1)
    h                                    (T + 1, B, H)    hidden states (R2); `h[0]` is h_0
    logits, p                            (T, B, V)        logits (L1) and their softmax (C2)
    losses, loss                         (T, B)           -log p[target] in nats, and their mean L (C3)
    dlogits                              (T, B, V)        dL/dlogits (C4)
    dh_local, dh_future                  (T, B, H)        what this step's loss and what later steps add to dh (R3)
    dh, dz                               (T, B, H)        dL/dh_t, their sum (R3), and dL/dz_t (R4)
    dx, dh_0                             (T, B, E)        dL/dx_t, and dL/dh_0 of shape (B, H) (R6)
    dh_by_loss                           (T, T, B, H)     [s, t] is dL_s/dh_t: the part of dh[t] that comes from the
                                                          loss at step s, zero for s < t
    jacobians                            (T, B, H, H)     dh_t/dh_{t-1}
    singular_values                      (T, B, H)        of the Jacobians, in descending order
    contributions                        (T, *parameter)  by name: what each step adds to the gradient (R5 E2 L3 L4)
    by_distance                          (T, *parameter)  by name: [d] is the part of the gradient that comes from
                                                          losses d = s - t steps later
    truncation_lost, truncation_angle    (T,)             by name: the relative error |g - g_k| / |g|, and the angle
                                                          in degrees, of backpropagation that goes k = 1, ..., T steps
                                                          back from each loss, counting the loss's own step; g_k is
                                                          the sum of the first k of `by_distance`
    ===================================  ===============  ==========================================================

    Where g is zero, nothing is lost and the angle is 0. Where only g_k is zero, the angle is 90 degrees.

    `weights` are float64 arrays by name, `tokens` and `targets` are not empty, and the initial state `h_0` is (B, H).
    """

    @np.errstate(all="ignore")  # overflow is found in the results
    def __init__(self, weights: dict[str, Array], tokens: Array, targets: Array, h_0: Array) -> None:
        self.weights, self.tokens, self.targets = weights, tokens, targets
        _, W_ih, W_hh, b_ih, b_hh, W, _ = weights.values()
        (T, B), H = tokens.shape, len(W_hh)

        # Forward.
        self.logits, x, h = textbook.forward(weights, tokens, h_0)
        self.x, self.h = x, h
        loss, dlogits = textbook.cross_entropy(self.logits, targets)
        self.loss, self.dlogits = float(loss), dlogits
        self.z = x @ W_ih.T + b_ih + h[:-1] @ W_hh.T + b_hh  # (R1)
        log_p = LogSoftmax(dim=2).forward(self.logits)
        self.p = np.exp(log_p)  # (C2)
        self.losses = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]  # (C3)

        # Backward, one step at a time: the gradients of a single step are what it contributes.
        self.dh_local, self.dh_future = dlogits @ W, np.empty((T, B, H))  # (L2)
        steps: list[dict[str, Array]] = [{}] * T
        back = np.zeros((B, H))  # W_hh^T dz_{t+1}
        for t in reversed(range(T)):
            self.dh_future[t] = back
            one = slice(t, t + 1)
            steps[t], back = textbook.backward(weights, tokens[one], x[one], h[t : t + 2], dlogits[one], back)
        self.contributions = _stack(steps)
        slope = 1 - h[1:] ** 2  # (T, B, H), tanh'
        self.dh = self.dh_local + self.dh_future  # (R3)
        self.dz = self.dh * slope  # (R4)
        self.dx, self.dh_0 = self.dz @ W_ih, back  # (R6)

        # The same for each step's loss by itself, all T of them at once: a batch of T B sequences that are one step
        # long. After d passes the gradient of loss s has reached step s - d, and the first d losses are done.
        self.dh_by_loss = np.zeros((T, T, B, H))
        distances = []
        from_loss, from_later = dlogits, np.zeros((T, B, H))
        for d in range(T):
            n = T - d
            self.dh_by_loss[np.arange(d, T), np.arange(n)] = from_later if d else self.dh_local
            gradients, earlier = textbook.backward(
                weights,
                tokens[:n].reshape(1, n * B),
                x[:n].reshape(1, n * B, -1),
                np.stack([h[:n], h[1 : n + 1]]).reshape(2, n * B, H),
                from_loss.reshape(1, n * B, -1),
                from_later.reshape(n * B, H),
            )
            distances.append(gradients)
            from_later = earlier.reshape(n, B, H)[1:]
            from_loss = np.zeros_like(dlogits[: n - 1])  # a loss reaches earlier steps through the states alone
        self.by_distance = _stack(distances)
        truncations = {name: _truncation(array) for name, array in self.by_distance.items()}
        self.truncation_lost = {name: lost for name, (lost, _) in truncations.items()}
        self.truncation_angle = {name: angle for name, (_, angle) in truncations.items()}

        self.jacobians = slope[:, :, :, None] * W_hh
        for array in (self.z, self.logits, self.losses, self.dh_by_loss, self.jacobians):
            if not np.isfinite(array).all():
                raise ValueError("the model's numbers overflow: there are no gradients to trace")
        self.singular_values = np.linalg.svd(self.jacobians, compute_uv=False)

    @property
    def gradients(self) -> dict[str, Array]:
        """The gradient of each parameter: the sum of the contributions of all steps."""
        return {name: items.sum(axis=0) for name, items in self.contributions.items()}


def _stack(gradients: list[dict[str, Array]]) -> dict[str, Array]:
    return {name: np.stack([one[name] for one in gradients]) for name in gradients[0]}


def _truncation(by_distance: Array) -> tuple[Array, Array]:
    """Return the relative error and the angle, in degrees, if only the first 1, 2, ... distances are summed."""
    partial = by_distance.reshape(len(by_distance), -1).cumsum(axis=0)  # (T, size), g_k
    full = partial[-1]  # g
    norms = np.linalg.norm(partial, axis=1)
    norm = norms[-1]
    if norm == 0:
        return np.zeros(len(partial)), np.zeros(len(partial))
    lost = np.linalg.norm(full - partial, axis=1) / norm
    # The arccosine of an inner product loses all digits near 0. Kahan's formula is exact at every angle.
    u, v = full / norm, partial / np.where(norms > 0, norms, 1)[:, None]
    angle = 2 * np.arctan2(np.linalg.norm(u - v, axis=1), np.linalg.norm(u + v, axis=1))
    return lost, np.where(norms > 0, np.degrees(angle), 90.0)


def check_size(T: int, B: int, H: int, P: int) -> None:
    """Raise ValueError if the trace of a model with P parameters would take more than 1 GiB."""
    sizes = {
        "one vector per pair of loss and step, T*T*B*H": T * T * B * H,
        "the Jacobians, T*B*H*H": T * B * H * H,
        f"two arrays per step of the {P} parameters, 2*T*{P}": 2 * T * P,
    }
    total, largest = sum(sizes.values()), max(sizes, key=lambda name: sizes[name])
    if total > MAX_NUMBERS:
        raise ValueError(
            f"a trace with T={T}, B={B}, H={H} would take {total * 8 / 2**30:.1f} GiB, expected at most "
            f"{MAX_NUMBERS * 8 / 2**30:g}: reduce T (a shorter text), B or hidden_size; most of it is {largest}"
        )


def labels(items: Items, vocabulary: Vocabulary, sequence: int) -> tuple[list[str], list[str]]:
    """Return the characters that one sequence of the batch reads, and its targets, each as a visible sign."""
    V = len(items.weights["fc.bias"])
    if len(vocabulary) != V:
        raise ValueError(f"vocabulary has {len(vocabulary)} characters, expected the model's {V}")
    B = items.tokens.shape[1]
    if not 0 <= sequence < B:
        raise IndexError(f"sequence must be in [0, {B}), the batch, got {sequence}")
    signs = [visible(character) for character in vocabulary.characters]
    reads, follow = ([signs[i] for i in array[:, sequence].tolist()] for array in (items.tokens, items.targets))
    return reads, follow


def norms(items: Items, sequence: int) -> Array:
    """Return |dL_s/dh_t| at [s, t], shape (T, T)."""
    result: Array = np.linalg.norm(items.dh_by_loss[:, :, sequence], axis=2)
    return result


def what_is_left(norms: Array, distance: int) -> Array:
    """Return |dL_s/dh_{s-d}| / |dL_s/dh_s| for each loss s with a state d steps back and a gradient that is not 0."""
    start, end = norms.diagonal()[distance:], norms.diagonal(-distance)
    result: Array = end[start > 0] / start[start > 0]
    return result
