"""What every layer has from `Layer`: the two modes, and copies."""

import copy

import numpy as np

import numpy_rnn as nr


def test_the_mode_is_true_or_false_and_the_layer_is_returned():
    layer = nr.Linear(3, 2, rng=0)
    assert layer.training is True
    assert layer.eval() is layer
    assert layer.training is False
    assert layer.train() is layer
    assert layer.training is True


def test_a_copy_starts_without_tapes():
    layer = nr.Linear(3, 2, rng=0)
    layer.forward(np.zeros((4, 3)))
    twin = copy.deepcopy(layer)
    assert twin.tape is None
    assert layer.tape is not None
