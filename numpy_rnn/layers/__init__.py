"""The layers, one concept a file: equation, forward and backward side by side.

Dimensions, throughout the package: T time, B batch, E embedding_dim, I input_size, H hidden_size,
V vocab_size, N = T * B. Sequences are time-major, (T, B, ...), as in torch by default. In the code, `dx` is the
gradient of the loss with respect to `x`, and `dz` that with respect to the pre-activation. An equation with a label,
such as (R3), is derived in docs/backprop.md.
"""

from numpy_rnn.layers.cross_entropy import CrossEntropyLoss
from numpy_rnn.layers.embedding import Embedding
from numpy_rnn.layers.linear import Linear
from numpy_rnn.layers.log_softmax import LogSoftmax
from numpy_rnn.layers.nll_loss import NLLLoss
from numpy_rnn.layers.rnn import RNN

__all__ = ["RNN", "CrossEntropyLoss", "Embedding", "Linear", "LogSoftmax", "NLLLoss"]
