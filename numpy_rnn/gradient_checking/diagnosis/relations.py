"""Mistakes that the two gradients alone show: a factor, swapped axes, another tensor's gradient."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.diagnosis.evidence import Case
from numpy_rnn.gradient_checking.subjects.state import is_floating

__all__ = ["factor", "rearranged", "related", "rounded"]


def rounded(case: Case) -> Iterator[str]:
    """A float64 gradient that was cast to float32 or float16 on the way."""
    for dtype in (np.float16, np.float32):
        with np.errstate(over="ignore"):
            stored = case.a.astype(dtype)
        near = np.abs(case.a - case.g) <= 64 * np.finfo(dtype).eps * np.abs(case.g).max()
        if near.all() and np.array_equal(stored, case.a):
            yield f"correct up to rounding: every element is a {np.dtype(dtype)} number, so backward casts somewhere"


def factor(case: Case) -> Iterator[str]:
    square = float(case.g @ case.g)
    c = float(case.a @ case.g) / square if square else 0.0
    if c and case.explained_by(c * case.g) and (words := _name_of_factor(case, c)):
        yield words


def _name_of_factor(case: Case, c: float) -> str | None:
    def is_close(value: float) -> bool:
        return math.isclose(abs(c), value, rel_tol=1e-6)

    sign = "-" if c < 0 else ""
    if c < 0 and is_close(1):
        return "the sign is wrong: it is -1 times what it should be"
    names = _lengths(case)
    for n, name in names.items():
        if is_close(n):
            return (
                f"{sign}{n} times what it should be, and {n} = {name}: summed in backward where forward averages, so "
                f"the factor 1/N is missing (or a constant factor of {sign}{n})"
            )
        if is_close(1 / n):
            return (
                f"{sign}1/{n} of what it should be, and {n} = {name}: averaged where it should be summed, or divided "
                f"once too often (or a constant factor of {sign}1/{n})"
            )
    for number, word in ((2, "twice"), (0.5, "half")):
        if is_close(number):
            return f"{sign}{word} what it should be: a constant factor of {sign}{number}"
    for (n, name), (m, other) in itertools.permutations(names.items(), 2):
        if is_close(n / m):
            return f"{sign}{n}/{m} of what it should be: divided by {m} = {other} instead of {n} = {name}"
    if np.count_nonzero(case.g) < 3:
        return None  # with one or two numbers a factor fits too easily
    return f"{c:.6g} times what it should be, everywhere: a constant factor"


def _lengths(case: Case) -> dict[int, str]:
    """Name the lengths that a sum or a mean may run over: axes of the outputs and inputs, and their products."""
    experiment = case.evidence.experiment
    named = list(zip(case.evidence.output_names, experiment.outputs, strict=True))
    named += [(name, v) for name, v in experiment.subject.inputs.items() if isinstance(v, np.ndarray)]
    found: dict[int, list[str]] = {}
    for name, array in named:
        for start, stop in itertools.combinations(range(array.ndim + 1), 2):
            n = math.prod(array.shape[start:stop])
            axes = f"axis {start}" if stop == start + 1 else f"axes {start} to {stop - 1}"
            if n > 1:
                found.setdefault(n, []).append(f"the length of {axes} of {name}")
    return {n: " = ".join(names[:2]) for n, names in found.items()}


def rearranged(case: Case) -> Iterator[str]:
    if case.full:
        for words, predicted in _rearrangements(case, case.g.reshape(case.shape)):
            if case.explained_by(predicted):
                yield words


def _rearrangements(case: Case, g: Array) -> Iterator[tuple[str, Array]]:
    for order in itertools.permutations(range(g.ndim)) if g.ndim <= 4 else ():
        if order != tuple(range(g.ndim)):
            words = "transposed" if g.ndim == 2 else f"its axes are permuted, to the order {list(order)}"
            if g.transpose(order).shape == g.shape:
                yield words, g.transpose(order)
            yield f"{words} in memory: a reshape where a transpose belongs", g.transpose(order)
    for axis, length in enumerate(g.shape):
        if length > 1:
            yield f"it runs backwards along axis {axis}", np.flip(g, axis)
            for shift, word in ((1, "late"), (-1, "early")):
                rolled = np.roll(g, shift, axis)
                filled = rolled.copy()
                filled[(slice(None),) * axis + ((0 if shift == 1 else -1),)] = 0
                for moved in (rolled, filled):
                    yield f"it is shifted along axis {axis}: each entry comes one place too {word}", moved
    evidence = case.evidence
    for k, y in enumerate(evidence.experiment.outputs):
        if is_floating(y) and y.size == g.size > 1:
            rows = evidence.experiment.output_rows(k)
            yield (
                "a weight matrix is used where its transpose belongs: dy @ W and dy @ W.T were mixed up",
                case.J[rows] @ evidence.u[rows],
            )
    limit = float(np.abs(case.a).max())
    yield f"it is clipped to [-{limit:.4g}, {limit:.4g}]: clip gradients outside backward", np.clip(g, -limit, limit)
    yield "it is the absolute value", np.abs(g)


def related(case: Case) -> Iterator[str]:
    """The upstream gradient itself, one that is missing, or the gradient of another tensor."""
    evidence = case.evidence
    experiment = evidence.experiment
    for k, u in enumerate(experiment.upstream):
        name = f"d{evidence.output_names[k]}"
        if u.size == case.a.size and is_floating(experiment.outputs[k]):
            if case.explained_by(u):
                yield f"it is the upstream gradient {name} itself: the derivative is missing"
            if case.explained_by(case.g - u.ravel()):
                yield f"the path by which the input is added to the output is missing: add {name}"
    for other, J in evidence.jacobians.items():
        if other != case.name and J.shape[1] == case.a.size and case.explained_by(evidence.u @ J):
            yield f"it is the gradient of {other}: the two are mixed up"
