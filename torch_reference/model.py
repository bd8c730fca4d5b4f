"""The mirror: `numpy_rnn.CharRNN` written with torch.nn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["CharRNN", "to_torch"]


def to_torch(state_dict: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return a state_dict with tensors, copies, in the place of NumPy arrays, for torch's `load_state_dict`.

    A module's maps names to arrays; an optimizer's nests dictionaries, and has values that stay as they are.
    """
    return {name: _to_torch(value) for name, value in state_dict.items()}


def _to_torch(value: Any) -> Any:
    if isinstance(value, Mapping):
        return to_torch(value)
    return torch.as_tensor(value).clone() if isinstance(value, np.ndarray | Tensor) else value


class CharRNN(nn.Module):
    """logits = fc(rnn(embedding(tokens))), time first; see `numpy_rnn.CharRNN`.

    Parameters
    ----------
    vocab_size, embedding_dim, hidden_size, num_layers : int
    dropout : float
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
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim, dtype=dtype)
        self.rnn = nn.RNN(embedding_dim, hidden_size, num_layers, dropout=dropout, dtype=dtype)
        self.fc = nn.Linear(hidden_size, vocab_size, dtype=dtype)

    def forward(self, tokens: Tensor, h_0: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return logits (T, B, V) and h_n (L, B, H) for tokens (T, B)."""
        output, h_n = self.rnn(self.embedding(tokens), h_0)
        return self.fc(output), h_n

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As in torch, and from NumPy arrays too: `mirror.load_state_dict(model.state_dict())`."""
        return super().load_state_dict(to_torch(state_dict), strict, assign)
