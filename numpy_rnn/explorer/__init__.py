"""The explorer: one self-contained web page that trains the textbook's model and shows every number.

`page.html` is the frame. `textbook.js` is `numpy_rnn.textbook` in JavaScript, which computes everything on the page.
Python puts only the initial weights and the source of the textbook into it.
"""

from __future__ import annotations

import base64
import inspect

import numpy as np

from numpy_rnn import textbook
from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.checks import Array
from numpy_rnn.display.page import fill
from numpy_rnn.text.vocabulary import Vocabulary
from numpy_rnn.text.windows import inputs_and_targets

__all__ = ["explain"]

MAX_LENGTH = 60  # of a text, in characters: the page has a column for each
MAX_PARAMETERS = 1_000_000
STORY = "a--------a"  # the model must count the dashes


def explain(
    model: CharRNN, vocabulary: Vocabulary, text: str, *, lr: float = 0.01, epochs: int = 100, seed: int | None = None
) -> str:
    """Return the page, as HTML that needs no network and no other file.

    Parameters
    ----------
    model : CharRNN
        A real model with one layer. Its parameters are the initial weights on the page.
    vocabulary : Vocabulary
        The one the model was made for.
    text : str
        2 to 60 characters.
    lr : float, default 0.01
        Adam's step size.
    epochs : int, default 100
        Training on the page stops here. The reader can go on.
    seed : int, optional
        The random seed of an untrained model. The page draws other weights when the reader changes it. Default: the
        model is a trained one, and the page keeps its weights for every text.
    """
    if not isinstance(model, CharRNN):
        raise TypeError(f"model must be a CharRNN, got {type(model).__name__}")
    model.check_own("explain")
    if model.cell != "rnn":
        raise ValueError(f"model has cell={model.cell!r}, expected 'rnn': the page shows a tanh RNN's equations")
    if model.tie_weights:
        raise ValueError("model has tie_weights=True, expected False: the page trains two separate weights")
    if model.rnn.num_layers > 1:
        raise ValueError(f"model has num_layers={model.rnn.num_layers}, expected 1: the page can show only one")
    if model.vocab_size != len(vocabulary):
        raise ValueError(f"model has vocab_size={model.vocab_size}, expected the vocabulary's {len(vocabulary)}")
    if len(text) > MAX_LENGTH:
        raise ValueError(f"text has length {len(text)}, expected at most {MAX_LENGTH} on the page")
    inputs_and_targets(vocabulary, text)  # reports an unknown character, and a text that is too short
    weights = {name: p.data.astype(np.float64) for name, p in model.parameters().items()}
    story = Vocabulary.from_text(STORY)
    random = textbook.init(len(story), 32, 32, np.random.default_rng(0))
    functions = textbook.forward, textbook.cross_entropy, textbook.backward, textbook.adam
    data = {
        "lr": lr,
        "epochs": epochs,
        "models": [_model(weights, vocabulary, text, seed), _model(random, story, STORY, 0)],
        "source": "\n".join(inspect.getsource(function) for function in functions).splitlines(),
    }
    return fill(__name__, data)


def _model(weights: dict[str, Array], vocabulary: Vocabulary, text: str, seed: int | None) -> dict[str, object]:
    C, W_ih, *_ = weights.values()
    numbers = np.concatenate([array.reshape(-1) for array in weights.values()])
    if numbers.size > MAX_PARAMETERS:
        raise ValueError(f"model has {numbers.size} parameters, expected at most {MAX_PARAMETERS} on a page")
    if not np.isfinite(numbers).all():
        raise ValueError("the model's parameters are not finite: there is nothing to show")
    return {
        "text": text,
        "characters": vocabulary.characters,
        "sizes": {"V": len(C), "E": C.shape[1], "H": len(W_ih)},
        "seed": seed,
        "weights": base64.b64encode(numbers.astype("<f8").tobytes()).decode("ascii"),
    }
