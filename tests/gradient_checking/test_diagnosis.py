"""The likely cause of a wrong gradient."""

import numpy as np
import pytest

import numpy_rnn as nr
from tests.gradient_checking.samples import (
    RNG,
    affine_backward,
    affine_forward,
    elementwise,
    product,
    product_back,
    w_43,
    x_54,
)


def test_a_gradient_of_another_shape_or_none_is_named():
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((4, 3)), rng.standard_normal((3, 5)), rng.standard_normal(5)

    def check(change):
        report = nr.gradcheck(
            (affine_forward, lambda dout, cache: change(dout, *affine_backward(dout, cache))), inputs
        )
        assert not report.ok
        return str(report)

    assert "NO GRADIENT" not in check(lambda d, dx, dw, db: (dx, dw, d))
    assert "WRONG SHAPE (4, 5)" in check(lambda d, dx, dw, db: (dx, dw, d))
    assert "not summed over axis 0" in check(lambda d, dx, dw, db: (dx, dw, d))
    assert "it is transposed" in check(lambda d, dx, dw, db: (dx, dw.T, db))
    assert "summed over axis 0, which it should keep" in check(lambda d, dx, dw, db: (dx, dw.sum(0), db))
    assert "to be reshaped" in check(lambda d, dx, dw, db: (dx, dw, db[None]))
    params = {"w": inputs[1]}
    lacking = nr.gradcheck(
        (lambda p, x: (x @ p["w"], (p, x)), lambda c, dy: {"x": dy @ c[0]["w"].T}), inputs[0], params
    )
    assert lacking.tensors["w"].verdict == "SHAPE"
    assert "NO GRADIENT" in str(lacking)


def test_what_is_only_nearly_a_known_mistake_is_not_named():
    x = np.random.default_rng(0).standard_normal((3, 4))
    nearly = 2 * (1 + 1e-3 * np.random.default_rng(1).standard_normal(x.shape))
    report = nr.gradcheck(elementwise(np.tanh, lambda x: nearly * (1 - np.tanh(x) ** 2)), x)
    assert report.tensors["x"].diagnosis == "no known mistake gives these numbers"


def test_a_factor_that_happens_to_be_a_length_may_be_a_constant():
    report = nr.gradcheck((lambda x: (x**2, x), lambda d, x: d * x), RNG.standard_normal((2, 5)))
    assert "or a constant factor of 1/2" in report.tensors["x"].diagnosis


def test_the_only_right_index_is_not_named_by_chance():
    def check(wrong):
        return nr.gradcheck(elementwise(np.tanh, lambda x: (1 - np.tanh(x) ** 2) + wrong * x**3), x_54)

    scattered = np.eye(5, 4)
    assert "only, wrong at all others" not in check(scattered * (np.arange(4) < 3)).tensors["x"].diagnosis
    assert "right at the last index of axis 1 only" in check(np.arange(4) < 3).tensors["x"].diagnosis


def test_a_batch_is_no_time():
    def center(x):
        return x - x.mean(axis=0), None

    report = nr.gradcheck((center, lambda d, _: d), x_54)
    assert "time step" not in str(report)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("full", [True, False])
def test_a_gradient_that_is_not_finite_is_that_and_nothing_else(value, full):
    def backward(d, cache):
        dx, dw = product_back(d, cache)
        dx[1, 2] = value
        return dx, dw

    report = nr.gradcheck((product, backward), (x_54, w_43), full=full)
    assert not report.ok
    assert report.faults == []
    assert f"backward gives {value} at [1, 2]" in str(report)
    with pytest.raises(ValueError, match=rf"x is {value} at \[0, 1\]: gradients are checked at finite points"):
        nr.gradcheck((product, product_back), (np.where(np.arange(4) == 1, value, x_54), w_43))
