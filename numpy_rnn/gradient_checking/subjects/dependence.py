"""Which arrays the outputs of forward depend on, which of them are state, and which are views of others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.subjects.session import same

if TYPE_CHECKING:
    from numpy_rnn.gradient_checking.subjects.subject import Subject

__all__ = ["depended_on", "state_among", "without_duplicates"]


def depended_on(
    subject: Subject, names: Sequence[str], outputs: Sequence[Array], rng: np.random.Generator
) -> list[str]:
    """Return those arrays whose values move the outputs, tried with small random changes."""
    session = subject.start(np.float64)

    def moves(some: Sequence[str]) -> bool:
        values = {}
        for name in some:
            x = session.value(name).astype(np.float64)
            size = float(np.abs(x).max(initial=0)) or 1.0
            values[name] = x + 1e-3 * size * rng.standard_normal(x.shape)
        try:
            with np.errstate(all="ignore"):
                ys = session.forward(values)
                return not all(same(y, outputs[k]) for k, y in enumerate(ys) if k not in subject.without_upstream)
        except Exception:  # forward refuses other values, so it looks at them
            return True

    return [name for name in names if moves([name])]


def state_among(subject: Subject, names: Collection[str]) -> list[str]:
    """Return those arrays that each forward replaces by others, such as a hidden state that is carried on."""
    session = subject.start(np.float64)
    session.forward({})
    first = {name: session.value(name) for name in names}
    try:
        session.call_forward({})
    except Exception:  # a layer may insist on a backward in between
        return []
    return [name for name in names if not same(first[name], session.value(name))]


def without_duplicates(subject: Subject, compared: Collection[str], missing: Collection[str]) -> list[str]:
    """Return the arrays without those that views of them, or arrays that they are views of, stand for."""
    session = subject.start(np.float64)
    arrays = {name: np.asarray(session.read(name)) for name in [*compared, *missing]}

    def sharing(name: str) -> list[str]:
        return [other for other in compared if other != name and np.may_share_memory(arrays[other], arrays[name])]

    left = [*compared, *missing]
    for name in sorted(left, key=lambda name: -arrays[name].size):
        others = [other for other in sharing(name) if other in left]
        size = arrays[name].size
        if others and sum(min(arrays[other].size, size) for other in others) >= size:
            left = [other for other in left if other != name]
        elif name in compared:
            left = [other for other in left if other not in others]
    return left
