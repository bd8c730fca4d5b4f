"""What the numbers of a wrong gradient show, whatever the layer: a factor, an order of the elements, a place."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.tensors import TensorReport

__all__ = ["lengths_of", "relation"]

NEAR = 1e-6  # an explanation may leave this part of the error: chance does not come that close


def relation(t: TensorReport, lengths: Mapping[int, str], indices: Mapping[str, Array]) -> str | None:
    """Say what the numbers of a wrong gradient show, if that is simple.

    lengths names those that a factor may be, indices are the integer inputs, which may select elements.
    """
    a, g = np.where(t.kinks, t.checked_numeric, t.checked_analytic), t.checked_numeric  # kinks show nothing
    if t.verdict == "SHAPE" and t.analytic is not None:
        return _of_shape(t.analytic, g.reshape(t.shape) if t.is_full else None, t.shape)
    if t.coordinates is None:
        return "wrong along a random direction but right at the sampled elements: check a smaller shape"
    if not np.isfinite(g).all():
        return "forward is not finite at this point, or its derivatives are not: choose another point"
    if not np.isfinite(a).all():
        return f"backward gives {a[~np.isfinite(a)][0]}: a division by zero, an overflow, or unwritten memory"
    if not a.any():
        return "backward leaves it zero everywhere: it is never assigned, or its path is missing"
    if not g.any():
        return "forward does not depend on it, so the true gradient is zero, or forward reads a different array"
    if t.verdict == "CLOSE" and np.array_equal(a.astype(np.float32), a):
        return "every element is a float32 number"
    if words := _multiple(a, g, lengths):
        return words
    for words, predicted in _rearrangements(a, g.reshape(t.shape)) if t.is_full else ():
        if _explains(predicted, a, g):
            return words
    return _places(t, a, g, indices) if t.is_full and t.verdict == "WRONG" else None


def _explains(predicted: Array, a: Array, g: Array) -> bool:
    return bool(np.abs(a - predicted.ravel()).max() <= NEAR * np.abs(a - g).max())


def _multiple(a: Array, g: Array, lengths: Mapping[int, str]) -> str | None:
    size = np.abs(g).max()
    c = float(a / size @ g / float(g / size @ g))
    if not c or not _explains(c * g, a, g):
        return None
    if math.isclose(c, -1, rel_tol=NEAR):
        return "the sign is wrong"
    sign, pairs = "-" if c < 0 else "", itertools.permutations({1: "", **lengths}.items(), 2)
    for (n, name), (m, other) in sorted(pairs, key=lambda pair: min(pair[0][0], pair[1][0])):  # 5 before 10/2
        if math.isclose(abs(c), n / m, rel_tol=NEAR):
            known = " and ".join(f"{k} is {words}" for k, words in ((n, name), (m, other)) if words)
            return f"{sign}{f'{n}/{m} of' if m > 1 else f'{n} times'} what it should be ({known})"
    words = {0.5: "half", 2.0: "twice"}.get(round(c, 6))
    if words is None and np.count_nonzero(g) > 2:  # some factor fits one or two numbers
        words = f"{c:.6g} times"
    return words and f"{words} what it should be"


def lengths_of(arrays: Mapping[str, Array]) -> dict[int, str]:
    """Name the lengths that a sum or a mean may run over: those of axes, and products of adjacent ones."""
    found: dict[int, str] = {}
    for name, array in arrays.items():
        for start, stop in itertools.combinations(range(array.ndim + 1), 2):
            axes = f"axis {start}" if stop == start + 1 else f"axes {start} to {stop - 1}"
            found.setdefault(math.prod(array.shape[start:stop]), f"the length of {axes} of {name}")
    return {n: words for n, words in found.items() if n > 1}


def _rearrangements(a: Array, g: Array) -> Iterator[tuple[str, Array]]:
    for order in itertools.permutations(range(g.ndim)) if g.ndim <= 4 else ():
        if order != tuple(range(g.ndim)):
            words = "it is transposed" if g.ndim == 2 else f"its axes are permuted, to the order {list(order)}"
            is_shape = g.transpose(order).shape == g.shape
            yield words if is_shape else f"{words} in memory: a reshape where a transpose belongs", g.transpose(order)
    for axis in (axis for axis, length in enumerate(g.shape) if length > 1):
        yield f"it runs backwards along axis {axis}", np.flip(g, axis)
        for shift in (1, -1):
            rolled, words = np.roll(g, shift, axis), f"it is shifted by {shift:+d} along axis {axis}"
            yield words, rolled
            rolled.swapaxes(0, axis)[0 if shift == 1 else -1] = 0
            yield words, rolled
    limit = float(np.abs(a).max())
    yield f"it is clipped to [-{limit:.4g}, {limit:.4g}]: clip gradients outside backward", np.clip(g, -limit, limit)
    yield "it is the absolute value", np.abs(g)


def _of_shape(analytic: Array, g: Array | None, shape: tuple[int, ...]) -> str:
    """Say how a gradient of a wrong shape relates to the numerical one, which is None if some elements lack."""
    words = f"the gradient has shape {analytic.shape}, the tensor {shape}"
    if g is None or not g.size:
        return words
    near = NEAR * np.abs(g).max() * g.size
    if analytic.size == g.size and np.abs(analytic.ravel() - g.ravel()).max() <= near:
        return f"{words}: the right numbers, to be reshaped"
    if analytic.shape == shape[::-1] and np.abs(analytic.T - g).max() <= near:
        return f"{words}: it is transposed"
    summed = (analytic, g, "not summed over axis {}"), (g, analytic, "summed over axis {}, which it should keep")
    for array, other, what in summed:
        for axes in itertools.chain(*(itertools.combinations(range(array.ndim), n + 1) for n in range(array.ndim))):
            total = array.sum(axis=axes).ravel()
            if total.size == other.size and np.abs(total - other.ravel()).max() <= near:
                return f"{words}: {what.format(' and '.join(map(str, axes)))}"
    return words


def _places(t: TensorReport, a: Array, g: Array, indices: Mapping[str, Array]) -> str | None:
    """Say where the errors are; what is zero in both gradients is neither right nor wrong."""
    close = t.absolute_error <= t.tolerance
    wrong, right = ~close.reshape(t.shape), (close & (g != 0)).reshape(t.shape)
    for selected, index in indices.items():
        if t.shape and np.array_equal(wrong, index[..., None] == np.arange(t.shape[-1])):
            return f"wrong at exactly the entries that {selected} selects, right elsewhere"
    is_zero = not a[~close].any()
    for axis, length in enumerate(t.shape):
        others = tuple(other for other in range(wrong.ndim) if other != axis)
        bad = np.flatnonzero(wrong.any(axis=others))
        good = np.flatnonzero((right & ~wrong.any(others, keepdims=True)).any(axis=others))
        if not len(good) or not len(bad) or axis == t.time_axis:  # the report lists the steps
            continue
        # A few scattered errors may miss one index by chance.
        if len(good) == 1 and len(bad) > 1 and wrong.sum() >= 0.9 * wrong.size * len(bad) / length:
            return f"right in {_part(t, axis, good)} only{' (elsewhere it is zero)' * is_zero}"
        start, stop = int(bad[0]), int(bad[-1]) + 1
        if not ((good >= start) & (good < stop)).any() and stop - start == len(bad) < length:
            return f"wrong in {_part(t, axis, bad)} only{_block(bad, length)}{' (there it is zero)' * is_zero}"
    return None


def _part(t: TensorReport, axis: int, indices: Array) -> str:
    """Return x[:, 2], or x[:, 2:4]."""
    index = f"{indices[0]}" if len(indices) == 1 else f"{indices[0]}:{indices[-1] + 1}"
    return f"{t.name}[{', '.join([':'] * axis + [index] + [':'] * (len(t.shape) - 1 - axis))}]"


def _block(indices: Array, length: int) -> str:
    """Say which of several equal blocks this is, such as that of a gate."""
    size, start, ordinals = len(indices), int(indices[0]), ("first", "second", "third", "fourth")
    if size == 1 or length % size or start % size or length // size > len(ordinals):
        return ""
    return f": the {ordinals[start // size]} of {length // size} blocks of {size}, such as those of gates"
