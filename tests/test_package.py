import doctest

import pytest

import numpy_rnn as nr


def test_the_example_in_the_package_runs():
    assert doctest.testmod(nr).failed == 0
    assert doctest.testmod(nr).attempted > 5


def test_the_exports_are_there():
    assert all(hasattr(nr, name) for name in nr.__all__)


@pytest.mark.parametrize("layer", [nr.RNN, nr.LSTM, nr.GRU])
def test_a_warning_points_at_the_callers_line(layer):
    # Not in tests/layers: under mutmut, every call of a mutated function has one more frame.
    with pytest.warns(UserWarning, match="dropout") as caught:
        layer(3, 4, dropout=0.5)
    assert caught[0].filename == __file__
