"""Find the likely mistake from a wrong gradient and the true one.

Each candidate is a mistake for which the resulting gradient can be computed. It is named if that explains the error
to one part in a million (`Case.explained_by`). Descriptions of where the error is come last.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.diagnosis.activation import slope_of_rows, wrong_slopes
from numpy_rnn.gradient_checking.diagnosis.evidence import Case, Evidence
from numpy_rnn.gradient_checking.diagnosis.places import wrong_places
from numpy_rnn.gradient_checking.diagnosis.relations import factor, rearranged, related, rounded
from numpy_rnn.gradient_checking.diagnosis.unrolled import take_apart
from numpy_rnn.gradient_checking.diagnosis.unrolled_mistakes import mistakes
from numpy_rnn.gradient_checking.diagnosis.upstreams import contributions, other_upstreams, upstream_ignored
from numpy_rnn.gradient_checking.report import GradcheckReport
from numpy_rnn.gradient_checking.subjects.state import is_floating

__all__ = ["NOTHING_FITS", "diagnose"]

NOTHING_FITS = "no known mistake gives these numbers"


def diagnose(evidence: Evidence, report: GradcheckReport) -> None:
    """Set the diagnosis of each wrong tensor in the report, and the time axis of every tensor."""
    for name in evidence.experiment.point:
        report.tensors[name].time_axis = evidence.time_axis(name)
    cases = {}
    for name, tensor in report.tensors.items():
        if tensor.verdict == "SHAPE" and tensor.analytic is not None:
            tensor.diagnosis = _shape(tensor.analytic, tensor.checked_numeric, tensor.shape, evidence.is_full(name))
        elif tensor.diagnosis:  # at ties
            continue
        elif tensor.verdict in ("WRONG", "CLOSE") and tensor.coordinates is not None:
            # Elements where forward is not differentiable are no evidence.
            wrong = ~(tensor.absolute_error <= tensor.tolerance)
            a = np.where(tensor.kinks, tensor.checked_numeric, tensor.checked_analytic)
            J, full = evidence.jacobians[name], evidence.is_full(name)
            cases[name] = Case(evidence, name, tensor.shape, a, tensor.checked_numeric, J, wrong, full)
        elif tensor.verdict == "WRONG":
            tensor.diagnosis = (
                "wrong along a random direction but right at the sampled elements: check a smaller shape"
            )
    recurrence = take_apart(evidence.experiment) if cases and all(case.full for case in cases.values()) else None
    of_the_recurrence = list(mistakes(recurrence)) if recurrence else []

    def recurrent(case: Case) -> Iterator[str]:
        for words, gradients in of_the_recurrence:
            if case.name in gradients and case.explained_by(gradients[case.name]):
                yield words

    finders: list[Callable[[Case], Iterator[str]]] = [
        _not_finite, _zero, rounded, upstream_ignored, factor, recurrent, other_upstreams, _activation, contributions,
        rearranged, related,
    ]  # fmt: skip
    candidates = {
        name: list(dict.fromkeys(words for finder in finders for words in finder(case)))
        for name, case in cases.items()
    }
    # One mistake often makes many gradients wrong: prefer the explanation that covers the most tensors.
    served = Counter(words for every in candidates.values() for words in every)
    for name, case in cases.items():
        best = max(candidates[name], key=lambda words: served[words], default=None)
        is_close = report.tensors[name].verdict == "CLOSE"
        report.tensors[name].diagnosis = best or (None if is_close else wrong_places(case) or NOTHING_FITS)


def _not_finite(case: Case) -> Iterator[str]:
    if len(bad := np.flatnonzero(~np.isfinite(case.a))):
        flat = case.evidence.coordinates[case.name][bad[0]]
        place = [int(i) for i in np.unravel_index(flat, case.shape)]
        also = "" if np.isfinite(case.g).all() else ", and forward is not finite at this point"
        yield (
            f"backward gives {case.a[bad[0]]} at {place}{' and elsewhere' * (len(bad) > 1)}{also}: a division by "
            "zero, an overflow, or unwritten memory"
        )
    elif not np.isfinite(case.g).all():
        yield "forward is not finite at this point, and neither are its derivatives: choose another point"


def _zero(case: Case) -> Iterator[str]:
    if not case.a.any():
        yield "backward leaves it zero everywhere: it is never assigned, or its path is missing"
    elif not case.g.any():
        yield "forward does not depend on it, so the true gradient is zero, or forward reads a different array"


def _shape(analytic: Array, numeric: Array, shape: tuple[int, ...], full: bool) -> str:
    words = f"the gradient has shape {analytic.shape}, the tensor {shape}"
    if full and numeric.size:
        g = numeric.reshape(shape)
        near = 1e-6 * np.abs(g).max()
        if analytic.size == g.size and np.abs(analytic.ravel() - g.ravel()).max() <= near:
            return f"{words}: the right numbers, to be reshaped"
        if analytic.shape == shape[::-1] and np.abs(analytic.T - g).max() <= near:
            return f"{words}: it is transposed"
        if analytic.size == 1 and abs(analytic.sum() - g.sum()) <= near * g.size:
            return f"{words}: summed over everything"
        for array, other, what, after in (
            (analytic, g, "not summed", ""),
            (g, analytic, "summed", ", which it should keep"),
        ):
            for axes, keepdims in itertools.product(_subsets(array.ndim), (False, True)):
                summed = array.sum(axis=axes, keepdims=keepdims)
                if summed.shape == other.shape and np.abs(summed - other).max() <= near * g.size:
                    return f"{words}: {what} over axis {' and '.join(map(str, axes))}{after}"
    return words


def _subsets(ndim: int) -> list[tuple[int, ...]]:
    return [axes for count in range(1, ndim + 1) for axes in itertools.combinations(range(ndim), count)]


def _activation(case: Case) -> Iterator[str]:
    """Mistakes in the slope of an activation at the end of forward; recurrences are unrolled instead."""
    evidence = case.evidence
    y = evidence.experiment.outputs[0]
    if not is_floating(y) or not case.full:
        return
    rows = evidence.experiment.output_rows(0)
    full = [name for name in evidence.jacobians if evidence.is_full(name)]
    slope = slope_of_rows(evidence.jacobians, full, rows, y.ravel())
    if slope is None or len(evidence.experiment.outputs) > 1:
        return
    # Where the slope is zero, the Jacobian of the pre-activation is known only if it is the identity.
    if slope_of_rows(evidence.jacobians, [case.name], rows, y.ravel()) is not None:
        z_jacobian = np.zeros(case.J.shape)
        z_jacobian[np.arange(len(slope)), np.arange(len(slope)) % case.J.shape[1]] = 1
    else:
        z_jacobian = case.J / slope[:, None]
    for words, wrong in wrong_slopes(slope, y.ravel(), None):
        if case.explained_by((evidence.u * wrong) @ z_jacobian):
            yield words
