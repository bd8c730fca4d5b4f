"""Mistakes in how backward uses the upstream gradient: as the true gradient under another upstream gradient."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.diagnosis.evidence import Case, Evidence
from numpy_rnn.gradient_checking.subjects.state import is_floating

__all__ = ["contributions", "other_upstreams", "upstream_ignored"]


def upstream_ignored(case: Case) -> Iterator[str]:
    """Backward returns the same for twice the upstream gradients."""
    evidence = case.evidence
    if evidence.experiment.subject.takes_upstream:
        doubled = evidence.experiment.backward([2 * u for u in evidence.experiment.upstream])
        gradient = evidence.gradients[case.name]
        if gradient.any() and np.array_equal(doubled[case.name], gradient):
            names = " and ".join(f"d{name}" for name in evidence.output_names)
            yield f"it does not depend on the upstream gradient: {names} is never used (multiply by it)"


def other_upstreams(case: Case) -> Iterator[str]:
    for words, upstream in _mistaken(case.evidence):
        if case.explained_by(case.under(upstream)):
            yield words


def _mistaken(evidence: Evidence) -> Iterator[tuple[str, list[Array]]]:
    upstream = evidence.experiment.upstream
    for k, u in enumerate(upstream):
        if is_floating(evidence.experiment.outputs[k]):
            for words, other in _of_one(evidence, k, u):
                yield words, [*upstream[:k], other, *upstream[k + 1 :]]
    for axis in range(min(u.ndim for u in upstream)) if len(upstream) > 1 else ():
        lengths = {u.shape[axis] for u in upstream}
        if len(lengths) == 1 and (length := lengths.pop()) > 1:
            ends, words = (("last", length - 1), ("first", 0)), f"index of axis {axis} of the upstream gradients"
            for word, index in ends:
                kept = [_only(u, axis, index) for u in upstream]
                yield f"only the {word} {words} counts: assigned where it should be summed", kept
            for word, index in ends:
                yield f"the {word} {words} is left out", [u - _only(u, axis, index) for u in upstream]


def _of_one(evidence: Evidence, k: int, u: Array) -> Iterator[tuple[str, Array]]:
    """Mistakes in the use of u, the upstream gradient of output k, each with what is used instead of u."""
    name, output = f"d{evidence.output_names[k]}", evidence.output_names[k]
    if len(evidence.output_names) > 1:
        yield f"the upstream gradient {name} is ignored: add it to the gradient of {output}", 0 * u
        yield f"the upstream gradient {name} is counted twice", 2 * u
    yield f"the upstream gradient {name} is treated as ones, whatever its value", np.ones_like(u)
    if u.ndim == 0:
        yield f"the upstream gradient {name} is squared", u**2
    for axis, length in enumerate(u.shape):
        if length < 2:
            continue
        place = evidence.axis_word(k, axis)
        first, last = _only(u, axis, 0), _only(u, axis, length - 1)
        for kept, word in ((last, "last"), (first, "first")):
            yield f"only the {word} {place} of {name} counts: assigned where it should be summed", kept
        for kept, word in ((first, "first"), (last, "last")):
            yield f"the {word} {place} of {name} is left out", u - kept
        along = f"{place}s" if place in ("time step", "row") else f"axis {axis}"
        yield f"{name} is read backwards along its {along}", np.flip(u, axis)
        for shift, word in ((1, "late"), (-1, "early")):
            rolled = np.roll(u, shift, axis)
            gone = _only(rolled, axis, 0 if shift == 1 else length - 1)
            for shifted in (rolled, rolled - gone):
                yield f"{name} is read one {place} too {word}", shifted
    for axis in range(u.ndim - 1):
        if u.shape[axis] > 1 and u.shape[axis + 1] > 1:
            swapped = u.swapaxes(axis, axis + 1).reshape(u.shape)
            yield f"{name} is read with axes {axis} and {axis + 1} exchanged: reshaped instead of transposed", swapped


def _only(u: Array, axis: int, index: int) -> Array:
    kept = np.zeros_like(u)
    where = (slice(None),) * axis + (index,)
    kept[where] = u[where]
    return kept


def contributions(case: Case) -> Iterator[str]:
    """Mistakes in summing what the rows of the output contribute, such as repeated indices that overwrite."""
    experiment = case.evidence.experiment
    y = experiment.outputs[0]
    if not is_floating(y) or y.ndim < 2 or case.evidence.time_axis(case.name) is not None:
        return
    rows = experiment.output_rows(0)
    parts = (case.evidence.u[rows, None] * case.J[rows]).reshape(-1, y.shape[-1], case.J.shape[1]).sum(axis=1)
    N = len(parts)
    takes_part = parts != 0
    count = takes_part.sum(axis=0)
    if N < 2 or not (count > 1).any():
        return
    repeated = any(isinstance(v, np.ndarray) and v.dtype.kind in "iu" for v in experiment.subject.inputs.values())
    what = "a repeated index" if repeated else "a row that is summed"
    columns = np.arange(parts.shape[1])
    for n, word in ((N - 1 - takes_part[::-1].argmax(axis=0), "last"), (takes_part.argmax(axis=0), "first")):
        if case.explained_by(parts[n, columns]):
            yield (
                f"{what} overwrites instead of adding up: only the {word} one counts (g[i] += d keeps only one "
                "term per repeated index: np.add.at adds them all)"
            )
    if case.explained_by(case.g / np.maximum(count, 1)):
        yield f"{what} is averaged over its occurrences instead of summed"
    for n, word in ((0, "first"), (N - 1, "last")):
        if case.explained_by(case.g - parts[n]):
            yield f"the contribution of the {word} row of the output is missing"
