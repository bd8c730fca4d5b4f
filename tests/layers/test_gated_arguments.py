"""The arguments of LSTM and GRU: torch's names and order, initial values, and what is refused."""

import numpy as np
import pytest

import numpy_rnn as nr
from tests.optional import torch


@pytest.mark.parametrize("cell", [nr.LSTM, nr.GRU])
def test_the_options_can_be_read_as_in_torch(cell):
    options = {"bias": False, "batch_first": True, "dropout": 0.5, "bidirectional": True}
    layer, mirror = cell(3, 4, 2, **options), getattr(torch.nn, cell.__name__)(3, 4, 2, **options)
    for name in ("input_size", "hidden_size", "num_layers", *options):
        assert getattr(layer, name) == getattr(mirror, name), name
    again = cell(3, 4, 2, *options.values())  # in torch's order
    assert [getattr(again, name) for name in options] == list(options.values())


def test_a_state_of_another_cell_is_refused():
    x, h = np.zeros((5, 2, 3)), np.zeros((1, 2, 4))
    lstm, gru = nr.LSTM(3, 4, rng=0), nr.GRU(3, 4, rng=0)
    for wrong, got in ((h, "ndarray"), ((h,), "tuple of length 1"), ([h, h, h], "list of length 3")):
        with pytest.raises(TypeError, match=rf"^h_0 must be a pair \(h_0, c_0\), got {got}$"):
            lstm.forward(x, wrong)
    with pytest.raises(ValueError, match=r"c_0 has shape \(2, 4\), expected .* = \(1, 2, 4\)"):
        lstm.forward(x, (h, h[0]))
    with pytest.raises(TypeError, match=r"^h_0 must be an array, got a tuple: only an LSTM has a pair of states$"):
        gru.forward(x, (h, h))
    lstm.forward(x, [h, h])
    with pytest.raises(TypeError, match=r"^dh_n must be a pair \(dh_n, dc_n\), got ndarray$"):
        lstm.backward(np.zeros((5, 2, 4)), h)
    with pytest.raises(TypeError, match="LSTM has no option 'proj_size'"):
        nr.LSTM(3, 4, proj_size=2)
    for cell in (nr.LSTM, nr.GRU):
        with pytest.warns(UserWarning, match=r"dropout=0\.5 does nothing with num_layers=1"):
            cell(3, 4, dropout=0.5)


@pytest.mark.parametrize(("cell", "rows"), [(nr.LSTM, 4), (nr.GRU, 3)])
def test_initial_values_fill_torchs_interval(cell, rows):
    for p in cell(50, 100, rng=0).parameters().values():
        assert len(p.data) == rows * 100
        assert 0.09 < np.abs(p.data).max() <= 0.1
        assert abs(p.data.mean()) < 0.02
