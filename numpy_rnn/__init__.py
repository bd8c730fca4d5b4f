"""A character-level recurrent language model in pure NumPy, with every backward pass written by hand.

>>> import numpy_rnn as nr
>>> text = "Hello, how are you?"
>>> vocabulary = nr.Vocabulary.from_text(text)
>>> tokens = vocabulary.encode(text).reshape(-1, 1)  # (T, B) = (19, 1): time first
>>> model = nr.CharRNN(len(vocabulary), rng=0)
>>> optimizer = nr.Adam(model.parameters(), lr=0.01)
>>> for _ in range(100):
...     loss, h_n = model.loss_and_gradients(tokens[:-1], tokens[1:])
...     optimizer.step()
>>> nr.generate(model, vocabulary, prompt="H", length=len(text))
'Hello, how are you?'

Read `numpy_rnn.textbook` first; `numpy_rnn.layers` has one file per layer.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from numpy_rnn.version import __version__ as __version__

if TYPE_CHECKING:
    from numpy_rnn.blas import threads
    from numpy_rnn.char_rnn import CharRNN
    from numpy_rnn.display.terminal import shade
    from numpy_rnn.explorer import explain
    from numpy_rnn.generation.generate import generate, generate_batch, stream
    from numpy_rnn.gradient_checking import GradcheckReport, assert_gradients, gradcheck
    from numpy_rnn.layers import GRU, LSTM, RNN, CrossEntropyLoss, Embedding, Linear, LogSoftmax, NLLLoss
    from numpy_rnn.optim import schedules
    from numpy_rnn.optim.adam import Adam
    from numpy_rnn.optim.clipping import clip_grad_norm_, clip_grad_value_
    from numpy_rnn.parameters import Parameter, Parameters
    from numpy_rnn.storage.model_file import load_model, save_model
    from numpy_rnn.text.vocabulary import Vocabulary
    from numpy_rnn.tracing.trace import Trace, trace
    from numpy_rnn.training.loop import train
    from numpy_rnn.training.metrics import Metrics, read_metrics
    from numpy_rnn.training.progress import Progress

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Adam",
    "CharRNN",
    "CrossEntropyLoss",
    "Embedding",
    "GradcheckReport",
    "Linear",
    "LogSoftmax",
    "Metrics",
    "NLLLoss",
    "Parameter",
    "Parameters",
    "Progress",
    "Trace",
    "Vocabulary",
    "assert_gradients",
    "clip_grad_norm_",
    "clip_grad_value_",
    "explain",
    "generate",
    "generate_batch",
    "gradcheck",
    "load_model",
    "read_metrics",
    "save_model",
    "schedules",
    "shade",
    "stream",
    "threads",
    "trace",
    "train",
]

_LATER = {
    "GRU": "layers",
    "LSTM": "layers",
    "RNN": "layers",
    "Adam": "optim.adam",
    "CharRNN": "char_rnn",
    "CrossEntropyLoss": "layers",
    "Embedding": "layers",
    "GradcheckReport": "gradient_checking",
    "Linear": "layers",
    "LogSoftmax": "layers",
    "Metrics": "training.metrics",
    "NLLLoss": "layers",
    "Parameter": "parameters",
    "Parameters": "parameters",
    "Progress": "training.progress",
    "Trace": "tracing.trace",
    "Vocabulary": "text.vocabulary",
    "assert_gradients": "gradient_checking",
    "clip_grad_norm_": "optim.clipping",
    "clip_grad_value_": "optim.clipping",
    "explain": "explorer",
    "generate": "generation.generate",
    "generate_batch": "generation.generate",
    "gradcheck": "gradient_checking",
    "load_model": "storage.model_file",
    "read_metrics": "training.metrics",
    "save_model": "storage.model_file",
    "schedules": "optim",
    "shade": "display.terminal",
    "stream": "generation.generate",
    "threads": "blas",
    "trace": "tracing.trace",
    "train": "training.loop",
}


def __getattr__(name: str) -> Any:
    """Import names and modules on first use, so that the command line can set the thread variables before NumPy."""
    try:
        if name in _LATER:
            globals()[name] = getattr(import_module(f"numpy_rnn.{_LATER[name]}"), name)
            return globals()[name]
        return import_module(f"numpy_rnn.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"numpy_rnn.{name}":
            raise
    from numpy_rnn.display.instead import no_attribute

    raise no_attribute("module 'numpy_rnn'", name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
