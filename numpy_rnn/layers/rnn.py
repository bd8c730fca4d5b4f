"""RNN: tanh or relu recurrences, in layers and directions.

The equations of one recurrence are in `recurrence.py`; `recurrent.py` stacks layers and directions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from numpy_rnn.layers.recurrence import ElmanRecurrence
from numpy_rnn.layers.recurrent import Recurrent

__all__ = ["RNN"]


class RNN(Recurrent):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh) over a sequence, in `num_layers` layers.

    Parameters
    ----------
    input_size : int
        I, the length of x_t.
    hidden_size : int
        H, the length of h_t.
    num_layers : int, default 1
        L; each layer reads the output of the one below.
    nonlinearity : {"tanh", "relu"}
        relu'(0) = 0, as in torch.
    bias : bool, default True
        False: no b_ih and b_hh.
    batch_first : bool, default False
        x and output are (B, T, ...) instead of (T, B, ...). h_0 and h_n stay as they are.
    dropout : float, default 0
        p, the probability with which a value in the output of any layer but the last is set to zero in training mode
        (see `train` and `eval`). h_n is not affected.
    bidirectional : bool, default False
        D = 2 directions in each layer instead of 1: the second reads the sequence backwards.
    dtype : dtype, default float32
        float32, float64, or complex128 for the complex step.
    rng : numpy.random.Generator or seed, optional
        Draws `weight_ih_l{k}` (H, I; above the first layer H, D * H), `weight_hh_l{k}` (H, H), `bias_ih_l{k}` (H,)
        and `bias_hh_l{k}` (H,) of each layer k, and the same names with `_reverse` for its second direction, from
        U(-a, a), a = 1/sqrt(H); later the dropout masks. None: a fresh generator.

    References
    ----------
    J. L. Elman, "Finding structure in time", Cognitive Science 14 (1990).
    M. Schuster and K. K. Paliwal, "Bidirectional recurrent neural networks", IEEE Trans. Signal Proc. 45 (1997).
    W. Zaremba, I. Sutskever and O. Vinyals, "Recurrent neural network regularization", arXiv:1409.2329 (2014).
    https://docs.pytorch.org/docs/stable/generated/torch.nn.RNN.html
    """

    cell = ElmanRecurrence

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        if not isinstance(nonlinearity, str) or nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
        self.nonlinearity, self.cell_options = nonlinearity, (nonlinearity,)
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype=dtype, rng=rng
        )
