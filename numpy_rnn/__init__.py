"""A character-level recurrent language model in NumPy alone, every backward pass by hand.

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

`numpy_rnn.textbook` is the page to read first; `numpy_rnn.layers` has one layer a file.
"""

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.explorer import explain
from numpy_rnn.generation import generate
from numpy_rnn.layers import RNN, CrossEntropyLoss, Embedding, Linear
from numpy_rnn.optim import Adam, clip_grad_norm_
from numpy_rnn.parameters import Parameter, Parameters
from numpy_rnn.text import Vocabulary
from numpy_rnn.trace import Trace, trace

__version__ = "0.1.0"

__all__ = [
    "RNN",
    "Adam",
    "CharRNN",
    "CrossEntropyLoss",
    "Embedding",
    "Linear",
    "Parameter",
    "Parameters",
    "Trace",
    "Vocabulary",
    "clip_grad_norm_",
    "explain",
    "generate",
    "trace",
]
