"""The comparison of one tensor's gradient with numerical derivatives, element by element or along directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.derivatives import EPS, one_hot, one_sided, richardson, scale_of
from numpy_rnn.gradient_checking.experiment import METHODS, Experiment
from numpy_rnn.gradient_checking.tensors import TensorReport

__all__ = ["Settings", "check_tensor", "ties_between"]

SAMPLE = 48  # elements that are checked one by one if a direction shows an error
CLOSE = 1e-4  # relative errors up to here are those of an epsilon or of float32

COARSE = 0.02  # derivatives that are no more precise than this show nothing


@dataclass(frozen=True)
class Settings:
    """The tolerances that the user allows in addition, and the number of directions."""

    rtol: float
    atol: float
    directions: int


def check_tensor(
    experiment: Experiment, name: str, analytic: Array, full: bool, settings: Settings, rng: np.random.Generator
) -> TensorReport:
    """Compare one gradient in full, or along random directions, and at a sample of elements if they show an error."""
    x = experiment.point[name]
    is_wrong_shape = analytic.shape != x.shape
    a = np.full(x.shape, np.nan) if is_wrong_shape else analytic
    if full:
        tensor = _compare(experiment, name, a, settings, coordinates=np.arange(x.size))
    else:
        drawn = rng.standard_normal((settings.directions, *x.shape))
        tensor = _compare(experiment, name, a, settings, directions=[v / np.linalg.norm(v) for v in drawn])
        if tensor.verdict != "ok":  # a direction does not show where the error is
            count = min(SAMPLE, x.size, experiment.affordable())
            coordinates = np.sort(rng.choice(x.size, count, replace=False))
            sample = _compare(experiment, name, a, settings, coordinates=coordinates)
            tensor = sample if sample.verdict != "ok" or tensor.verdict == "KINKS" else tensor
    if is_wrong_shape:
        tensor.verdict, tensor.analytic = "SHAPE", analytic
    elif experiment.eps > EPS and tensor.verdict == "ok" and np.any(a):  # the sum of all elements is more precise
        along = _compare(experiment, name, a, settings, directions=[a / np.linalg.norm(a)])
        tensor = tensor if along.verdict == "ok" else along
    return tensor


def _compare(
    experiment: Experiment, name: str, analytic: Array, settings: Settings, coordinates: Array | None = None,
    directions: Sequence[Array] = (),
) -> TensorReport:  # fmt: skip
    """Compare u . (dy/dx v) with gradient . v for each direction v, or for the unit vectors of the coordinates."""
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
    floor = 1e-2 * np.maximum.reduce(terms, initial=0, where=np.isfinite(terms))
    # The errors of many outputs add up like random numbers.
    difference_error = np.sqrt(u**2 @ J_error**2)
    # Terms that cancel, as in softmax minus one-hot, are of the size of u unless all outputs are tiny; in a saturated
    # attention their rounding errors are those of a gradient that changes y in proportion to x.
    size_u = np.abs(u).max(initial=0)
    usual = np.linalg.norm(np.where(u == 0, 0, u * experiment.spread)) / scale_of(x)
    natural = max(size_u if usual > 1e-6 * size_u else usual, np.linalg.norm(u * experiment.y) / scale_of(x))
    precision = 1e-10 * (np.abs(numeric) + floor) + 64 * EPS * natural + 8 * difference_error
    with np.errstate(invalid="ignore"):
        size = np.maximum(np.maximum(np.abs(a), np.abs(numeric)), np.maximum(floor, np.finfo(float).tiny))
        tolerance = precision + settings.atol + settings.rtol * size
        error = np.abs(a - numeric)
        relative = error / size
    cannot = ~np.isfinite(numeric)
    wrong = ~(error <= tolerance) & ~cannot | ~np.isfinite(a)
    kinks, ties = np.zeros(len(a), bool), None
    is_linear = experiment.method != METHODS[0] or coordinates is None or x.size > K
    rounding = 64 * EPS * float(natural)
    looked_at = wrong if is_linear else wrong | _at_ties(experiment, name, J, rounding)
    if looked_at.any():
        kinks, ties = _kinks(experiment, name, a, direction, looked_at, rounding)
    wrong &= ~kinks
    # Zeros prove nothing: if all inputs of a relu are zero, every nonzero derivative is at a kink.
    told = ~kinks & (np.maximum(np.abs(a), np.abs(numeric)) > precision)
    cannot_judge = kinks.any() and not told.any()
    # A forward in float16 may be too coarse for any verdict.
    is_coarse = experiment.eps > EPS and np.all(8 * difference_error > COARSE * np.maximum(size, natural))
    if ties or wrong.any():
        verdict = "CLOSE" if not ties and np.all(relative[wrong] <= CLOSE) else "WRONG"
    elif cannot_judge or (is_coarse and K):
        verdict = "KINKS" if cannot_judge else "COARSE"
    else:
        verdict = "NOT FINITE" if cannot.any() else "ok"
    tensor = TensorReport(
        name, x.shape, verdict, analytic=analytic, coordinates=coordinates, checked_analytic=a,
        checked_numeric=numeric, absolute_error=np.where(kinks, 0, error), tolerance=tolerance, precision=precision,
        relative_error=np.where(kinks, 0, relative), kinks=kinks, diagnosis=ties,
    )  # fmt: skip
    if verdict != "ok" and tensor.is_full:
        tensor.time_axis = _time_axis(experiment, x, J)
    return tensor


def _time_axis(experiment: Experiment, x: Array, J: Array) -> int | None:
    """Return the time axis of a tensor: along it, outputs depend on earlier inputs but not on later ones.

    The last axis holds features. Along a batch axis, an output depends on its own input alone, or, in batch
    normalization, on all of them.
    """
    for k, y in enumerate(experiment.outputs):
        for axis in range(min(x.ndim, y.ndim) - 1) if y.dtype.kind == "f" else ():
            if x.shape[axis] == y.shape[axis] > 1:
                coupled = np.reshape(J[experiment.output_rows(k)] != 0, (*y.shape, *x.shape))
                coupled = np.moveaxis(coupled, (axis, y.ndim + axis), (0, 1))
                y_by_x = coupled.reshape(*coupled.shape[:2], -1).any(axis=2)
                if np.tril(y_by_x, -1).any() != np.triu(y_by_x, 1).any():
                    return axis
    return None


def _at_ties(experiment: Experiment, name: str, J: Array, rounding: float) -> Array:
    """Return where the derivatives of the single elements aren't those of a linear function, as at equal maxima."""
    x = experiment.point[name]
    v = experiment.rng.standard_normal(x.shape)
    # Both ways: an element that is moved up from a tie stays the maximum, as J has it, but one moved down does not.
    along, error = experiment.jacobian(name, [v, -v])
    slack = 1e-6 * (np.abs(J) @ np.abs(v.ravel())) + rounding * np.abs(v).sum() / (
        np.abs(experiment.u).max(initial=0) or 1
    )
    with np.errstate(invalid="ignore"):
        off = np.abs(along - np.outer(J @ v.ravel(), [1, -1]))
        bent = (off > slack[:, None] + 8 * error).any(axis=1)
    return np.asarray((J[bent] != 0).any(axis=0))


