"""The derivatives of one operation by its inputs: the complex step through that operation alone.

Elementwise functions need one evaluation per input, everything else one per element of the input. Operations that
only move elements (reshape, stack, repeat) are applied to the numbers of the elements instead.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from numpy_rnn.checks import Array

__all__ = ["ELEMENTWISE", "MOVES", "derivatives"]

H = 1e-30
ELEMENTWISE, MOVES = "elementwise", "moves"

Evaluate = Callable[[list[Any]], list[Array]]  # from the values of the inputs to the outputs
Derivatives = tuple[Array, Array, Array]  # positions in the outputs, positions in an input, values


def derivatives(f: Evaluate, given: list[Any], numbers: list[Array], how: str) -> tuple[Array, Array, Array, Array]:
    """Return the derivatives that are not zero, as one vector.

    Returns
    -------
    rows, columns, values, of_input : arrays
        Positions in the outputs, which count as one vector; numbers of elements of inputs; dy/dx; which input.
    """
    if how == MOVES:
        sources = np.concatenate([np.ravel(y) for y in f([n.astype(float)[()] for n in numbers])]).astype(int)
        rows = np.flatnonzero(sources)
        columns = sources[rows]
        which = np.zeros(len(rows), int)
        for k, n in enumerate(numbers):
            which[np.isin(columns, n)] = k
        return rows, columns, np.ones(len(rows)), which
    found = [(np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0, int))]
    for k, n in enumerate(numbers):
        for rows, position, slopes in _by_input(f, given, k, how == ELEMENTWISE) if n.any() else ():
            columns = n.ravel()[position]
            kept = columns > 0
            found.append((rows[kept], columns[kept], slopes[kept], np.full(kept.sum(), k)))
    rows, columns, values, which = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return rows, columns, values, which


def _by_input(f: Evaluate, given: list[Any], k: int, elementwise: bool) -> Iterator[Derivatives]:
    x = np.asarray(given[k], float)
    if elementwise:
        slope = _along(f, given, k, np.ones_like(x))
        shape = np.broadcast_shapes(*[np.shape(v) for v in given])
        if slope.size == np.prod(shape):
            rows = np.flatnonzero(slope)
            yield rows, np.broadcast_to(np.arange(x.size).reshape(x.shape), shape).ravel()[rows], slope[rows]
            return
    direction = np.zeros_like(x)
    for j in range(x.size):
        direction.flat[j] = 1
        slope = _along(f, given, k, direction)
        direction.flat[j] = 0
        rows = np.flatnonzero(slope)
        yield rows, np.full(len(rows), j), slope[rows]


def _along(f: Evaluate, given: list[Any], k: int, direction: Array) -> Array:
    """Return the derivative of all outputs along a direction in input k, as one vector."""

    def at(step: complex, dtype: type) -> list[Array]:
        values: list[Any] = [np.array(v, dtype) for v in given]
        values[k] = values[k] + step * direction
        return [np.ravel(y) for y in f([v[()] for v in values])]

    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            outputs = at(1j * H, complex)
        if all(map(np.iscomplexobj, outputs)):
            return np.concatenate([y.imag for y in outputs]) / H
    except Exception:  # whatever the function raises on complex numbers: differences follow
        pass
    h = 1e-6
    there, back = (np.concatenate(at(step, float)) for step in (h, -h))
    return np.asarray((there - back) / (2 * h))
