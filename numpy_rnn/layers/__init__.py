"""The layers, one concept per file: equation, forward and backward side by side.

Dimensions, in the whole package: T time, B batch, E embedding_dim, I input_size, H hidden_size, V vocab_size,
N = T * B. Sequences are time-major, (T, B, ...), as in torch by default. `dx` is the gradient of the loss with
respect to `x`, and `dz` the gradient with respect to the pre-activation. docs/backprop.md derives the equations with
labels such as (R3); README.md beside this file leads from the lines of the textbook to those of the layers.
"""

from numpy_rnn.layers.cross_entropy import CrossEntropyLoss
from numpy_rnn.layers.embedding import Embedding
from numpy_rnn.layers.gru import GRU
from numpy_rnn.layers.linear import Linear
from numpy_rnn.layers.log_softmax import LogSoftmax
from numpy_rnn.layers.lstm import LSTM
from numpy_rnn.layers.nll_loss import NLLLoss
from numpy_rnn.layers.recurrent import Recurrent
from numpy_rnn.layers.rnn import RNN

__all__ = ["CELLS", "GRU", "LSTM", "RNN", "CrossEntropyLoss", "Embedding", "Linear", "LogSoftmax", "NLLLoss"]

CELLS: dict[str, type[Recurrent]] = {"rnn": RNN, "lstm": LSTM, "gru": GRU}  # by the name that `CharRNN` calls them
