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

from dataclasses import dataclass
from typing import Any

import numpy as np

from numpy_rnn import textbook
from numpy_rnn.checks import Array
from numpy_rnn.display.terminal import visible
from numpy_rnn.layers import LogSoftmax
from numpy_rnn.text.vocabulary import Vocabulary

__all__ = ["Items", "check_size", "itemise", "labels", "norms", "what_is_left"]

MAX_NUMBERS = 2**27  # float64: 1 GiB


@dataclass(frozen=True, eq=False)
class Items:
    """All intermediate results of one forward and backward pass.

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
    """

    weights: dict[str, Array]
    tokens: Array
    targets: Array
    x: Array
    z: Array
    h: Array
    logits: Array
    p: Array
    losses: Array
    loss: float
    dlogits: Array
    dh_local: Array
    dh_future: Array
    dh: Array
    dz: Array
    dx: Array
    dh_0: Array
    dh_by_loss: Array
    jacobians: Array
    singular_values: Array
    contributions: dict[str, Array]
    by_distance: dict[str, Array]
    truncation_lost: dict[str, Array]
    truncation_angle: dict[str, Array]

    @property
    def gradients(self) -> dict[str, Array]:
        """The gradient of each parameter: the sum of the contributions of all steps."""
        return {name: items.sum(axis=0) for name, items in self.contributions.items()}


@np.errstate(all="ignore")  # overflow is found in the results
def itemise(weights: dict[str, Array], tokens: Array, targets: Array, h_0: Array) -> dict[str, Any]:
    """Return the attributes of `Items`, by name; tokens and targets (T, B), at least one of each, h_0 (B, H)."""
    _, W_ih, W_hh, b_ih, b_hh, W, _ = weights.values()
    (T, B), H = tokens.shape, len(W_hh)

    # Forward.
    logits, x, h = textbook.forward(weights, tokens, h_0)
    loss, dlogits = textbook.cross_entropy(logits, targets)
    z = x @ W_ih.T + b_ih + h[:-1] @ W_hh.T + b_hh  # (R1)  (T, B, H)
    log_p = LogSoftmax(dim=2).forward(logits)
    losses = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]  # (C3)  (T, B)

    # Backward, one step at a time: the gradients of a single step are what it contributes.
    dh_local = dlogits @ W  # (L2)  (T, B, H)
    dh_future = np.empty((T, B, H))
    steps: list[dict[str, Array]] = [{}] * T
    back = np.zeros((B, H))  # W_hh^T dz_{t+1}
    for t in reversed(range(T)):
        dh_future[t] = back
        one = slice(t, t + 1)
        steps[t], back = textbook.backward(weights, tokens[one], x[one], h[t : t + 2], dlogits[one], back)
    dh = dh_local + dh_future  # (R3)
    slope = 1 - h[1:] ** 2  # (T, B, H), tanh'
    dz = dh * slope  # (R4)

    # The same for each step's loss by itself, all T of them at once: a batch of T B sequences that are one step long.
    # After d passes the gradient of loss s has reached step s - d, and the first d losses are done.
    dh_by_loss = np.zeros((T, T, B, H))
    distances = []
    from_loss, back_by_loss = dlogits, np.zeros((T, B, H))
    for d in range(T):
        n = T - d
        dh_by_loss[np.arange(d, T), np.arange(n)] = back_by_loss if d else dh_local
        gradients, back_rows = textbook.backward(
            weights,
            tokens[:n].reshape(1, -1),
            x[:n].reshape(1, n * B, -1),
            np.stack([h[:n], h[1 : n + 1]]).reshape(2, n * B, H),
            from_loss.reshape(1, n * B, -1),
            back_by_loss.reshape(n * B, H),
        )
        distances.append(gradients)
        back_by_loss = back_rows.reshape(n, B, H)[1:]
        from_loss = np.zeros_like(dlogits[: n - 1])  # a loss reaches an earlier step through the states alone
    jacobians = slope[:, :, :, None] * W_hh  # (T, B, H, H)
    if not all(np.isfinite(array).all() for array in (z, logits, losses, dh_by_loss, jacobians)):
        raise ValueError("the model's numbers overflow: there are no gradients to trace")

    by_distance = {name: np.stack([gradients[name] for gradients in distances]) for name in weights}
    truncations = {name: _truncation(array) for name, array in by_distance.items()}
    return {
        "weights": weights,
        "tokens": tokens,
        "targets": targets,
        "x": x,
        "z": z,
        "h": h,
        "logits": logits,
        "p": np.exp(log_p),  # (C2)
        "losses": losses,
        "loss": float(loss),
        "dlogits": dlogits,
        "dh_local": dh_local,
        "dh_future": dh_future,
        "dh": dh,
        "dz": dz,
        "dx": dz @ W_ih,  # (R6)  (T, B, E)
        "dh_0": back,
        "dh_by_loss": dh_by_loss,
        "jacobians": jacobians,
        "singular_values": np.linalg.svd(jacobians, compute_uv=False),
        "contributions": {name: np.stack([gradients[name] for gradients in steps]) for name in weights},
        "by_distance": by_distance,
        "truncation_lost": {name: lost for name, (lost, _) in truncations.items()},
        "truncation_angle": {name: angle for name, (_, angle) in truncations.items()},
    }


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
