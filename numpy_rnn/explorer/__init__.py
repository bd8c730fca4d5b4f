"""The explorer: one self-contained web page that shows where every gradient of a text comes from.

`page.html` is the frame. `style.css`, the scripts and the arrays of a `Trace` for each stage of training are put into
it. Python does the arithmetic and JavaScript draws; it only multiplies and divides numbers where the page shows how.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Mapping

import numpy as np

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.checks import Array
from numpy_rnn.display.page import fill
from numpy_rnn.display.terminal import visible
from numpy_rnn.text.vocabulary import Vocabulary
from numpy_rnn.text.windows import inputs_and_targets
from numpy_rnn.tracing.items import labels
from numpy_rnn.tracing.trace import Trace, trace
from numpy_rnn.training.tutorial import train_epochs

__all__ = ["explain", "page_arrays", "train_snapshots"]

MAX_BYTES = 50_000_000


def explain(models: CharRNN | Mapping[int, CharRNN], vocabulary: Vocabulary, text: str) -> str:
    """Return the page, as HTML that needs no network and no other file.

    Parameters
    ----------
    models : CharRNN or mapping of int to CharRNN
        A trained model, or models by the number of epochs they were trained for, in ascending order. The page has a
        slider over them.
    vocabulary : Vocabulary
        The one the models were trained with.
    text : str
        At least two characters.

    Raises
    ------
    ValueError
        The page would be larger than 50 MB; also see `trace`.
    """
    if isinstance(models, CharRNN):
        epochs, models = [], {0: models}
    elif isinstance(models, Mapping) and all(isinstance(model, CharRNN) for model in models.values()):
        epochs = list(models)
    else:
        raise TypeError(f"models must be a CharRNN or a mapping of epochs to CharRNN, got {models!r}")
    if not models or any(not isinstance(epoch, int) for epoch in epochs) or epochs != sorted(epochs):
        raise ValueError(f"models must map epochs in ascending order to models, got epochs {epochs}")
    tokens, targets = inputs_and_targets(vocabulary, text)
    first = next(iter(models.values()))
    for epoch, model in models.items():
        if model.cell != "rnn":
            raise ValueError(f"model has cell={model.cell!r}, expected 'rnn': the page shows a tanh RNN's equations")
        if model.vocab_size != len(vocabulary):
            raise ValueError(
                f"models[{epoch}] has vocab_size={model.vocab_size}, expected the vocabulary's {len(vocabulary)}"
            )
        if (model.embedding_dim, model.hidden_size) != (first.embedding_dim, first.hidden_size):
            raise ValueError(f"models[{epoch}] has other sizes than models[{next(iter(models))}]")
    _check_size(first, len(tokens), len(models))
    traces = [trace(model, tokens, targets) for model in models.values()]
    snapshots = [page_arrays(traced) for traced in traces]
    reads, follows = labels(traces[0], vocabulary, 0)
    data = {
        "reads": reads,
        "follows": follows,
        "characters": [visible(character) for character in vocabulary.characters],
        "tokens": tokens[:, 0].tolist(),
        "targets": targets[:, 0].tolist(),
        "sizes": {"T": len(tokens), "E": first.embedding_dim, "H": first.hidden_size, "V": len(vocabulary)},
        "epochs": epochs,  # empty for a single model
        "losses": [traced.loss for traced in traces],
        "shapes": {name: array.shape for name, array in snapshots[0].items()},
        "snapshots": [_encode(arrays) for arrays in snapshots],
    }
    return fill(__name__, data)


def train_snapshots(
    model: CharRNN, vocabulary: Vocabulary, text: str, *, epochs: int, lr: float = 0.01
) -> dict[int, CharRNN]:
    """Train a model as `train_epochs` does, and return copies of it after 0, 1, 2, 5, 10, 20, ... `epochs` epochs."""
    every = max(10, epochs // 10)
    wanted = {epoch for epoch in (0, 1, 2, 5, 10, *range(every, epochs, every), epochs) if epoch <= epochs}
    _check_size(model, len(text) - 1, len(wanted))
    snapshots = {0: copy.deepcopy(model)}
    for epoch, _ in enumerate(train_epochs(model, vocabulary, text, epochs=epochs, lr=lr), 1):
        if epoch in wanted:
            snapshots[epoch] = copy.deepcopy(model)
    return snapshots


def page_arrays(trace: Trace) -> dict[str, Array]:
    """Return the arrays that the page shows, for the first sequence of the batch."""
    w, T = trace.weights, len(trace.tokens)
    names = ["z", "h", "logits", "p", "losses", "dlogits", "dh_local", "dh_future", "dh", "dz", "dx"]
    a: dict[str, Array] = {name: getattr(trace, name)[:, 0] for name in names}
    pairs = trace.dh_by_loss[*np.tril_indices(T), 0]  # (T (T + 1) / 2, H), pair (s, t) at s (s + 1) / 2 + t
    e = np.exp(a["logits"] - a["logits"].max(axis=1, keepdims=True))
    contributions = [np.linalg.norm(array.reshape(T, -1), axis=1) for array in trace.contributions.values()]
    return (
        w
        | {f"d {name}": gradient for name, gradient in trace.gradients.items()}
        | a
        | {
            "W_ih x": trace.x[:, 0] @ w["rnn.weight_ih_l0"].T,  # (T, H), the terms of (R1)
            "W_hh h": a["h"][:-1] @ w["rnn.weight_hh_l0"].T,
            "W h": a["h"][1:] @ w["fc.weight"].T,  # (T, V), a term of (L1)
            "e": e,
            "sum e": e.sum(axis=1),
            "dh_0": trace.dh_0[0],
            "pairs": pairs,
            "pair norms": np.linalg.norm(pairs, axis=1),
            "largest singular value": trace.singular_values[:, 0, 0],
            "contribution norms": np.array(contributions),
            "truncation lost": np.array(list(trace.truncation_lost.values())),
            "truncation angle": np.array(list(trace.truncation_angle.values())),
        }
    )


def _count(T: int, E: int, H: int, V: int, P: int) -> int:
    """Return how many numbers `page_arrays` has for a model with P parameters."""
    steps = T * (8 * H + 5 * V + E + 3)  # z, h, dh_local, ...; logits, p, ...; dx; scalars
    return 2 * P + steps + 2 * H + T * (T + 1) // 2 * (H + 1) + 3 * 7 * T


def _check_size(model: CharRNN, T: int, stages: int) -> None:
    P = model.parameters().data.size
    numbers = stages * _count(T, model.embedding_dim, model.hidden_size, model.vocab_size, P)
    size = numbers * 8 * 4 // 3  # base64 turns 3 bytes into 4
    if size > MAX_BYTES:
        raise ValueError(
            f"a page of {T} steps, {P} parameters and {stages} stages of training would have {size / 1e6:.0f} MB, "
            f"expected at most {MAX_BYTES / 1e6:.0f}: reduce the text, the hidden size or the epochs"
        )


def _encode(arrays: dict[str, Array]) -> str:
    """Return all arrays one after another, as base64 of little-endian float64: exact, and shorter than decimals."""
    flat = np.concatenate([array.reshape(-1) for array in arrays.values()])
    return base64.b64encode(flat.astype("<f8").tobytes()).decode("ascii")
