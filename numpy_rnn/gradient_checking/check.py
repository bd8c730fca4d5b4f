"""gradcheck: compare the gradients of a backward pass with numerical ones, tensor by tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.derivatives import EPS, one_hot, one_sided
from numpy_rnn.gradient_checking.diagnosis.diagnose import diagnose
from numpy_rnn.gradient_checking.diagnosis.evidence import Evidence
from numpy_rnn.gradient_checking.experiment import METHODS, Experiment
from numpy_rnn.gradient_checking.report import GradcheckReport
from numpy_rnn.gradient_checking.side_effects import faults_of_conduct
from numpy_rnn.gradient_checking.subjects.layer import LayerSubject
from numpy_rnn.gradient_checking.subjects.pair import PairSubject
from numpy_rnn.gradient_checking.subjects.subject import Subject
from numpy_rnn.gradient_checking.tensors import TensorReport

__all__ = ["assert_gradients", "gradcheck"]

FULL_SIZE = 1000  # elements of a tensor: a larger one is checked along a few directions
JACOBIAN_SIZE = 4_000_000  # elements of one Jacobian, 32 MB: likewise
DIRECTIONS = 4
SAMPLE = 48  # elements that are checked one by one if a direction shows an error


def gradcheck(
    checked: Any,
    *inputs: Any,
    method: str | None = None,
    full: bool | None = None,
    seed: int = 0,
    **options: Any,
) -> GradcheckReport:
    """Compare what a backward pass returns with numerical derivatives of its forward pass.

    Parameters
    ----------
    checked : object or pair of functions
        A layer: any object with `forward(*inputs)` and `backward(*upstream)`; see
        `numpy_rnn.gradient_checking.subjects.layer` for where its parameters are looked up. Or a pair (forward,
        backward): `out, cache = forward(*inputs)` and `gradients = backward(*upstream, cache)`.
    *inputs : arrays
        The arguments of forward. Only floating-point arrays need a gradient. For a pair: one tuple or dictionary of
        inputs, and optionally a dictionary of params; the calls are then `forward(params, *inputs)` and
        `backward(cache, *upstream)`.
    method : {"complex step", "differences"}, optional
        None: the complex step if forward supports it, otherwise differences.
    full : bool, optional
        True: check every element. False: check along a few random directions in each tensor. None: depends on size.
    seed : int, default 0
        Random seed for the upstream gradients and directions.
    **options
        Keyword arguments passed on to a layer's forward, such as `lengths=[3, 2]`.

    Returns
    -------
    GradcheckReport
        `ok`; `tensors`, a TensorReport for each name; `str(report)` is the whole report.

    Raises
    ------
    TypeError
        `checked` is neither a layer nor a pair of functions.
    ValueError
        The numbers of gradients and inputs differ, or the requested complex step cannot be used.
    """
    if method not in (None, *METHODS):
        raise ValueError(f"method must be {' or '.join(map(repr, METHODS))}, got {method!r}")
    subject = _as_subject(checked, inputs, options)
    rng = np.random.default_rng(seed)
    experiment = Experiment(subject, method, rng)
    gradients = experiment.backward(experiment.upstream)
    faults = faults_of_conduct(experiment, gradients, rng)

    evidence = Evidence(experiment, gradients)
    tensors = {name: _check_tensor(evidence, name, full, rng) for name in experiment.point}
    for name, tensor in tensors.items():
        if tensor.verdict == "not checked":
            experiment.notes.append(f"{name} is not checked: backward returns no gradient for it")
        elif tensor.is_tiny:
            experiment.notes.append(f"the gradient of {name} is as small as its rounding error, so it is not checked")
    for name, value in subject.inputs.items():
        if isinstance(value, float):
            experiment.notes.append(f"{name} is a Python number and not checked: pass np.array({value}) to check it")
    report = GradcheckReport(subject.label, experiment, tensors, faults, seed, subject.unchecked)
    if any(tensor.verdict in ("WRONG", "SHAPE") for tensor in tensors.values()):
        # Numerical trouble in a diagnosis must not hide the verdicts.
        with np.errstate(all="ignore"):
            diagnose(evidence, report)
    return report


def assert_gradients(checked: Any, *inputs: Any, **options: Any) -> None:
    """Raise AssertionError, with the whole report, unless every gradient is right; arguments as for `gradcheck`."""
    report = gradcheck(checked, *inputs, **options)
    if not report.ok:
        raise AssertionError(str(report))


def _as_subject(checked: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> Subject:
    if isinstance(checked, tuple | list):
        if len(checked) != 2 or not all(map(callable, checked)):
            raise TypeError("a pair must be two functions, (forward, backward)")
        if len(inputs) not in (1, 2):
            raise TypeError(
                f"a pair takes inputs, or inputs and params, got {len(inputs)} arguments: put the inputs "
                "into one tuple, gradcheck((forward, backward), (x, w))"
            )
        if len(inputs) == 2 and not isinstance(inputs[1], Mapping):
            raise TypeError("the inputs of a pair go into one tuple: gradcheck((forward, backward), (x, w))")
        if options:
            raise TypeError(f"a pair takes no further arguments, got {', '.join(options)}")
        return PairSubject(*checked, *inputs)
    for name in ("forward", "backward"):
        if not callable(getattr(checked, name, None)):
            raise TypeError(f"{type(checked).__name__} has no method {name}: expected a layer or (forward, backward)")
    return LayerSubject(checked, inputs, options)


def _check_tensor(evidence: Evidence, name: str, full: bool | None, rng: np.random.Generator) -> TensorReport:
    experiment, analytic = evidence.experiment, evidence.gradients.get(name)
    x = experiment.point[name]
    if full is None:
        full = x.size <= FULL_SIZE and x.size * experiment.u.size <= JACOBIAN_SIZE
    if analytic is None and name in experiment.subject.configuration(evidence.gradients):
        return TensorReport(name, x.shape, "not checked")
    wrong_shape = analytic is None or analytic.shape != x.shape
    a = np.full(x.shape, np.nan) if analytic is None or wrong_shape else analytic
    if full:
        tensor = _compare(evidence, name, a, coordinates=np.arange(x.size))
    else:
        directions = [v / np.linalg.norm(v) for v in rng.standard_normal((DIRECTIONS, *x.shape))]
        tensor = _compare(evidence, name, a, directions=directions)
        if tensor.verdict in ("WRONG", "KINKS"):  # a direction does not show where the error is
            coordinates = np.sort(rng.choice(x.size, min(SAMPLE, x.size), replace=False))
            sample = _compare(evidence, name, a, coordinates=coordinates)
            tensor = sample if sample.verdict == "WRONG" or tensor.verdict == "KINKS" else tensor
    if wrong_shape:
        tensor.verdict, tensor.analytic = "SHAPE", analytic
    return tensor


def _compare(
    evidence: Evidence, name: str, analytic: Array, coordinates: Array | None = None, directions: Sequence[Array] = ()
) -> TensorReport:
    """Compare u . (dy/dx v) with gradient . v for each direction v, or for the unit vectors of the coordinates."""
    experiment = evidence.experiment
    x, u = experiment.point[name], experiment.u

    def direction(k: int) -> Array:
        return directions[k] if coordinates is None else one_hot(x.shape, coordinates[k])

    K = len(directions) if coordinates is None else len(coordinates)
    J, J_error = experiment.jacobian(name, map(direction, range(K)))
    numeric = u @ J
    # The rounding error of each derivative depends on the size of its terms, not on that of their sum.
    terms = np.abs(u) @ np.abs(J)
    if coordinates is None:
        a = np.array([np.sum(analytic * v) for v in directions])
        terms += np.linalg.norm(analytic) * 1e-2
    else:
        a = analytic.ravel()[coordinates]
        evidence.add(name, coordinates, J)
    floor = 1e-2 * np.maximum.reduce(terms, initial=0)
    difference_error = np.abs(u) @ J_error
    size_u = np.abs(u).max(initial=0)
    tolerance = 1e-10 * (np.abs(numeric) + floor) + 64 * EPS * size_u + 8 * difference_error
    with np.errstate(invalid="ignore"):
        error = np.abs(a - numeric)
    wrong = ~(error <= tolerance) | ~np.isfinite(a)
    kinks = _kinks(experiment, name, a, direction, wrong) if wrong.any() else np.zeros(len(a), bool)
    wrong &= ~kinks
    # Zeros prove nothing: if all inputs of a relu are zero, every nonzero derivative is at a kink.
    told = ~kinks & (np.maximum(np.abs(a), np.abs(numeric)) > tolerance)
    cannot_judge = kinks.any() and not told.any()
    with np.errstate(invalid="ignore"):
        relative = error / np.maximum(np.maximum(np.abs(a), np.abs(numeric)), np.maximum(floor, np.finfo(float).tiny))
    return TensorReport(
        name,
        x.shape,
        "WRONG" if wrong.any() else "KINKS" if cannot_judge else "ok",
        analytic=analytic,
        coordinates=coordinates,
        checked_analytic=a,
        checked_numeric=numeric,
        absolute_error=np.where(kinks, 0, error),
        relative_error=np.where(kinks, 0, relative),
        tolerance=tolerance,
        kinks=kinks,
    )


def _kinks(experiment: Experiment, name: str, a: Array, direction: Callable[[int], Array], wrong: Array) -> Array:
    """Find where forward is not differentiable and the gradient is between the derivatives on both sides."""
    f, point, u = experiment.function, experiment.point, experiment.u
    kinks = np.zeros(len(a), bool)
    for tried, k in enumerate(np.flatnonzero(wrong)):
        if tried >= 24 and not kinks.any():
            break
        sides = one_sided(f, point, name, direction(int(k)), experiment.eps)
        if sides is not None:
            slopes = u * np.array(sides)
            low, high = slopes.min(axis=0).sum(), slopes.max(axis=0).sum()
            slack = 1e-3 * np.abs(slopes).sum()
            kinks[k] = low - slack <= a[k] <= high + slack
    return kinks
