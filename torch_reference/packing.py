"""Convert padded arrays with lengths, as numpy_rnn takes them, to torch's PackedSequence and back."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from numpy_rnn.checks import Array, to_numpy

__all__ = ["from_packed", "to_packed"]


def to_packed(x: ArrayLike, lengths: ArrayLike, batch_first: bool = False) -> PackedSequence:
    """Pack x and lengths, the arguments of `numpy_rnn.RNN.forward`, for `torch.nn.RNN`.

    Parameters
    ----------
    x : array, shape (T, B, I); with batch_first (B, T, I)
        Gradients flow back into a torch tensor.
    lengths : array of int, shape (B,)
        In [1, T], in any order.
    batch_first : bool, default False

    Returns
    -------
    PackedSequence
    """
    tensor = x if isinstance(x, Tensor) else torch.tensor(to_numpy("x", x))
    lengths = torch.tensor(to_numpy("lengths", lengths).astype(np.int64))
    return pack_padded_sequence(tensor, lengths, batch_first, enforce_sorted=False)


def from_packed(packed: PackedSequence, batch_first: bool = False, T: int | None = None) -> tuple[Array, Array]:
    """Unpack a PackedSequence into x and lengths, the arguments of `numpy_rnn.RNN.forward`.

    Parameters
    ----------
    packed : PackedSequence
    batch_first : bool, default False
        Return (B, T, I) instead of (T, B, I).
    T : int, optional
        Length to pad to. None: that of the longest sequence.

    Returns
    -------
    x : ndarray, shape (T, B, I)
        Zero after the end of a sequence.
    lengths : ndarray of int, shape (B,)
        In the order in which the sequences were packed.
    """
    x, lengths = pad_packed_sequence(packed, batch_first, total_length=T)
    return x.detach().numpy(), lengths.numpy()
