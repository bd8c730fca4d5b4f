"""The explorer: one self-contained page that shows where every gradient of a text comes from.

`page.html` is the frame; `style.css` and the scripts are put into it, and the numbers of a `Trace` for each stage of
training. Python computes; JavaScript draws, and multiplies or divides two numbers of the page where it shows how.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Mapping
from importlib import resources

import numpy as np

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.checks import Array
from numpy_rnn.text.vocabulary import Vocabulary, visible
from numpy_rnn.text.windows import inputs_and_targets
from numpy_rnn.tracing.trace import Trace, trace
from numpy_rnn.training.tutorial import train_epochs

__all__ = ["explain", "page_arrays", "train_snapshots"]

SCRIPTS = ("data.js", "draw.js", "network.js", "equations.js", "paths.js", "parameters.js", "main.js")
MAX_BYTES = 50_000_000


def explain(models: CharRNN | Mapping[int, CharRNN], vocabulary: Vocabulary, text: str) -> str:
    """Return the page, HTML that needs nothing else: no network, no other file.

    Parameters
    ----------
    models : CharRNN or mapping of int to CharRNN
        A trained model; or the model after so many epochs of training, in rising order: what the page's slider goes
        through.
    vocabulary : Vocabulary
        The one that the models were trained with.
    text : str
        At least two characters.

    Raises
    ------
    ValueError
        The page would be larger than 50 MB; or see `trace`.
    """
    if isinstance(models, CharRNN):
        epochs, models = [], {0: models}
    elif isinstance(models, Mapping) and all(isinstance(model, CharRNN) for model in models.values()):
        epochs = list(models)
    else:
        raise TypeError(f"models must be a CharRNN or a mapping of epochs to CharRNN, got {models!r}")
    if not models or any(not isinstance(epoch, int) for epoch in epochs) or epochs != sorted(epochs):
        raise ValueError(f"models must map epochs in rising order to models, got epochs {epochs}")
    tokens, targets = inputs_and_targets(vocabulary, text)
    _check_size(next(iter(models.values())), len(tokens), len(models))
    snapshots: list[dict[str, Array]] = []
    losses = []
    for epoch, model in models.items():
        if model.vocab_size != len(vocabulary):
            raise ValueError(
                f"models[{epoch}] has vocab_size={model.vocab_size}, expected the vocabulary's {len(vocabulary)}"
            )
        traced = trace(model, tokens, targets)
        losses.append(traced.loss)
        snapshots.append(page_arrays(traced))
        if any(snapshots[-1][name].shape != array.shape for name, array in snapshots[0].items()):
            raise ValueError(f"models[{epoch}] has other sizes than models[{next(iter(models))}]")
    data = {
        "reads": [visible(character) for character in text[:-1]],
        "follows": [visible(character) for character in text[1:]],
        "characters": [visible(character) for character in vocabulary.characters],
        "tokens": tokens[:, 0].tolist(),
        "targets": targets[:, 0].tolist(),
        "sizes": {
            "T": len(tokens),
            "E": traced.x.shape[2],
            "H": traced.h.shape[2],
            "V": len(vocabulary),
        },
        "epochs": epochs,  # empty: a model alone
        "losses": losses,
        "shapes": {name: array.shape for name, array in snapshots[0].items()},
        "snapshots": [_encode(arrays) for arrays in snapshots],
    }
    return _page(json.dumps(data))


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
    """Return the arrays that the page shows, of the only sequence of the batch."""
    w, T = trace.weights, len(trace.tokens)
    x, h, logits = trace.x[:, 0], trace.h[:, 0], trace.logits[:, 0]
    pairs = trace.dh_by_loss[*np.tril_indices(T), 0]  # (T (T + 1) / 2, H), pair (s, t) at s (s + 1) / 2 + t
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    names = list(w)
    return (
        w
        | {f"d {name}": gradient for name, gradient in trace.gradients.items()}
        | {
            "W_ih x": x @ w["rnn.weight_ih_l0"].T,  # (T, H), the terms of (R1)
            "W_hh h": h[:-1] @ w["rnn.weight_hh_l0"].T,
            "z": trace.z[:, 0],
            "h": h,  # (T + 1, H)
            "W h": h[1:] @ w["fc.weight"].T,  # (T, V), a term of (L1)
            "y": logits,
            "e": e,
            "sum e": e.sum(axis=1),
            "p": trace.p[:, 0],
            "loss": trace.losses[:, 0],
            "dy": trace.dlogits[:, 0],
            "local": trace.dh_local[:, 0],
            "future": trace.dh_future[:, 0],
            "dh": trace.dh[:, 0],
            "dz": trace.dz[:, 0],
            "dx": trace.dx[:, 0],
            "dh_0": trace.dh_0[0],
            "pairs": pairs,
            "pair norms": np.linalg.norm(pairs, axis=1),
            "largest singular value": trace.singular_values[:, 0, 0],
            "contribution norms": np.array(
                [np.linalg.norm(trace.contributions[name].reshape(T, -1), axis=1) for name in names]
            ),
            "truncation lost": np.array([trace.truncation_lost[name] for name in names]),
            "truncation angle": np.array([trace.truncation_angle[name] for name in names]),
        }
    )


def _count(T: int, E: int, H: int, V: int, P: int) -> int:
    """Return how many numbers `page_arrays` has, with P parameters."""
    steps = T * (8 * H + 5 * V + E + 3)  # W_ih x, W_hh h, z, h, local, future, dh, dz; W h, y, e, p, dy; dx; scalars
    return 2 * P + steps + 2 * H + T * (T + 1) // 2 * (H + 1) + 3 * 7 * T


def _check_size(model: CharRNN, T: int, stages: int) -> None:
    P = model.parameters().data.size
    numbers = stages * _count(T, model.embedding_dim, model.hidden_size, model.vocab_size, P)
    size = numbers * 8 * 4 // 3  # base64 turns three bytes into four
    if size > MAX_BYTES:
        raise ValueError(
            f"a page of {T} steps, {P} parameters and {stages} stages of training would have {size / 1e6:.0f} MB, "
            f"expected at most {MAX_BYTES / 1e6:.0f}: reduce the text, the hidden size or the epochs"
        )


def _encode(arrays: dict[str, Array]) -> str:
    """All of them, one behind the other, as base64 of little-endian float64: exact, and smaller than decimals."""
    flat = np.concatenate([array.reshape(-1) for array in arrays.values()])
    return base64.b64encode(flat.astype("<f8").tobytes()).decode("ascii")


def _page(data: str) -> str:
    """Put the style, the scripts and the data into the frame."""
    files = resources.files(__name__)
    page = files.joinpath("page.html").read_text("utf-8")
    style = files.joinpath("style.css").read_text("utf-8")
    page = page.replace('<link rel="stylesheet" href="style.css">', f"<style>\n{style}</style>")
    for name in SCRIPTS:
        script = files.joinpath(name).read_text("utf-8")
        page = page.replace(f'<script src="{name}"></script>', f"<script>\n{script}</script>")
    # In a script element nothing but "<" can end it or open another: written as \\u003c it does neither.
    data = data.replace("<", "\\u003c")
    return page.replace(
        '<script type="application/json" id="data"></script>',
        f'<script type="application/json" id="data">{data}</script>',
    )
