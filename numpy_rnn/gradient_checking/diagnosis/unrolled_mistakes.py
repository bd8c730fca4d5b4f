"""Typical mistakes in backpropagation through time, and the gradients that each of them produces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.diagnosis.activation import slope_of_rows, wrong_slopes
from numpy_rnn.gradient_checking.diagnosis.unrolled import Gradients, Recurrence

__all__ = ["mistakes"]


def mistakes(r: Recurrence) -> Iterator[tuple[str, Gradients]]:
    """Yield each mistake in words, with the gradients that a backward with it would return."""
    u_y, u_s = r.upstream()
    s, T = r.state.removesuffix("_0").removesuffix("0") or r.state, r.T
    if T > 1:
        yield from _of_the_carry(r, u_y, u_s, s)
    right = r.backward(u_y, u_s)
    for word, kept, others in (("last", slice(-1, None), slice(0, -1)), ("first", slice(0, 1), slice(1, None))):
        for steps, words in (
            (kept, f"only the {word} step counts: assigned in the loop over time where it should be added up"),
            (others, f"the contribution of the {word} step is missing from the sum over time"),
        ):
            summed = r.whole(right, steps)
            yield words, {name: summed[name] for name in r.parameters}
    yield (
        f"this is the gradient of {s}_1, one step too late: d{s}_0 is what step 1 passes back",
        {r.state: right["ds"][0]},
    )
    if r.output_is_state:
        yield from _of_the_activation(r, u_y, u_s, s)


def _of_the_carry(r: Recurrence, u_y: Array, u_s: Array, s: str) -> Iterator[tuple[str, Gradients]]:
    def one(words: str, at_the_end: Array = u_s, **mistake: Any) -> tuple[str, Gradients]:
        return words, r.whole(r.backward(u_y, at_the_end, **mistake))

    loop = "look at the line in the loop over time that"
    missing = (
        f"the gradient from step t + 1 never reaches step t: missing d{s}_next, the path through {s}_t into the next "
        f"step ({loop} adds the carried gradient to that of the output)"
    )
    yield one(missing, carry=0)
    yield one(missing, 0 * u_s, carry=0)  # the gradient of the last state may be lost on the same line
    for k in range(1, r.T - 1):
        yield (
            f"the gradient travels back {k} step{'s' * (k > 1)} and no further: backpropagation through time is "
            f"truncated ({loop} passes d{s} to the step before)",
            _truncated(r, u_y, u_s, k),
        )
    for t in range(r.T - 1):
        lost = f"d{s} is lost or set to zero between the two"
        yield one(f"the gradient from step {t + 2} on never reaches step {t + 1} and those before it: {lost}", cut=t)
    yield one(f"d{s}_n is added at every step instead of only at the last", again=True)
    for factor, words in ((-1.0, "subtracted, not added"), (2.0, "counted twice")):
        words = f"the gradient that step t + 1 passes to step t is {words} ({loop} adds the carried gradient)"
        yield one(words, carry=factor)
        yield one(words, factor * u_s, carry=factor)
    yield one("the loop over time runs forwards: it must run from the last step to the first", forwards=True)


def _truncated(r: Recurrence, u_y: Array, u_s: Array, k: int) -> Gradients:
    total: Gradients = {}
    for origin in range(r.T):
        only = np.zeros_like(u_y)
        only[origin] = u_y[origin]
        found = r.backward(only, u_s if origin == r.T - 1 else 0 * u_s, cut=origin - k - 1)
        if origin - k > 0:
            found[r.state] = [0 * found[r.state][0]]
        for name, gradient in r.whole(found).items():
            total[name] = total.get(name, 0) + gradient
    return total


def _of_the_activation(r: Recurrence, u_y: Array, u_s: Array, s: str) -> Iterator[tuple[str, Gradients]]:
    states = [state.ravel() for state in r.states]
    slopes = [slope_of_rows(r.steps[t], r.parameters, slice(r.Y, None), states[t + 1]) for t in range(r.T + 1)]
    rows = [np.tile(slope, (r.Y + r.S) // len(slope)) for slope in slopes if slope is not None and slope.all()]
    if len(rows) < len(slopes):
        return
    for words, wrong in wrong_slopes(
        np.concatenate([row[r.Y :] for row in rows[: r.T]]),
        np.concatenate(states[1 : r.T + 1]),
        np.concatenate(states[: r.T]),
    ):
        by_step = wrong.reshape(r.T, r.S)
        other = [_scaled(r, t, np.tile(by_step[t], len(rows[t]) // r.S) / rows[t]) for t in range(r.T)]
        yield words, r.whole(r.backward(u_y, u_s, local=other, carried=other))
        yield words, r.whole(r.backward(u_y, u_s, local=other))
        yield f"on the way to the step before, {words}", r.whole(r.backward(u_y, u_s, carried=other))
    # dz = d(loss)/d(pre-activation), and the Jacobians of the pre-activation
    z_steps = [_scaled(r, t, 1 / rows[t]) for t in range(r.T + 1)]
    transposed = [dict(step) for step in r.steps]
    for t, row in enumerate(rows[: r.T]):
        J = z_steps[t][r.state][r.Y :]
        transposed[t][r.state] = np.concatenate([np.diag(row[r.Y :]) @ J.T] * (1 + (r.Y == r.S)))
    yield (
        f"the recurrent weight is transposed where the gradient goes from {s}_t to {s}_(t-1): dz @ W and "
        "dz @ W.T were mixed up",
        r.whole(r.backward(u_y, u_s, carried=transposed)),
    )
    right = r.backward(u_y, u_s)
    dz = [right["ds"][t] * rows[t][r.Y :] for t in range(r.T)]
    late = {n: sum(dz[t] @ z_steps[t + 1][n][r.Y :] for t in range(r.T)) for n in r.parameters}
    yield f"dz_t is paired with {s}_t where {s}_(t-1) belongs: the state from before the step", late
    for name in r.moving:
        if z_steps[0][name].shape[1] == r.S:  # as many inputs as states
            mixed_up = [z_steps[t][name][r.Y :] @ dz[t] for t in range(r.T)]
            words = "a weight matrix is used where its transpose belongs: dz @ W and dz @ W.T were mixed up"
            yield words, {name: r.whole(right | {name: mixed_up})[name]}
    yield (
        "the last product is missing: this is dz_1, which must still be multiplied by the recurrent weight",
        {r.state: dz[0]},
    )


def _scaled(r: Recurrence, t: int, factors: Array) -> Gradients:
    return {name: factors[:, None] * J for name, J in r.steps[t].items()}
