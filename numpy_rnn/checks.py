"""Argument checks shared by the layers: each error names the argument, what it was and what was expected."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = ["Array", "as_array", "as_dtype", "as_indices", "as_size", "check_shape"]

Array = NDArray[Any]

_DTYPES = tuple(np.dtype(t) for t in (np.float32, np.float64, np.complex128))


def as_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return the NumPy dtype of parameters: float32, float64, or complex128 for the complex step."""
    try:
        result = np.dtype(dtype)
    except TypeError as error:
        raise TypeError(f"dtype must be float32, float64 or complex128, got {dtype!r}") from error
    if result not in _DTYPES:
        raise TypeError(f"dtype must be float32, float64 or complex128, got {result}")
    return result


def as_size(name: str, value: int) -> int:
    """Return `value` if it is an integer of at least one."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")
    return int(value)


def as_array(name: str, value: ArrayLike, dtype: np.dtype[Any]) -> Array:
    """Return `value` as an array of `dtype`; never drops an imaginary part."""
    array = np.asarray(value)
    if array.dtype == dtype:
        return array
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        raise TypeError(f"{name} has dtype {array.dtype}, which does not cast to the layer's {dtype}")
    return array.astype(dtype)


def check_shape(name: str, array: Array, shape: tuple[int | None, ...], words: str) -> None:
    """Raise ValueError unless `array` has `shape` (None: any length), called `words` in the message."""
    if len(array.shape) != len(shape) or any(
        want is not None and got != want for got, want in zip(array.shape, shape, strict=True)
    ):
        sizes = ", ".join("*" if n is None else str(n) for n in shape) + ("," if len(shape) == 1 else "")
        raise ValueError(f"{name} has shape {array.shape}, expected {words} = ({sizes})")


def as_indices(name: str, value: ArrayLike, count: int) -> Array:
    """Return `value` as intp indices, all of them in [0, count).

    NumPy would let a negative index wrap around; here, as in torch, it is an IndexError.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, got dtype {array.dtype}")
    indices = array.astype(np.intp, copy=False)
    # Read as unsigned, a negative number is larger than any size: one reduction finds both faults.
    if indices.size and int(np.maximum.reduce(indices.view(np.uintp), axis=None)) >= count:
        where = np.argwhere((indices < 0) | (indices >= count))[0]
        place = ", ".join(map(str, where))
        raise IndexError(
            f"{name} must lie in [0, {count}), got {array[tuple(where)]}" + (f" at [{place}]" if place else "")
        )
    return indices
