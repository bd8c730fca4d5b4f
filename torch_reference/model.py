"""`numpy_rnn.CharRNN` written with torch.nn, and how weights get from one to the other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import numpy_rnn as nr
from numpy_rnn.storage.model_file import load_model

__all__ = ["CharRNN", "detach", "load_run", "make_mirror", "to_torch"]


class CharRNN(nn.Module):
    """logits = fc(rnn(embedding(tokens))), time first; see `numpy_rnn.CharRNN`.

    Parameters
    ----------
    vocab_size, embedding_dim, hidden_size, num_layers : int
    dropout : float
    cell : {"rnn", "lstm", "gru"}, default "rnn"
    tie_weights : bool, default False
    dtype : torch.dtype, default torch.float32
    """

    def __init__(
        self,
        vocab_size: int,
        embedding_dim: int = 32,
        hidden_size: int = 32,
        num_layers: int = 1,
        dropout: float = 0.0,
        *,
        cell: str = "rnn",
        tie_weights: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim, dtype=dtype)
        kind = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell]
        self.rnn = kind(embedding_dim, hidden_size, num_layers, dropout=dropout, dtype=dtype)
        self.fc = nn.Linear(hidden_size, vocab_size, dtype=dtype)
        if tie_weights:
            self.fc.weight = self.embedding.weight

    def forward(self, tokens: Tensor, h_0: Any = None) -> tuple[Tensor, Any]:
        """Return logits (T, B, V) and h_n (L, B, H) for tokens (T, B); for an LSTM, h_0 and h_n are pairs (h, c)."""
        output, h_n = self.rnn(self.embedding(tokens), h_0)
        return self.fc(output), h_n

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Like torch's, but NumPy arrays are accepted too: `mirror.load_state_dict(model.state_dict())`."""
        return super().load_state_dict(to_torch(state_dict), strict, assign)


def detach(state: Any) -> Any:
    """Return a state, a tensor or the LSTM's pair of them, without its graph."""
    return tuple(map(detach, state)) if isinstance(state, tuple) else state.detach()


def to_torch(state_dict: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return a copy of a state_dict with tensors instead of NumPy arrays, for torch's `load_state_dict`.

    Works for modules and for optimizers, whose state_dicts are nested and contain other values too.
    """

    def convert(value: Any) -> Any:
        if isinstance(value, Mapping):
            return to_torch(value)
        return torch.as_tensor(value).clone() if isinstance(value, np.ndarray | Tensor) else value

    return {name: convert(value) for name, value in state_dict.items()}


def make_mirror(model: nr.CharRNN) -> CharRNN:
    """Return the same model in PyTorch, with copies of the weights of `model`, in the same mode."""
    sizes = model.vocab_size, model.embedding_dim, model.hidden_size, model.rnn.num_layers
    dtype = torch.from_numpy(np.empty(0, model.dtype)).dtype
    mirror = CharRNN(*sizes, model.rnn.dropout, cell=model.cell, tie_weights=model.tie_weights, dtype=dtype)
    mirror.load_state_dict(model.state_dict())
    return mirror.train(model.training)


def load_run(path: str | os.PathLike[str]) -> tuple[CharRNN, nr.Vocabulary]:
    """Return the best model of a RUN directory, or the model of a checkpoint file, in PyTorch, with its vocabulary.

    The model is in evaluation mode.

    Raises
    ------
    CheckpointError
        There is no model, or the file is damaged.
    """
    model, vocabulary, _ = load_model(path)
    return make_mirror(model.eval()), vocabulary
