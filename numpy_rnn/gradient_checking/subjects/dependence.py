"""Which arrays the outputs of forward depend on, which of them are state, and which are views of others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.subjects.calls import RATES
from numpy_rnn.gradient_checking.subjects.leaves import follow, leaves_of
from numpy_rnn.gradient_checking.subjects.session import Session, same
from numpy_rnn.gradient_checking.subjects.signatures import signature_of
from numpy_rnn.gradient_checking.subjects.state import Path, restorers

__all__ = ["creates_parameters", "depended_on", "moved", "state_among", "without_duplicates"]


def moved(x: Array, rng: np.random.Generator) -> Array:
    """Return other numbers, close to those of an array."""
    size = float(np.abs(x[np.isfinite(x)]).max(initial=0)) or 1.0
    return np.asarray(x + 1e-3 * size * rng.standard_normal(x.shape))


def depended_on(
    session: Session, point: Mapping[str, Array], outputs: Sequence[Array], rng: np.random.Generator
) -> list[str]:
    """Return those arrays whose values move the outputs, tried with small random changes."""
    ignored = session.subject.without_upstream

    def moves(name: str, x: Array) -> bool:
        try:
            with np.errstate(all="ignore"):
                ys = session.forward({name: moved(x, rng)})
            return not all(same(y, outputs[k]) for k, y in enumerate(ys) if k not in ignored)
        except Exception:  # forward refuses other values, so it looks at them
            return True

    return [name for name, x in point.items() if moves(name, x)]


def creates_parameters(session: Session, known: Collection[Path], rng: np.random.Generator) -> bool:
    """Whether the first forward has made arrays that the outputs of a second one depend on, unlike caches.

    Those of private attributes, and of objects within objects, are taken for its working memory.
    """
    paths = [leaf.paths[0] for leaf in leaves_of(session.root).values() if leaf.part == "self" and not leaf.is_number]
    near = [p for p in paths if p not in known and (len(p) == 2 or (len(p) == 3 and p[2][0] == "["))]
    made = [p for p in near if not str(p[1][1]).startswith("_")]
    arrays = [array for path in made if isinstance(array := follow(session.root, path), np.ndarray)]
    if not arrays:
        return False
    resets = [*restorers(session.root), *session.subject.reset_generators]

    def outputs(change: bool) -> list[Array]:
        for reset in resets:
            reset()
        for array in arrays if change else ():
            array[...] = moved(array, rng)
        session.call_forward({})
        return [y.copy() for y in session.outputs()]

    try:
        with np.errstate(all="ignore"):
            return not all(map(same, outputs(change=False), outputs(change=True)))
    except Exception:  # a layer may insist on a backward in between
        return False
    finally:
        for reset in resets:
            reset()


def state_among(session: Session, names: Collection[str]) -> list[str]:
    """Return those arrays that each forward replaces by others, such as a hidden state that is carried on."""
    subject = session.subject
    if subject.backward_callable is None and any(
        name in RATES for name in signature_of(subject.forward_callable).names
    ):
        return []  # a function like train_step(x, y, lr) updates its parameters
    session.forward({})
    first = {name: session.value(name) for name in names}
    try:
        session.call_forward({})
    except Exception:  # a layer may insist on a backward in between
        return []
    return [
        name for name in names if session.read(name) is not first[name] and not same(first[name], session.read(name))
    ]


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
