import doctest

import numpy_rnn as nr


def test_the_example_in_the_package_runs():
    assert doctest.testmod(nr).failed == 0
    assert doctest.testmod(nr).attempted > 5


def test_the_exports_are_there():
    assert all(hasattr(nr, name) for name in nr.__all__)
