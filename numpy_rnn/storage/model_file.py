"""A model and its vocabulary as the arrays and header of a checkpoint, and back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.checks import Array, as_path
from numpy_rnn.layers import CELLS
from numpy_rnn.storage.checkpoint import read_checkpoint, write_checkpoint
from numpy_rnn.storage.files import CheckpointError, reason
from numpy_rnn.text.vocabulary import Vocabulary

__all__ = ["build_model", "load_model", "model_header", "model_options", "named", "save_model", "saved_options"]
__all__ += ["unnamed"]


def named(group: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Prefix each name with `group.`: a checkpoint stores several arrays per parameter."""
    return {f"{group}.{name}": array for name, array in arrays.items()}


def unnamed(group: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays of one group, without the prefix."""
    return {name[len(group) + 1 :]: array for name, array in arrays.items() if name.startswith(f"{group}.")}


def model_options(model: CharRNN) -> dict[str, Any]:
    """Return the arguments that create a model of the same kind."""
    return {
        "vocab_size": model.vocab_size,
        "embedding_dim": model.embedding_dim,
        "hidden_size": model.hidden_size,
        "num_layers": model.rnn.num_layers,
        "dropout": model.rnn.dropout,
        "cell": model.cell,
        "tie_weights": model.tie_weights,
        "dtype": str(model.dtype),
    }


def saved_options(header: Mapping[str, Any]) -> Any:
    """Return the `model_options` in a header. Those of older versions do not name the last two options."""
    options = header["model"]
    return {"cell": "rnn", "tie_weights": False, **options} if isinstance(options, dict) else options


def model_header(model: CharRNN, vocabulary: Vocabulary, prompt: str) -> dict[str, Any]:
    """Return the part of a checkpoint's header that describes a model."""
    return {"model": model_options(model), "vocabulary": list(vocabulary.characters), "prompt": prompt}


def build_model(state_dict: Mapping[str, Array], header: Mapping[str, Any]) -> tuple[CharRNN, Vocabulary]:
    """Return the model and vocabulary described by a `state_dict` and a `model_header`.

    A tied fc.weight may be missing from the `state_dict`.

    The sizes are taken from the arrays, so a wrong header cannot make the model larger than the file.

    Raises
    ------
    ValueError
        Something is missing, or the parts do not fit together.
    """
    try:
        options, characters, prompt = saved_options(header), header["vocabulary"], header["prompt"]
        if isinstance(options, dict) and options["tie_weights"] is True:
            state_dict = {"fc.weight": state_dict["embedding.weight"], **state_dict}
        V, E = state_dict["embedding.weight"].shape
        rows, H = state_dict["rnn.weight_hh_l0"].shape
        cell = {kind.cell.gates * H: name for name, kind in CELLS.items()}.get(rows, "rnn")
        rows = CELLS[cell].cell.gates * H
        shapes = {"fc.weight": (V, H), "rnn.weight_ih_l0": (rows, E), "rnn.weight_hh_l0": (rows, H)}
        wrong = [f"{name} {state_dict[name].shape}" for name in shapes if state_dict[name].shape != shapes[name]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"does not contain a model: {reason(error)} is missing or malformed") from None
    if wrong:
        raise ValueError(f"has arrays that do not fit together: {', '.join(wrong)}, embedding.weight {V, E}")
    dtypes = {str(array.dtype) for array in state_dict.values()}
    if dtypes not in ({"float32"}, {"float64"}):
        raise ValueError(f"has parameters of dtype {', '.join(sorted(dtypes))}, expected all float32 or all float64")
    L = sum(name.startswith("rnn.weight_hh_l") for name in state_dict)
    sizes = {"vocab_size": V, "embedding_dim": E, "hidden_size": H, "num_layers": L, "cell": cell}
    sizes["dtype"] = dtypes.pop()
    if not isinstance(options, dict) or options != {
        **sizes,
        "dropout": options.get("dropout"),
        "tie_weights": bool(options["tie_weights"]),
    }:
        raise ValueError(f"describes its model as {options}, but its arrays have {sizes}")
    try:
        vocabulary = Vocabulary(characters)
        if len(vocabulary) != V:
            raise ValueError(f"the vocabulary has {len(vocabulary)} characters, but embedding.weight has {V} rows")
        vocabulary.encode(prompt, name="prompt")
        model = CharRNN(**options, rng=0)
        model.load_state_dict(state_dict)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"has parts that do not fit together: {reason(error)}") from None
    if not np.isfinite(model.parameters().data).all():
        raise ValueError("has parameters that are not finite")
    return model, vocabulary


def save_model(
    path: str | os.PathLike[str], model: CharRNN, vocabulary: Vocabulary, prompt: str | None = None
) -> None:
    """Write a model and its vocabulary to a file that `load_model` and `numpy-rnn generate` read.

    Parameters
    ----------
    path : path
        Such as "model.npz". An existing file is replaced, once the new one is complete.
    model : CharRNN
        In float32 or float64, with finite parameters.
    vocabulary : Vocabulary
        The one the model was made for.
    prompt : str, optional
        The default prompt of `numpy-rnn generate`. None: the first character of the vocabulary.

    Raises
    ------
    TypeError, ValueError
        An argument is wrong, and nothing was written.
    CheckpointError
        The file cannot be written.
    """
    for name, value, kind in (("model", model, CharRNN), ("vocabulary", vocabulary, Vocabulary)):
        if not isinstance(value, kind):
            raise TypeError(f"{name} must be a {kind.__name__}, got {type(value).__name__}")
    file, state_dict = as_path("path", path), model.state_dict()
    header = model_header(model, vocabulary, vocabulary.characters[0] if prompt is None else prompt)
    try:
        build_model(state_dict, header)
    except ValueError as error:
        raise ValueError(f"model cannot be saved: it {error}") from None
    write_checkpoint(file, named("model", state_dict), header)


def load_model(path: str | os.PathLike[str]) -> tuple[CharRNN, Vocabulary, dict[str, Any]]:
    """Return the model, the vocabulary and the header of a checkpoint.

    `path` is a checkpoint file or a RUN, from which `best.npz` is loaded if it exists, otherwise `last.npz`.

    Raises
    ------
    CheckpointError
        There is no checkpoint, or it is not exactly as it was written.
    """
    file = as_path("path", path)
    if os.path.isdir(file):
        found = [name for name in ("best.npz", "last.npz") if os.path.lexists(os.path.join(file, name))]
        if not found:
            raise CheckpointError(f"{file!r} is not a RUN: it has neither best.npz nor last.npz")
        file = os.path.join(file, found[0])
    arrays, header = read_checkpoint(file)
    try:
        model, vocabulary = build_model(unnamed("model", arrays), header)
    except ValueError as error:
        raise CheckpointError(f"{file!r} {error}") from error
    return model, vocabulary, header
