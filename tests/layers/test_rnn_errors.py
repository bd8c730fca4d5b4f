"""What RNN refuses, and what its errors suggest."""

import numpy as np
import pytest

import numpy_rnn as nr
from tests.optional import torch_reference


def test_slips_are_explained():
    x, h_0 = np.zeros((5, 2, 3)), np.zeros((1, 2, 4))  # (T, B, I)
    layer, batch_first = nr.RNN(3, 4, rng=0), nr.RNN(3, 4, batch_first=True, rng=0)
    looks = "a sequence looks batch-first: transpose it, or make the RNN with batch_first=True"
    with pytest.raises(ValueError, match=rf"h_0 has shape \(1, 2, 4\), expected .* = \(1, 5, 4\); {looks}"):
        layer.forward(x.swapaxes(0, 1), h_0)
    with pytest.raises(ValueError, match=rf"lengths has shape \(2,\), expected \(B,\) = \(5,\); {looks}"):
        layer.forward(x.swapaxes(0, 1), lengths=[5, 3])
    with pytest.raises(ValueError, match="a sequence looks time-first: transpose it, or leave out batch_first=True"):
        batch_first.forward(x, h_0)
    with pytest.raises(ValueError, match="h_0 is never batch-first: transpose it"):
        batch_first.forward(x.swapaxes(0, 1), h_0.swapaxes(0, 1))
    with pytest.raises(ValueError, match=r"x has shape \(5, 3, 2\), .* input_size = 3; axis 1 looks like input_size"):
        layer.forward(x.swapaxes(1, 2))
    with pytest.raises(ValueError, match=r"h_0 has shape \(1, 1, 4\), expected for a single sequence .* = \(1, 4\)"):
        layer.forward(np.zeros((5, 3)), np.zeros((1, 1, 4)))


def test_bad_options_are_named():
    with pytest.raises(ValueError, match="nonlinearity must be 'tanh' or 'relu', got 'gelu'"):
        nr.RNN(3, 4, nonlinearity="gelu")
    with pytest.raises(TypeError, match="dropout must be a number, got True"):
        nr.RNN(3, 4, 2, dropout=True)
    with pytest.warns(UserWarning, match="dropout=0.5 does nothing with num_layers=1"):
        nr.RNN(3, 4, dropout=0.5)
    layer, x = nr.RNN(3, 4, 2, rng=0), np.zeros((5, 2, 3))
    for lengths, wrong in (([6, 1], 6), ([5, 0], 0), ([-1, 5], -1)):
        with pytest.raises(ValueError, match=rf"lengths must be in \[1, T\] = \[1, 5\], got {wrong}"):
            layer.forward(x, lengths=lengths)
    with pytest.raises(TypeError, match="lengths must be integers, got dtype float64"):
        layer.forward(x, lengths=[5.0, 3.0])
    with pytest.raises(ValueError, match="lengths must be None for a single sequence"):
        layer.forward(x[:, 0], lengths=[5])
    with pytest.raises(
        TypeError, match="masks must be a list of arrays, one for each layer but the last, got ndarray"
    ):
        layer.forward(x, masks=np.ones((5, 2, 4)))
    with pytest.raises(TypeError, match=r"x must be an array, got a PackedSequence: torch_reference\.from_packed"):
        layer.forward(torch_reference.to_packed(x, [5, 3]))
    with pytest.raises(TypeError, match="x is a masked array: fill it first"):
        layer.forward(np.ma.masked_array(x, x == 0))
    with pytest.raises(ValueError, match="T must be at least 1, got 0"):
        layer.new_tape(0, 2)
    with pytest.raises(ValueError, match="B must be at least 0, got -1"):
        layer.new_tape(5, -1)
    with pytest.raises(TypeError, match="mode must be True or False, got 'no'"):
        layer.train("no")
    with pytest.raises(ValueError, match="masks has length 2, expected num_layers - 1 = 1"):
        layer.forward(x, masks=[np.ones((5, 2, 4))] * 2)


def test_a_refused_forward_leaves_the_tape_as_it_was():
    layer = nr.RNN(3, 4, 2, bidirectional=True, dtype=np.float64, rng=0)
    rng = np.random.default_rng(0)
    x, doutput = rng.standard_normal((5, 2, 3)), rng.standard_normal((5, 2, 8))
    tape = layer.new_tape(5, 2)
    layer.forward(x, None, tape, lengths=[2, 4])
    expected = [array.copy() for array in layer.backward(doutput, None, tape)]
    for wrong in ({"h_0": np.zeros((1, 2, 4))}, {"masks": []}, {"lengths": [6, 1]}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}"):
            layer.forward(x, tape=tape, **wrong)
        for ours, theirs in zip(layer.backward(doutput, None, tape), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
