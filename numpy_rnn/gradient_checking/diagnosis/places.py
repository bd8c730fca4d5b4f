"""The location of an error, for mistakes without a formula: wrong only at the last step, in one row, ..."""

from __future__ import annotations

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.diagnosis.evidence import Case

__all__ = ["wrong_places"]


def wrong_places(case: Case) -> str | None:
    if not case.full or not case.shape:
        return None
    wrong = case.wrong.reshape(case.shape)
    right = (~case.wrong & (case.g != 0)).reshape(case.shape)  # a zero that is zero is neither
    if not right.any():
        return None
    zero = " (there it is zero)" if not case.a[case.wrong].any() else ""
    return _at_the_targets(case, wrong) or _along_an_axis(case, wrong, right, zero)


def _at_the_targets(case: Case, wrong: Array) -> str | None:
    C = case.shape[-1]
    for name, indices in case.evidence.experiment.subject.inputs.items():
        is_integer = isinstance(indices, np.ndarray) and indices.dtype.kind in "iu" and indices.size > 0
        if is_integer and indices.shape == case.shape[:-1] and 0 <= indices.min() <= indices.max() < C > 1:
            onehot = np.eye(C, dtype=bool)[indices]
            if np.array_equal(wrong, onehot):
                excess = (case.a - case.g)[onehot.ravel()]
                what = "the one-hot vector that is subtracted is wrong there"
                if excess.max() - excess.min() <= 1e-6 * np.abs(excess).max():
                    what = f"it is too large by {excess[0]:.6g} in each: what is subtracted for the target is wrong"
                return f"wrong at exactly the entries that {name} selects, right elsewhere: {what}"
    return None


def _along_an_axis(case: Case, wrong: Array, right: Array, zero: str) -> str | None:
    for axis, length in enumerate(case.shape):
        others = tuple(other for other in range(wrong.ndim) if other != axis)
        bad, good = (
            np.flatnonzero(which.any(axis=others)) for which in (wrong, right & ~wrong.any(others, keepdims=True))
        )
        if length < 2 or not len(good) or not len(bad):
            continue
        place = "time step" if case.evidence.time_axis(case.name) == axis else f"index of axis {axis}"
        name = {0: f"the first {place}", length - 1: f"the last {place}"}
        # A few scattered errors may miss one index by chance.
        if len(good) == 1 and len(bad) > 1 and wrong.sum() >= 0.9 * wrong.size * len(bad) / length:
            where = name.get(int(good[0]), f"{place} {good[0]}")
            return f"right at {where} only, wrong at all others{zero}"
        if len(bad) == 1:
            where = name.get(int(bad[0]), f"{place} {bad[0]}")
            return f"wrong at {where} only, right at all others{zero}"
        start, stop = int(bad[0]), int(bad[-1]) + 1
        if not ((good >= start) & (good < stop)).any() and stop - start == len(bad) < length:
            where = f"{case.name}[{':, ' * axis}{start}:{stop}{', :' * (wrong.ndim - 1 - axis)}]"
            return f"wrong in {where} only, of {length}{_block(start, stop, length)}{zero}"
    return None


def _block(start: int, stop: int, length: int) -> str:
    """Say which of several equal blocks this is, such as that of a gate."""
    size = stop - start
    ordinals = ("first", "second", "third", "fourth")
    if length % size or start % size or length // size > len(ordinals):
        return ""
    return f": the {ordinals[start // size]} of {length // size} blocks of {size}, such as those of gates"
