"""What a function of an exercise returns, compared with the solution's, part by part."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from numpy_rnn.learn.errors import Problem

__all__ = ["fault", "leaves", "listed", "names_returned", "parts", "same"]

RTOL = 1e-8  # of the largest element: other ways to compute the same differ by rounding only


def names_returned(function: Callable[..., Any], with_cache: bool = False) -> list[str]:
    """Return the expressions in a function's return statement; of `(h, c), cache` those before the cache."""
    returned = [n for n in ast.walk(ast.parse(inspect.getsource(function))) if isinstance(n, ast.Return)][-1].value
    if with_cache and isinstance(returned, ast.Tuple):
        returned = returned.elts[0]
    return [ast.unparse(part) for part in (returned.elts if isinstance(returned, ast.Tuple) else [returned]) if part]


def parts(function: str, labels: list[str], value: Any) -> dict[str, Any]:
    """Return what a function returned by its names; the entries of a dictionary by their own."""
    values = value if isinstance(value, tuple | list) and len(labels) > 1 else [value]
    if len(values) != len(labels):
        count = "nothing" if value is None else f"{len(values)} value" + "s" * (len(values) > 1)
        raise Problem(f"{function} returns {count}, expected {', '.join(labels)}")
    found: dict[str, Any] = {}
    for label, part in zip(labels, values, strict=True):
        found |= {f"{label}[{key!r}]": x for key, x in part.items()} if isinstance(part, dict) else {label: part}
    return found


def fault(expected: Any, got: Any, rtol: float = RTOL) -> str:
    """Return how a part is wrong, after "it is", or nothing."""
    if isinstance(expected, str):
        return "" if got == expected else f"{got!r}, expected {expected!r}"
    try:
        value = np.asarray(got).astype(np.float64, casting="same_kind")  # an error for complex numbers and objects
    except (TypeError, ValueError):
        return "None" if got is None else f"of type {type(got).__name__}, expected real numbers"
    if value.shape != np.shape(expected):
        return f"of shape {value.shape}, expected {np.shape(expected)}"
    if not np.isfinite(value).all():
        return "not finite"
    error, size = np.abs(value - expected).max(initial=0), np.abs(expected).max(initial=0)
    if error <= rtol * size:
        return ""
    return "wrong" if error > 1e-5 * size else "right to a few digits only: compute it exactly, in float64"


def same(value: Any, other: Any) -> bool:
    """Whether two values are equal up to rounding; two nan are."""
    if isinstance(value, str) or isinstance(other, str):
        return isinstance(value, str) and isinstance(other, str) and value == other
    a, b = np.asarray(value), np.asarray(other)
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-7, atol=1e-9, equal_nan=True)


def leaves(value: Any) -> Iterator[np.ndarray[Any, Any]]:
    """Return all arrays in nested tuples, lists and dictionaries."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from leaves(part)


def listed(labels: list[str]) -> str:
    """Return names in one phrase, abridged if there are many."""
    return ", ".join(labels) if len(labels) < 9 else f"{', '.join(labels[:3])} and {len(labels) - 3} more"
