"""Export to and import from the safetensors format, for other programs: the extra `safetensors`.

A checkpoint is the safer file: safetensors has no checksum, so a flipped bit in an array loads as another number.

References
----------
https://github.com/huggingface/safetensors
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from numpy_rnn.checks import Array, to_numpy
from numpy_rnn.storage.files import CheckpointError, atomic_write, reason, resolve

__all__ = ["load_safetensors", "save_safetensors"]


def save_safetensors(
    path: str | os.PathLike[str], state_dict: Mapping[str, ArrayLike], metadata: Mapping[str, str] | None = None
) -> None:
    """Replace the file `path` by a safetensors file, all at once; see `atomic_write` for what can go wrong.

    Parameters
    ----------
    path : path
    state_dict : mapping of str to array
        What `model.state_dict()` returns, or that of a torch model. dtype: bool, integers, or floats of 2 to 8 bytes;
        complex128 is not in the format. Any memory layout; big-endian numbers come back little-endian.
    metadata : mapping of str to str, optional
        Anything more, such as the model's options and its vocabulary as JSON. The format is UTF-8, and has no lone
        surrogates; `json.dumps` escapes them. The order of its entries in the file is not determined.

    Raises
    ------
    ModuleNotFoundError
        The package safetensors is not installed.
    TypeError, ValueError
        The format cannot hold a tensor, a name or the metadata. Nothing was touched.
    CheckpointError
        The file cannot be written.
    """
    safetensors = _safetensors()
    metadata = dict(metadata or {})
    for key, value in metadata.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"metadata has the entry {key!r}: {value!r}, expected str and str")
    tensors = {}
    for name, tensor in state_dict.items():
        if not isinstance(name, str) or name == "__metadata__":
            raise ValueError(f"state_dict has the name {name!r}, expected a str other than '__metadata__'")
        array = to_numpy(f"state_dict[{name!r}]", tensor)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"state_dict[{name!r}] has dtype {array.dtype}, expected bool, integer or real")
        # safetensors 0.8.0 writes the memory that an array begins at, whatever its strides. (np.ascontiguousarray
        # would give a dimension to an array that has none.)
        tensors[name] = np.asarray(array, order="C")
    try:
        # Empty metadata beside no tensors would come out as JSON that safetensors itself cannot read.
        content = safetensors.numpy.save(tensors, metadata or None)
    except UnicodeEncodeError as error:
        raise ValueError(f"state_dict or metadata has a lone surrogate, which UTF-8 has not: {error}") from None
    except safetensors.SafetensorError as error:
        raise TypeError(f"state_dict cannot be saved: {reason(error)}") from error
    with atomic_write(path) as file:
        file.write(content)


def load_safetensors(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the tensors of a safetensors file, which any program may have written, and its metadata.

    Raises
    ------
    ModuleNotFoundError
        The package safetensors is not installed.
    CheckpointError
        There is no such file, it is no safetensors file, it is truncated, or it holds numbers that NumPy has no dtype
        for, such as bfloat16. What a flipped bit does to an array is not noticed.
    """
    safetensors = _safetensors()
    name, target = repr(os.fspath(path)), resolve(path)
    try:
        with safetensors.safe_open(target, "np") as file:
            state_dict = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            metadata = dict(file.metadata() or {})
    except FileNotFoundError:
        raise CheckpointError(f"{name} does not exist: check the path") from None
    except (TypeError, AttributeError) as error:  # bfloat16, for one
        raise CheckpointError(f"{name} holds numbers that NumPy has no dtype for ({reason(error)})") from error
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{name} is no sound safetensors file ({reason(error)}): take another copy") from error
    for key, array in state_dict.items():
        if array.dtype.isbuiltin != 1:  # ml_dtypes adds bfloat16 to NumPy: its import must not decide what is read
            raise CheckpointError(f"{name} holds numbers that NumPy has no dtype for ({key!r} is {array.dtype})")
    return state_dict, metadata


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ModuleNotFoundError:
        raise ModuleNotFoundError("safetensors is not installed: it is the extra 'safetensors'") from None
    return safetensors
