"""The arrays of a trace, and how they are computed.

A backward pass returns one gradient per parameter. A trace keeps the terms of that sum. The loss is itself a sum over
steps, L = sum_s L_s with L_s = -1/N sum_b log p_s[target_s], and gradients are linear in the loss, so each one splits
by the loss s that it comes from and by the step t at which it is computed:

    dL_s/dh_s     = W^T dL_s/dlogits_s                               (L2)  where loss s enters
    dL_s/dh_{t-1} = J_t^T dL_s/dh_t                     for t <= s         one step back
    J_t = dh_t/dh_{t-1} = diag(1 - h_t^2) W_hh                       (R4, R3)

That is the tanh RNN. In an LSTM, the pair (h, c) takes the place of h in the last two lines. Labels such as (R3) are
those of docs/backprop.md. The equations themselves are in `numpy_rnn.textbook`, `textbook_lstm` and `textbook_gru`,
and are called one step at a time, through `cells.py`. Everything is float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numpy_rnn import textbook
from numpy_rnn.checks import Array
from numpy_rnn.display.terminal import visible
from numpy_rnn.layers import LogSoftmax
from numpy_rnn.text.vocabulary import Vocabulary
from numpy_rnn.tracing.cells import GATES, backward, forward

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
    z                                    (T, B, H)        pre-activations (R1); of an LSTM 4 H (LS1); of a GRU a + u
                                                          with 3 H (GR1)
    h                                    (T + 1, B, H)    hidden states (R2); `h[0]` is h_0
    c                                    (T + 1, B, H)    cell states (LS3); LSTM only, as c_0 and dc below
    gates                                (T, B, H)        by name: i, f, g, o (LS2), or r, z, n, u_n (GR1 to GR3)
    logits, p                            (T, B, V)        logits (L1) and their softmax (C2)
    losses, loss                         (T, B)           -log p[target] in nats, and their mean L (C3)
    dlogits                              (T, B, V)        dL/dlogits (C4)
    dh_local, dh_future                  (T, B, H)        what this step's loss and what later steps add to dh (R3)
    dh, dc                               (T, B, H)        dL/dh_t, their sum (R3), and dL/dc_t (LS6)
    dz                                   (T, B, H)        dL/dz_t (R4); tanh RNN only
    dx, dh_0, dc_0                       (T, B, E)        dL/dx_t, and dL/dh_0 and dL/dc_0 of shape (B, H) (R6)
    dh_by_loss, dc_by_loss               (T, T, B, H)     [s, t] is dL_s/dh_t: the part of dh[t] that comes from the
                                                          loss at step s, zero for s < t; likewise dL_s/dc_t
    jacobians                            (T, B, H, H)     dh_t/dh_{t-1}; of an LSTM that of the pair (h, c), with 2 H
    singular_values                      (T, B, H)        of the Jacobians, in descending order; of an LSTM 2 H
    contributions                        (T, *parameter)  by name: what each step adds to the gradient (R5 E2 L3 L4)
    by_distance                          (T, *parameter)  by name: [d] is the part of the gradient that comes from
                                                          losses d = s - t steps later
    truncation_lost, truncation_angle    (T,)             by name: the relative error |g - g_k| / |g|, and the angle
                                                          in degrees, of backpropagation that goes k = 1, ..., T steps
                                                          back from each loss, counting the loss's own step; g_k is
                                                          the sum of the first k of `by_distance`
    ===================================  ===============  ==========================================================

    Where g is zero, nothing is lost and the angle is 0. Where only g_k is zero, the angle is 90 degrees.

    `weights` are float64 arrays by name, `tokens` and `targets` are not empty, and the initial states, h_0 and for an
    LSTM c_0, are (B, H).
    """

    @np.errstate(all="ignore")  # overflow is found in the results
    def __init__(self, cell: str, weights: dict[str, Array], tokens: Array, targets: Array, *initial: Array) -> None:
        self.weights, self.tokens, self.targets = weights, tokens, targets
        _, W_ih, W_hh, b_ih, b_hh, W, _ = weights.values()
        (T, B), H = tokens.shape, W_hh.shape[1]

        # Forward.
        self.logits, self.x, states, gates = forward(cell, weights, tokens, initial)
        self.h, S = states[0], len(states)
        self.gates = dict(zip(GATES[cell], gates, strict=True))
        loss, dlogits = textbook.cross_entropy(self.logits, targets)
        self.loss, self.dlogits = float(loss), dlogits
        log_p = LogSoftmax(dim=2).forward(self.logits)
        self.p = np.exp(log_p)  # (C2)
        self.losses = -np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]  # (C3)

        # Backward, one step at a time: the gradients of a single step are what it contributes.
        self.dh_local, dstates = dlogits @ W, np.zeros((T, S, B, H))  # (L2), and what comes from step t + 1
        steps: list[dict[str, Array]] = [{}] * T
        dx: list[Any] = [None] * T
        back = list(np.zeros((S, B, H)))
        for t in reversed(range(T)):
            dstates[t] = back
            at, after = slice(t, t + 1), [state[t : t + 2] for state in states]
            gates_t = [gate[t] for gate in gates]
            here = weights, tokens[at], self.x[at], after, gates_t, dlogits[at]
            steps[t], dx[t], back = backward(cell, *here, back)
        self.contributions = _stack(steps)
        self.dh_future = dstates[:, 0]
        self.dh = self.dh_local + self.dh_future  # (R3)
        self.dh_0 = back[0]

        # The same for each step's loss by itself, all T of them at once: a batch of T B sequences that are one step
        # long. After d passes the gradient of loss s has reached step s - d, and the first d losses are done.
        rows = [np.stack([state[:-1], state[1:]]).reshape(2, T * B, H) for state in states]
        gate_rows = [gate.reshape(T * B, H) for gate in gates]

        def step_back(n: int, dlogits: Array, dstates: Array) -> tuple[dict[str, Array], Array]:
            """Take one step back from each of the first n steps, given dstates (S, n, B, H)."""
            N = n * B
            before = [row[:, :N] for row in rows], [row[:N] for row in gate_rows]
            x, upstream = self.x[:n].reshape(1, N, -1), dstates.reshape(S, N, H)
            token_row, dlogits = tokens[:n].reshape(1, N), dlogits.reshape(1, N, -1)
            gradients, _, earlier = backward(cell, weights, token_row, x, *before, dlogits, list(upstream))
            return gradients, np.reshape(earlier, (S, n, B, H))

        by_loss, distances = np.zeros((S, T, T, B, H)), []
        from_loss, from_later = dlogits, np.zeros((S, T, B, H))
        for d in range(T):
            n = T - d
            by_loss[:, np.arange(d, T), np.arange(n)] = from_later
            gradients, earlier = step_back(n, from_loss, from_later)
            distances.append(gradients)
            from_later = earlier[:, 1:]
            from_loss = np.zeros_like(dlogits[: n - 1])  # a loss reaches earlier steps through the states alone
        self.dh_by_loss = by_loss[0]
        self.dh_by_loss[np.arange(T), np.arange(T)] = self.dh_local
        self.by_distance = _stack(distances)
        truncations = {name: _truncation(array) for name, array in self.by_distance.items()}
        self.truncation_lost = {name: lost for name, (lost, _) in truncations.items()}
        self.truncation_angle = {name: angle for name, (_, angle) in truncations.items()}

        self.z = self.x @ W_ih.T + b_ih + self.h[:-1] @ W_hh.T + b_hh  # (R1) (LS1)
        if cell == "rnn":
            slope = 1 - self.h[1:] ** 2  # (T, B, H), tanh'
            self.dz = self.dh * slope  # (R4)
            self.dx = self.dz @ W_ih  # (R6)
            self.jacobians = slope[:, :, :, None] * W_hh
        else:
            self.dx = np.concatenate(dx)
            self.jacobians = np.empty((T, B, S * H, S * H))
            for k in range(S * H):  # each row is what a step back makes of a unit vector
                unit = np.zeros((S, T, B, H))
                unit[k // H, :, :, k % H] = 1
                self.jacobians[:, :, k] = np.concatenate(step_back(T, np.zeros_like(dlogits), unit)[1], axis=2)
        if S == 2:
            self.c, self.dc_0 = states[1], back[1]
            slope = self.gates["o"] * (1 - np.tanh(self.c[1:]) ** 2)  # dh_t/dc_t
            self.dc = self.dh * slope + dstates[:, 1]  # (LS6)
            self.dc_by_loss = self.dh_by_loss * slope + by_loss[1]  # (LS6)
        for array in (self.z, self.logits, self.losses, by_loss, self.jacobians):
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


def norms(items: Items, sequence: int, state: str = "h") -> Array:
    """Return |dL_s/dh_t|, or with state="c" |dL_s/dc_t|, at [s, t], shape (T, T)."""
    if state not in ("h", "c") or not hasattr(items, f"d{state}"):
        states = "'h' or 'c'" if hasattr(items, "dc") else "'h', the only state of this cell"
        raise ValueError(f"state must be {states}, got {state!r}")
    result: Array = np.linalg.norm(getattr(items, f"d{state}_by_loss")[:, :, sequence], axis=2)
    return result


def what_is_left(norms: Array, distance: int) -> Array:
    """Return |dL_s/dh_{s-d}| / |dL_s/dh_s| for each loss s with a state d steps back and a gradient that is not 0."""
    start, end = norms.diagonal()[distance:], norms.diagonal(-distance)
    result: Array = end[start > 0] / start[start > 0]
    return result
