"""A model and its vocabulary as the arrays and the header of a checkpoint, and back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.checks import Array
from numpy_rnn.storage.checkpoint import read_checkpoint
from numpy_rnn.storage.files import CheckpointError
from numpy_rnn.text.vocabulary import Vocabulary

__all__ = ["build_model", "load_model", "model_header", "model_options", "named", "one_line", "unnamed"]


def named(group: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Put `group.` in front of each name: a checkpoint holds several arrays for each parameter."""
    return {f"{group}.{name}": array for name, array in arrays.items()}


def unnamed(group: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays of a group by the names of the parameters."""
    return {name[len(group) + 1 :]: array for name, array in arrays.items() if name.startswith(f"{group}.")}


def model_options(model: CharRNN) -> dict[str, Any]:
    """Return what a model of the same kind is made with."""
    return {
        "vocab_size": model.vocab_size,
        "embedding_dim": model.embedding_dim,
        "hidden_size": model.hidden_size,
        "num_layers": model.rnn.num_layers,
        "dropout": model.rnn.dropout,
        "dtype": str(model.dtype),
    }


def model_header(model: CharRNN, vocabulary: Vocabulary, prompt: str) -> dict[str, Any]:
    """Return what a checkpoint says of a model beside its arrays, `named("model", model.state_dict())`."""
    return {"model": model_options(model), "vocabulary": list(vocabulary.characters), "prompt": prompt}


def build_model(state_dict: Mapping[str, Array], header: Mapping[str, Any]) -> tuple[CharRNN, Vocabulary]:
    """Return the model of a `state_dict` and a `model_header`, or raise a ValueError that says what does not fit.

    The sizes are read off the arrays before a model of these sizes is made, and held against the header: what a
    damaged or foreign header says takes no memory.
    """
    try:
        options, characters, prompt = (header[key] for key in ("model", "vocabulary", "prompt"))
        V, E = state_dict["embedding.weight"].shape
        H, _ = state_dict["rnn.weight_hh_l0"].shape
        shapes = {"fc.weight": (V, H), "rnn.weight_ih_l0": (H, E), "rnn.weight_hh_l0": (H, H)}
        wrong = [
            f"{name} {state_dict[name].shape}" for name, shape in shapes.items() if state_dict[name].shape != shape
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"holds no model: {one_line(error)} is missing or of another form") from None
    if wrong:
        raise ValueError(
            f"holds arrays that do not fit each other: {', '.join(wrong)} beside embedding.weight {V, E}"
        )
    dtypes = {str(array.dtype) for array in state_dict.values()}
    if len(dtypes) != 1 or not dtypes <= {"float32", "float64"}:
        raise ValueError(f"holds parameters of dtype {', '.join(sorted(dtypes))}, expected one, float32 or float64")
    dtype, L = dtypes.pop(), sum(name.startswith("rnn.weight_hh_l") for name in state_dict)
    sizes = {"vocab_size": V, "embedding_dim": E, "hidden_size": H, "num_layers": L, "dtype": dtype}
    if not isinstance(options, dict) or options != {**sizes, "dropout": options.get("dropout", 0.0)}:
        raise ValueError(f"says that its model has {options}, but its arrays are those of {sizes}")
    if not isinstance(characters, list) or len(characters) != V:
        n = len(characters) if isinstance(characters, list) else "no"
        raise ValueError(f"has a vocabulary of {n} characters, expected {V}, the rows of embedding.weight")
    try:
        vocabulary = Vocabulary(characters)
        vocabulary.encode(prompt, name="prompt")
        model = CharRNN(V, E, H, L, options["dropout"], dtype=dtype, rng=0)
        model.load_state_dict(state_dict)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"does not fit: {one_line(error)}") from None
    if not np.isfinite(model.parameters().data).all():
        raise ValueError("holds parameters that are not finite")
    return model, vocabulary


def load_model(path: str | os.PathLike[str]) -> tuple[CharRNN, Vocabulary, dict[str, Any]]:
    """Return the model of a RUN, its best or else its last, or of a checkpoint file; its vocabulary; the header.

    Raises
    ------
    CheckpointError
        There is none, or it is not in every respect as it was written.
    """
    file = os.fspath(path)
    if os.path.isdir(file):
        best, last = (os.path.join(file, name) for name in ("best.npz", "last.npz"))
        if not os.path.lexists(best) and not os.path.lexists(last):
            raise CheckpointError(f"{file!r} is no RUN: it has neither best.npz nor last.npz")
        file = best if os.path.lexists(best) else last
    arrays, header = read_checkpoint(file)
    try:
        model, vocabulary = build_model(unnamed("model", arrays), header)
    except ValueError as error:
        raise CheckpointError(f"{file!r} {error}") from error
    return model, vocabulary, header


def one_line(error: BaseException) -> str:
    """Return the message of an error on one line; that of a KeyError without the quotes that Python puts round it."""
    return " ".join(str(error.args[0] if error.args else error).split())
