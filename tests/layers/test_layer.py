"""What every layer has from `Layer`: the two modes, and copies."""

import copy

import numpy as np
import pytest

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


def layers():
    fc, rnn, embedding = nr.Linear(4, 3, rng=0), nr.LSTM(4, 3, rng=0), nr.Embedding(3, 4, rng=0)
    return [(fc, "weight"), (fc, "bias"), (rnn, "weight_hh_l0"), (embedding, "weight")]


@pytest.mark.parametrize("value", [nr.Linear(4, 3).weight, np.zeros((3, 4)), None, 1.0], ids=type)
@pytest.mark.parametrize("number", range(4))
def test_a_parameter_cannot_be_replaced(number, value):
    layer, name = layers()[number]
    before, parameter = layer.state_dict(), getattr(layer, name)
    words = (
        rf"{name} cannot be replaced: write {name}\.data\[\.\.\.\] = values .* nr\.CharRNN\(\.\.\., tie_weights=True"
    )
    with pytest.raises(AttributeError, match=words):
        setattr(layer, name, value)
    with pytest.raises(AttributeError, match=words):
        delattr(layer, name)
    assert getattr(layer, name) is parameter
    for key, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, before[key])


def test_what_is_fixed_when_a_layer_is_made_cannot_be_replaced():
    model, fc, rnn = nr.CharRNN(5), nr.Linear(3, 2, bias=False), nr.RNN(3, 2)
    for thing, name in ((model, "fc"), (model, "rnn"), (model, "embedding"), (fc, "bias"), (rnn, "bias")):
        with pytest.raises(AttributeError, match=f"{name} cannot be replaced: make a new {type(thing).__name__}"):
            setattr(thing, name, nr.Linear(3, 2).bias if name == "bias" else nr.Linear(32, 5))


def test_other_attributes_can_be_set():
    class Named(nr.Linear):
        pass

    layer = Named(3, 2, rng=0)
    layer.name, layer.mask = "first", np.ones(3)
    layer.weight.data *= 2
    layer.weight = layer.weight  # as `layer.weight += 0` would, if it were a number
    del layer.name
    assert not hasattr(layer, "name")
    layer.__init__(3, 4)
    assert layer.forward(np.ones((1, 3))).shape == (1, 4)
