"""Export to and import from the safetensors format, for use with other programs.

It needs the optional package safetensors. The format has no checksum: if a bit of an array flips, the file loads with
another number and no error. Checkpoints detect that.

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
    """Replace the file `path` by a safetensors file; see `atomic_write`.

    Parameters
    ----------
    path : path
    state_dict : mapping of str to array
        For instance `model.state_dict()`, also of a torch model. The dtypes are bool, integers, and floats of 2 to 8
        bytes; the format has no complex128. Any memory layout is allowed. Big-endian numbers become little-endian.
    metadata : mapping of str to str, optional
        Further information, such as the model's options as JSON. The format is UTF-8, which excludes lone surrogates
        (`json.dumps` escapes them). The order of the entries is not preserved.

    Raises
    ------
    ModuleNotFoundError
        The package safetensors is not installed.
    TypeError, ValueError
        The format cannot store a tensor, a name or the metadata. Nothing was written.
    CheckpointError
        The file cannot be written.
    """
    safetensors = _safetensors()
    if "__metadata__" in state_dict:
        raise ValueError("state_dict has the name '__metadata__', which the format reserves")
    # safetensors 0.8.0 ignores strides. (np.ascontiguousarray would turn a scalar into a vector.)
    tensors = {name: np.asarray(to_numpy(f"state_dict[{name!r}]", x), order="C") for name, x in state_dict.items()}
    try:
        # With empty metadata and no tensors, safetensors writes a file that it cannot read.
        content = safetensors.numpy.save(tensors, dict(metadata) if metadata else None)
    except (safetensors.SafetensorError, UnicodeEncodeError) as error:
        raise ValueError(f"state_dict or metadata cannot be saved as safetensors: {reason(error)}") from error
    with atomic_write(path) as file:
        file.write(content)


def load_safetensors(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the tensors and the metadata of a safetensors file, whichever program wrote it.

    Raises
    ------
    ModuleNotFoundError
        The package safetensors is not installed.
    CheckpointError
        The file does not exist, is truncated or not a safetensors file, or contains a dtype that NumPy does not have,
        such as bfloat16. A flipped bit in an array is not detected.
    """
    safetensors = _safetensors()
    name, target = repr(os.fspath(path)), resolve(path)
    try:
        with safetensors.safe_open(target, "np") as file:
            state_dict = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            metadata = dict(file.metadata() or {})
        for key, array in state_dict.items():
            if array.dtype.isbuiltin != 1:  # reading must not depend on whether ml_dtypes has added bfloat16 to NumPy
                raise TypeError(f"{key!r} is {array.dtype}")
    except FileNotFoundError:
        raise CheckpointError(f"{name} does not exist: check the path") from None
    except (TypeError, AttributeError) as error:  # for instance bfloat16
        raise CheckpointError(f"{name} contains a dtype that NumPy does not have ({reason(error)})") from error
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{name} is not a valid safetensors file: {reason(error)}") from error
    return state_dict, metadata


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ModuleNotFoundError:
        raise ModuleNotFoundError("safetensors is not installed: pip install safetensors") from None
    return safetensors
