"""Which arrays the outputs of forward depend on, which of them are state, and which are views of others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.subjects.session import Session, same

__all__ = ["depended_on", "state_among", "without_duplicates"]


def depended_on(
    session: Session, point: Mapping[str, Array], outputs: Sequence[Array], rng: np.random.Generator
) -> list[str]:
    """Return those arrays whose values move the outputs, tried with small random changes."""
    ignored = session.subject.without_upstream

    def moves(name: str, x: Array) -> bool:
        size = float(np.abs(x).max(initial=0)) or 1.0
        try:
            with np.errstate(all="ignore"):
                ys = session.forward({name: x + 1e-3 * size * rng.standard_normal(x.shape)})
            return not all(same(y, outputs[k]) for k, y in enumerate(ys) if k not in ignored)
        except Exception:  # forward refuses other values, so it looks at them
            return True

    return [name for name, x in point.items() if moves(name, x)]


def state_among(session: Session, names: Collection[str]) -> list[str]:
    """Return those arrays that each forward replaces by others, such as a hidden state that is carried on."""
    session.forward({})
    first = {name: session.value(name) for name in names}
    try:
        session.call_forward({})
    except Exception:  # a layer may insist on a backward in between
        return []
    return [name for name in names if not same(first[name], session.value(name))]


def without_duplicates(arrays: Mapping[str, Array], compared: Collection[str], missing: Collection[str]) -> list[str]:
    """Return the arrays without those that views of them, or arrays that they are views of, stand for."""
    left = [*compared, *missing]
    for name in sorted(left, key=lambda name: -arrays[name].size):
        size = arrays[name].size
        others = [n for n in left if n in compared and n != name and np.may_share_memory(arrays[n], arrays[name])]
        if others and sum(min(arrays[other].size, size) for other in others) >= size:
            left.remove(name)
        elif name in compared:
            left = [other for other in left if other not in others]
    return left
