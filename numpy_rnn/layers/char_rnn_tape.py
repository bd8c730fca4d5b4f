"""The tape of `CharRNN`."""

from __future__ import annotations

from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.layers.layer import Tape

__all__ = ["CharRNNTape"]


class CharRNNTape(Tape):
    """The tapes of the parts, and the arrays that connect them.

    Three arrays are used twice, the second time after their first content has been read for the last time:

    ===============  =======================  =======================================
    array            after forward            after backward
    ===============  =======================  =======================================
    rnn z            z                        dz
    criterion.e      exp(logits - max)        dlogits
    doutput          (unused)                 doutput, then scratch of the scatter
    ===============  =======================  =======================================

    (An LSTM's or GRU's dz has more columns than doutput, so the scatter has scratch of its own.)
    """

    def __init__(self, model: Any, T: int, B: int) -> None:
        super().__init__(model, (T, B))
        N, V, H = T * B, model.vocab_size, model.hidden_size
        self.embedding = model.projected_embedding.new_tape(N)
        self.rnn = model.rnn.new_tape(T, B)
        self.bottom, self.top = self.rnn.recurrences[0], self.rnn.recurrences[-1]
        self.logits, self.doutput = np.empty((N, V), model.dtype), np.empty((N, H), model.dtype)
        self.scratch = self.doutput if self.bottom.z_rows.shape == (N, H) else np.empty_like(self.bottom.z_rows)
        self.rnn.set_doutput(self.doutput.reshape(T, B, H))
        self.criterion = model.criterion.new_tape(N, V, model.dtype)
        # (L3), if W has the gradient of the embedding too.
        self.dW: Array | None = np.empty_like(model.fc.weight.data) if model.tie_weights else None
        self.rnn.layer = self.criterion.layer = model  # so that they refuse other calls: their arrays are shared