def _kinks(
    experiment: Experiment, name: str, a: Array, direction: Callable[[int], Array], wrong: Array, rounding: float
) -> tuple[Array, str | None]:
    """Find where forward is not differentiable and the gradient is between the derivatives on both sides.

    Also say whether elements that are tied, such as two equal maxima, get more together than one of them may.
    """
    f, point, u = experiment.function, experiment.point, experiment.u
    kinks, bent = np.zeros(len(a), bool), {}
    for tried, k in enumerate(np.flatnonzero(wrong)):
        if tried >= 24 and not kinks.any():
            break
        sides = one_sided(f, point, name, direction(int(k)), experiment.eps)
        if sides is not None:
            bent[int(k)] = np.abs(sides[1] - sides[0]) > 1e-3 * np.abs(sides).max()
            kinks[k] = _is_between(u, sides, float(a[k]))
    tied = {tuple(k for k in bent if kinks[k] and bent[k][m]) for m in range(len(u))}
    for group in sorted(group for group in tied if len(group) > 1)[:24]:
        v = {name: np.sum([direction(k) for k in group], axis=0)}
        places = ", ".join(str(np.argwhere(direction(k))[0].tolist()) for k in group)
        words = f"at ties: {places} are equal, and together they get"
        if diagnosis := _unlike_one(experiment, v, float(a[list(group)].sum()), words, rounding * len(group)):
            return kinks, diagnosis
    return kinks, None


def _is_between(u: Array, sides: Sequence[Array], value: float, rounding: float = 0.0) -> bool:
    """Whether a derivative is between those on the two sides, output by output."""
    slopes = u * np.array(sides)
    low, high = slopes.min(axis=0).sum(), slopes.max(axis=0).sum()
    slack = 1e-3 * np.abs(slopes).sum() + rounding
    return bool(low - slack <= value <= high + slack)


def _unlike_one(
    experiment: Experiment, moved: Mapping[str, Array], got: float, words: str, rounding: float = 0.0
) -> str | None:
    """Say whether the gradient of tied elements is no derivative along `moved`, which moves all of them."""
    point, size = experiment.point, min(scale_of(experiment.point[name]) for name in moved)

    def together(values: Mapping[str, Array]) -> Array:
        step = values["step"] - size
        return experiment.function({**point, **{name: point[name] + step * v for name, v in moved.items()}})

    start, one = {"step": np.array(size)}, np.ones(())
    sides = one_sided(together, start, "step", one, experiment.eps)
    if sides is None:
        sides = (richardson(together, start, "step", one, experiment.eps)[0],) * 2
    if _is_between(experiment.u, sides, got, rounding):
        return None
    return (
        f"{words} {got:.6g}, but moved together they change the result by {experiment.u @ sides[0]:.6g}: give the "
        "gradient to one of them, or split it"
    )


def ties_between(experiment: Experiment, tensors: Mapping[str, TensorReport]) -> str | None:
    """Say whether equal elements of several tensors, as in np.maximum(x, y), get more than one of them may."""
    bent = {name: tensor for name, tensor in tensors.items() if tensor.kinks.any() and tensor.is_full}
    if len(bent) < 2:
        return None
    moved = {name: tensor.kinks.reshape(tensor.shape) for name, tensor in bent.items()}
    got = sum(float(tensor.checked_analytic[tensor.kinks].sum()) for tensor in bent.values())
    words = f"at ties between {' and '.join(bent)}: together the equal elements get"
    return _unlike_one(experiment, moved, got, words)
