"""An array as the two parts of an .npy file (version 1.0): a header with dtype and shape, and the bytes in C order.

The header is made, by the format's rules, and never parsed: a reader that knows dtype and shape compares.

References
----------
https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from numpy_rnn.checks import Array

__all__ = ["DTYPES", "as_bytes", "npy_header"]

_CODES = ["|b1", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "<f4", "<f8", "<c16"]
DTYPES = {code: np.dtype(code) for code in _CODES}  # little-endian, or "|" where a byte has no order


def as_bytes(array: Array) -> memoryview:
    """Return the bytes of `array` in C order: a view of its memory if they lie so, else of a copy."""
    return memoryview(cast(Any, np.ascontiguousarray(array).reshape(-1).view(np.uint8)))


def npy_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """Return what comes before the bytes of an array; its length is a multiple of 64."""
    text = f"{{'descr': {dtype.str!r}, 'fortran_order': False, 'shape': {shape!r}, }}"
    length = -(10 + len(text) + 1) % 64 + len(text) + 1
    return b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + text.ljust(length - 1).encode() + b"\n"
