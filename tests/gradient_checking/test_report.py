"""What the report prints."""

import numpy as np
import pytest

import numpy_rnn as nr
from tests.gradient_checking.samples import Detached, x_54


def test_a_detached_recurrence_is_told_by_every_tensor():
    rng = np.random.default_rng(0)
    T, B, I, H = 6, 2, 3, 4  # noqa: E741
    report = nr.gradcheck(Detached(I, H, rng=rng), rng.standard_normal((T, B, I)), rng.standard_normal((1, B, H)))
    assert not report.ok
    text = str(report)
    assert "6 of 6 gradients wrong" in text
    for tensor in report.tensors.values():
        assert "the gradient from step t + 1 never reaches step t: missing dh_next" in tensor.diagnosis
        assert tensor.max_relative_error > 1e-3
        assert tensor.analytic.shape == tensor.numeric.shape == tensor.shape
        assert tensor.max_absolute_error == np.abs(tensor.analytic - tensor.numeric).max()
        worst = tensor.analytic[tensor.worst_index] - tensor.numeric[tensor.worst_index]
        assert abs(worst) == tensor.max_absolute_error > 0
    errors = report.tensors["x"].error_by_time_step()
    assert errors.shape == (T,)
    assert errors[-1] < 1e-12 < 1e-3 < errors[:-1].min()
    assert "x, largest relative error by time step:" in text
    assert "  t = 6" in text
    assert report.tensors["weight_ih_l0"].error_by_time_step() is None
    with pytest.raises(AssertionError, match=r"missing\s+dh_next"):
        nr.assert_gradients(Detached(I, H, rng=rng), rng.standard_normal((T, B, I)))
    nr.assert_gradients(nr.RNN(I, H, rng=rng), rng.standard_normal((T, B, I)))


def test_the_same_seed_gives_the_same_report():
    rng = np.random.default_rng(0)
    layer, x = Detached(3, 4, rng=rng), rng.standard_normal((5, 2, 3))
    assert str(nr.gradcheck(layer, x)) == str(nr.gradcheck(layer, x)) != str(nr.gradcheck(layer, x, seed=1))


def test_a_gradient_as_small_as_rounding_is_not_headlined_as_right():
    report = nr.gradcheck((lambda x: (1 + 1e-17 * x, x), lambda d, x: 3e-17 * d), x_54)
    assert "x too small to judge" in str(report).splitlines()[0]
