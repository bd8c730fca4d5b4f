"""The layers, one concept per file: equation, forward and backward side by side.

Dimensions, in the whole package: T time, B batch, E embedding_dim, I input_size, H hidden_size, V vocab_size,
N = T * B. Sequences are time-major, (T, B, ...), as in torch by default. `dx` is the gradient of the loss with
respect to `x`, and `dz` the gradient with respect to the pre-activation. docs/backprop.md derives the equations with
labels such as (R3).

=========================  ======  ==================================================================
line of the textbook               line of the fast code
=========================  ======  ==================================================================
x = C[tokens]              E1      embedding.gather
z = x W_ih + b_ih + ...    R1      recurrence.Recurrence.project, all time steps at once
    ... + h W_hh + b_hh    R1      recurrence.Recurrence.recur, step by step
h = tanh(z)                R2      recurrence.Recurrence.recur
logits = h W + b           L1      linear.affine, all time steps at once
log_p, loss                C1-C3   cross_entropy.CrossEntropyLoss.forward_rows
dlogits                    C4      cross_entropy.CrossEntropyLoss.backward_rows
dh = dlogits W, dW, db     L2-L4   linear.affine_backward, all time steps at once
dh += dh_next, dz          R3 R4   recurrence.Recurrence.backward_recur, step by step
dW_hh                      R5      recurrence.Recurrence.backward_recur, after the loop
dW_ih, db, dx              R5 R6   recurrence.Recurrence.backward_project, all time steps at once
dC[tokens] += dx           E2      embedding.Scatter.add
=========================  ======  ==================================================================

CharRNN takes the embedding and `project` in the cheaper order: see `projected_embedding`.
"""

from numpy_rnn.layers.cross_entropy import CrossEntropyLoss
from numpy_rnn.layers.embedding import Embedding
from numpy_rnn.layers.linear import Linear
from numpy_rnn.layers.log_softmax import LogSoftmax
from numpy_rnn.layers.nll_loss import NLLLoss
from numpy_rnn.layers.rnn import RNN

__all__ = ["RNN", "CrossEntropyLoss", "Embedding", "Linear", "LogSoftmax", "NLLLoss"]
