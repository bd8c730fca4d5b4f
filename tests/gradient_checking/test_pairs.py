"""Pairs of functions: how they are called, and what is reported when a gradient is missing."""

import numpy as np
import pytest

import numpy_rnn as nr
from tests.gradient_checking.samples import (
    affine_backward,
    affine_forward,
    assert_right,
    conduct,
    product,
    product_back,
    w_43,
    x_54,
)


def test_a_pair_in_the_manner_of_cs231n():
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((4, 2, 3)), rng.standard_normal((6, 5)), rng.standard_normal(5)
    report = assert_right((affine_forward, affine_backward), inputs)
    assert list(report.tensors) == ["x", "w", "b"]
    by_name = dict(zip("bwx", inputs[::-1], strict=True))  # in any order
    assert list(assert_right((affine_forward, affine_backward), by_name).tensors) == ["x", "w", "b"]
    wrong = nr.gradcheck(
        (affine_forward, lambda dout, cache: (*affine_backward(dout, cache)[:2], dout.mean(axis=0))), inputs
    )
    assert [name for name, tensor in wrong.tensors.items() if not tensor.ok] == ["b"]
    assert "1/4 of what it should be" in wrong.tensors["b"].diagnosis


def test_a_configuration_among_the_inputs_is_left_alone():
    def forward(x, w, param):
        return param["scale"] * x * w, (x, w, param)

    def backward(dout, cache):
        x, w, param = cache
        return param["scale"] * dout * w, param["scale"] * dout * x

    x, w = np.random.default_rng(0).standard_normal((2, 3, 4))
    for param in ({"scale": 2, "mode": "train"}, {"scale": 2, "running_mean": np.zeros(4)}):
        report = nr.gradcheck((forward, backward), (x, w, param))
        assert report.ok, str(report)
        assert list(report.tensors)[:2] == ["x", "w"]


@pytest.mark.parametrize("form", ["names", "d names", "nested"])
def test_params_come_first_and_the_cache_too(form):
    def forward(params, x, shift):
        y = np.tanh(x @ params["W"] + params["b"] + shift)
        return y, (params, x, y)

    def backward(cache, dy):
        params, x, y = cache
        dz = dy * (1 - y * y)
        dW, db, dx, dshift = x.T @ dz, dz.sum(0), dz @ params["W"].T, dz.sum(0)
        if form == "nested":
            return {"W": dW, "b": db}, dx, dshift
        names = ["W", "b", "x", "shift"] if form == "names" else ["dW", "db", "dx", "dshift"]
        return dict(zip(names, (dW, db, dx, dshift), strict=True))

    rng = np.random.default_rng(0)
    params = {"W": rng.standard_normal((3, 4)), "b": rng.standard_normal(4)}
    report = assert_right((forward, backward), (rng.standard_normal((5, 3)), rng.standard_normal(4)), params)
    assert set(report.tensors) == {"x", "shift", "W", "b"}


def test_a_dictionary_in_the_middle_has_a_dictionary_of_gradients():
    def forward(x, params, scale):
        return scale * (x @ params["W"]), (x, params, scale)

    def backward(dout, cache):
        x, params, scale = cache
        return scale * dout @ params["W"].T, {"W": scale * x.T @ dout}, np.sum(dout * (x @ params["W"]))

    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((2, 3)), {"W": rng.standard_normal((3, 4))}, np.array(1.7)
    assert list(assert_right((forward, backward), inputs).tensors) == ["x", "params['W']", "scale"]


@pytest.mark.parametrize("nested", [False, True])
def test_several_outputs_have_an_upstream_gradient_each(nested):
    def forward(h, c):
        y, s = h * c, np.sin(h) + c
        return ((y, s), (h, c)) if nested else (y, s, (h, c))

    def backward(dy, ds, cache):
        h, c = cache
        return dy * c + ds * np.cos(h), dy * h + ds

    h, c = np.random.default_rng(0).standard_normal((2, 3, 4))
    assert_right((forward, backward), (h, c))
    ignored = nr.gradcheck((forward, lambda dy, ds, cache: backward(dy, 0, cache)), (h, c))
    assert "does not depend on the upstream gradient doutput 1" in ignored.tensors["h"].diagnosis


def test_gradients_of_integers_are_returned_and_left_alone():
    assert list(assert_right((product, product_back), (np.arange(20).reshape(5, 4), w_43)).tensors) == ["w"]


def test_the_inputs_of_a_pair_may_be_in_a_tuple_and_the_pair_may_be_a_list():
    assert_right((product, product_back), x_54, w_43)
    assert_right([product, product_back], (x_54, w_43))
    with pytest.raises(TypeError, match="product takes x, w, got v"):
        nr.gradcheck((product, product_back), {"x": x_54, "v": w_43})


@pytest.mark.parametrize(
    ("backward", "words"),
    [
        (lambda d, c: None, "BUT x, w NOT CHECKED"),
        (lambda d, c: (product_back(d, c)[0], None), "NO GRADIENT"),
        (lambda d, c: dict(zip(["dx", "dW"], product_back(d, c), strict=True)), "backward returns dW, which matches"),
    ],
)
def test_a_missing_gradient_is_a_failure(backward, words):
    report = nr.gradcheck((product, backward), (x_54, w_43))
    assert not report.ok
    assert words in str(report)


def test_a_check_that_compared_nothing_fails():
    def scaled(a, c):
        return np.sin(a * c), (a, c)

    def scaled_back(d, cache):
        a, c = cache
        return d * np.cos(a * c) * c, d * np.cos(a * c) * a

    report = nr.gradcheck((scaled, scaled_back), (1.5, 2.0))
    assert not report.ok
    assert "nothing was checked" in str(report)
    assert "a is a Python number and not checked: pass np.array(1.5) to check it" in str(report)
    assert list(assert_right((scaled, scaled_back), (np.float64(1.5), np.float64(2))).tensors) == ["a", "c"]
    assert not nr.gradcheck((product, product_back), (np.zeros((0, 4)), np.zeros((4, 0)))).ok
    with pytest.raises(TypeError, match=r"returned no floating-point numbers \(output: int64\)"):
        nr.gradcheck((product, product_back), (np.ones((5, 4), np.int64), np.ones((4, 3), np.int64)))


def test_what_is_no_numbers_is_named():
    for returned, words in [(None, "returned None as its output"), ("a", "dtype <U1"), ({}, "dtype object")]:
        with pytest.raises(TypeError, match=f"forward of .*{words}"):
            conduct(lambda x, returned=returned: (returned, x))
    for returned, words in [([[1, [2, 3]]], "a list"), ("abc", "a str"), (x_54.astype(object), "an array of object")]:
        with pytest.raises(TypeError, match=f"returned {words} as the gradient of x"):
            conduct(backward=lambda dy, x, returned=returned: returned)
