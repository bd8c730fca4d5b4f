"""Argument checks: each error names the argument, what it was, and what was expected."""

from __future__ import annotations

import math
import os
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = [
    "ArgumentError",
    "Array",
    "as_array",
    "as_dtype",
    "as_flag",
    "as_floats",
    "as_indices",
    "as_integer",
    "as_number",
    "as_path",
    "as_rng",
    "as_size",
    "check_keys",
    "check_shape",
    "to_numpy",
]

Array = NDArray[Any]


class ArgumentError(ValueError):
    """A ValueError about one argument: "batch_size must be at least 1, got 0".

    The command line prints the option in place of the argument: "--batch-size must be ...".
    """

    def __init__(self, argument: str, words: str) -> None:
        super().__init__(f"{argument} {words}")
        self.argument, self.words = argument, words


_DTYPES = tuple(np.dtype(t) for t in (np.float32, np.float64, np.complex128))


def as_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return the NumPy dtype of parameters: float32, float64, or complex128 for the complex step."""
    try:
        result = np.dtype(dtype).newbyteorder("=")
    except TypeError:
        result = np.dtype(object)
    if dtype is None or result not in _DTYPES:  # to NumPy, None is float64
        raise TypeError(f"dtype must be float32, float64 or complex128, got {dtype!r}")
    return _DTYPES[_DTYPES.index(result)]  # NumPy's own object, which gradcheck recognises


def as_integer(name: str, value: int) -> int:
    """Return `value` if it is an integer."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    return int(value)


def as_size(name: str, value: int, low: int = 1) -> int:
    """Return `value` if it is an integer of at least `low`."""
    if as_integer(name, value) < low:
        raise ArgumentError(name, f"must be at least {low}, got {value}")
    return int(value)


def as_number(name: str, value: float | str, low: float = 0.0, high: float = math.inf, closed: bool = False) -> float:
    """Return `value` if it is a number in [low, high), or in [low, high] if the interval is closed."""
    try:
        number = math.nan if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if math.isnan(number) and not isinstance(value, float | np.floating):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not (low <= number < high or (closed and number == high)):
        raise ArgumentError(name, f"must be in [{low:g}, {high:g}{']' if closed else ')'}, got {value}")
    return number


def as_flag(name: str, value: bool) -> bool:
    """Return `value` if it is True or False: a number is most likely an argument in the wrong position."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def as_rng(rng: np.random.Generator | int | None) -> np.random.Generator:
    """Return `rng` as a Generator."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise TypeError(f"rng must be a numpy.random.Generator, a seed of at least 0 or None, got {rng!r}") from None


def as_path(name: str, path: str | os.PathLike[str]) -> str:
    """Return `path` as a str."""
    try:
        return os.fsdecode(path)
    except TypeError:
        raise TypeError(f"{name} must be the name of a file, got {path!r}") from None


def to_numpy(name: str, value: ArrayLike) -> Array:
    """Return `value` as an array: a list, an array, or a torch tensor (detached and moved to the CPU)."""
    if type(value) is np.ndarray:
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array: fill it first")
    try:
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name} is not an array: {error}") from None
    if array.dtype == object:
        raise TypeError(f"{name} must be an array of numbers, got {type(value).__name__}")
    return array


def as_array(name: str, value: ArrayLike, dtype: np.dtype[Any]) -> Array:
    """Return `value` as an array of `dtype`; never drops an imaginary part."""
    array = to_numpy(name, value)
    if array.dtype == dtype:
        return array
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        raise TypeError(f"{name} has dtype {array.dtype}, expected one that casts to {dtype}")
    with np.errstate(under="ignore", over="ignore"):
        return array.astype(dtype)


def as_floats(name: str, value: ArrayLike) -> Array:
    """Return `value` as an array, for a layer that computes in the dtype of its input (for float16 in float32)."""
    array = to_numpy(name, value)
    if array.dtype not in _DTYPES:
        native = np.dtype(np.float32) if array.dtype == np.float16 else array.dtype.newbyteorder("=")
        if native not in _DTYPES:
            raise TypeError(f"{name} must be float32, float64 or complex128, got dtype {array.dtype}")
        return array.astype(native)
    return array


def check_shape(name: str, array: Array, shape: tuple[int | None, ...], words: str, slip: str = "") -> None:
    """Raise ValueError unless `array` has `shape` (None: any length).

    The message calls the shape `words`, and ends with `slip`, the likely mistake.
    """
    if array.shape == shape:
        return
    if len(array.shape) != len(shape) or any(
        want is not None and got != want for got, want in zip(array.shape, shape, strict=True)
    ):
        sizes = ", ".join("*" if n is None else str(n) for n in shape) + ("," if len(shape) == 1 else "")
        raise ValueError(f"{name} has shape {array.shape}, expected {words} = ({sizes}){slip and '; '}{slip}")


def check_keys(name: str, keys: Collection[Any], expected: Collection[Any]) -> None:
    """Raise KeyError unless a mapping has exactly the expected keys."""
    missing = [key for key in expected if key not in keys]
    unexpected = [key for key in keys if key not in expected]
    if missing or unexpected:
        raise KeyError(f"{name} does not fit: missing {missing}, unexpected {unexpected}")


def as_indices(name: str, value: ArrayLike, count: int) -> Array:
    """Return `value` as intp indices, all of them in [0, count).

    In NumPy a negative index would wrap around; here it is an IndexError, as in torch.
    """
    array = to_numpy(name, value)
    if array.dtype.kind not in "iu" and not (isinstance(value, list | tuple) and array.size == 0):
        raise TypeError(f"{name} must be integers, got dtype {array.dtype}")  # an empty list is an array of floats
    indices = array if array.dtype == np.intp else array.astype(np.intp)
    # As unsigned integers, negative numbers are larger than any size: one reduction finds both errors.
    if indices.size and np.maximum.reduce(indices.view(np.uintp), axis=None) >= count:
        where = tuple(np.argwhere((indices < 0) | (indices >= count))[0].tolist())
        place = f" at {list(where)}" if where else ""
        raise IndexError(f"{name} must be in [0, {count}), got {array[where]}{place}")
    return indices
