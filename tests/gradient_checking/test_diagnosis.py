"""The likely cause of a wrong gradient."""

import numpy as np
import pytest

import numpy_rnn as nr
from tests.documents.wrong_rnn import at, rnn_forward
from tests.gradient_checking.samples import (
    affine_backward,
    affine_forward,
    b_3,
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
    assert lacking.tensors["w"].verdict == "NO GRADIENT"
    assert "NO GRADIENT" in str(lacking)


def test_what_is_only_nearly_a_known_mistake_is_not_named():
    x = np.random.default_rng(0).standard_normal((3, 4))
    nearly = 2 * (1 + 1e-3 * np.random.default_rng(1).standard_normal(x.shape))
    report = nr.gradcheck(elementwise(np.tanh, lambda x: nearly * (1 - np.tanh(x) ** 2)), x)
    assert report.tensors["x"].diagnosis == "no known mistake gives these numbers"


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
    with pytest.raises(ValueError, match=rf"x is {value} at \[0, 1\], expected finite values"):
        nr.gradcheck((product, product_back), (np.where(np.arange(4) == 1, value, x_54), w_43))


# Each known mistake in a small function that makes it; those in our own layers are in tests/mistakes.


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0)


ACTIVATIONS = {
    "tanh": (np.tanh, lambda h: 1 - h * h),
    "sigmoid": (sigmoid, lambda h: h * (1 - h)),
    "relu": (relu, lambda h: 1.0 * (h > 0)),
    "exp": (np.exp, lambda h: h),
}


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        ("tanh", lambda h: 1 + 0 * h, "the derivative of tanh, 1 - h^2, is missing"),
        ("tanh", lambda h: 1 - h, "the square is missing"),
        ("tanh", lambda h: 1 - np.arctanh(h) ** 2, "wrong point: 1 - z^2"),
        ("sigmoid", lambda h: 1 + 0 * h, "the derivative of the sigmoid, h (1 - h), is missing"),
        ("sigmoid", lambda h: 1 - h * h, "the derivative of tanh, 1 - h^2, is used instead of that of the sigmoid"),
        ("sigmoid", lambda h: 1 - h, "the factor h is missing"),
        ("sigmoid", lambda h: h, "the factor 1 - h is missing"),
        ("sigmoid", lambda h: sigmoid(h) * (1 - sigmoid(h)), "the sigmoid is taken at the wrong point"),
        ("sigmoid", lambda h: (h * (1 - h)) ** 2, "the derivative of the sigmoid, h (1 - h), is applied twice"),
        ("relu", lambda h: 1 + 0 * h, "the derivative of relu is missing"),
        ("relu", lambda h: 1.0 * (h <= 0), "the derivative of relu is inverted"),
        ("relu", lambda h: h, "the derivative of relu is 1 or 0, but backward multiplies by the output"),
        ("exp", lambda h: 1 + 0 * h, "the derivative of the activation is missing"),
        ("exp", lambda h: h * h, "the derivative of the activation is applied twice"),
    ],
)
def test_a_wrong_slope_of_an_activation_is_named(name, wrong, words):
    f, right = ACTIVATIONS[name]

    def forward(x, w, b):
        h = f(x @ w + b)
        return h, (x, w, h)

    def backward_with(slope):
        def backward(dh, cache):
            x, w, h = cache
            dz = dh * slope(h)
            return dz @ w.T, x.T @ dz, dz.sum(axis=0)

        return backward

    inputs = x_54, w_43, b_3
    assert nr.gradcheck((forward, backward_with(right)), inputs).ok
    report = nr.gradcheck((forward, backward_with(wrong)), inputs)
    # Where relu is off, the Jacobians of x and w do not show what the gradient should be multiplied by.
    for tensor in ["b"] if name == "relu" else report.tensors:
        assert words in report.tensors[tensor].diagnosis
    alone = nr.gradcheck((lambda x: (f(x), f(x)), lambda dh, h: dh * wrong(h)), x_54)
    assert words in alone.tensors["x"].diagnosis


def square(x):
    return x**2, x


def plus(x, y):
    return x + y, None


def skip(x, w):
    return x + np.sin(x) @ w, (x, w)


def skip_back(d, cache):
    x, w = cache
    return np.cos(x) * (d @ w.T), np.sin(x).T @ d


def two_outputs(x):
    return (np.sin(x), np.cos(x)), x


x_44, w_44 = map(np.random.default_rng(2).standard_normal, [(4, 4), (4, 4)])


ALL_BUT_LAST = np.array([1, 1, 1, 1, 0])[:, None]
KNOWN = [
    (square, lambda d, x: d * x, x_54, "x", "half what it should be: a constant factor of 0.5"),
    (square, lambda d, x: d * x, x_54[:2], "x", "or a constant factor of 1/2"),  # 2 is a length of x, too
    (square, lambda d, x: -0.6 * d * x, x_54, "x", "-0.3 times what it should be, everywhere"),
    (square, lambda d, x: -d * 2 * x, x_54, "x", "the sign is wrong"),
    (square, lambda d, x: 2 * x, x_54, "x", "it does not depend on the upstream gradient: doutput is never used"),
    (square, lambda d, x: np.roll(2 * x * d, -1, axis=0), x_54, "x", "each entry comes one place too early"),
    (two_outputs, lambda a, b, x: ALL_BUT_LAST * (a * np.cos(x) - b * np.sin(x)), x_54, "x", "the last index of"),
    (product, lambda d, c: (d, c[0].T @ d), (x_44, w_44), "x", "it is the upstream gradient doutput itself"),
    (product, lambda d, c: (c[0].T @ d, d @ c[1].T), (x_44, w_44), "x", "it is the gradient of w: the two are"),
    (plus, lambda d, _: (d, d[0]), (x_54, w_44[0]), "y", "only the first row of doutput counts"),
    (skip, skip_back, (x_54, w_44), "x", "the path by which the input is added to the output is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("forward", "backward", "inputs", "wrong", "words"), KNOWN)
def test_a_known_mistake_is_named(forward, backward, inputs, wrong, words):
    assert words in nr.gradcheck((forward, backward), inputs).tensors[wrong].diagnosis


@pytest.mark.parametrize(("back", "words"), [(1, "1 step and no further"), (2, "2 steps and no further")])
def test_truncated_backpropagation_through_time_is_named(back, words):
    """Each loss reaches the states of `back` steps before its own, and those alone."""

    def backward(dh, cache):
        x, h0, Wx, Wh, h = cache
        before = np.concatenate([h0[:, None], h[:, :-1]], axis=1)
        dz = np.zeros_like(h)
        dh0 = np.zeros_like(h0)
        for origin in range(h.shape[1]):
            carried = dh[:, origin]
            for t in range(origin, max(origin - back, 0) - 1, -1):
                dz_t = carried * (1 - h[:, t] ** 2)
                dz[:, t] += dz_t
                carried = dz_t @ Wh.T
            if origin <= back:
                dh0 += carried
        rows = dz.reshape(-1, dz.shape[-1])
        dWx, dWh = x.reshape(len(rows), -1).T @ rows, before.reshape(rows.shape).T @ rows
        return dz @ Wx.T, dh0, dWx, dWh, rows.sum(axis=0)

    report = nr.gradcheck((rnn_forward, backward), at())
    for tensor in report.tensors.values():
        assert f"the gradient travels back {words}" in tensor.diagnosis


@pytest.mark.parametrize("empty", [(0, 4), (3, 0)])
def test_an_empty_first_tensor_does_not_keep_a_mistake_from_being_named(empty):
    def forward(nothing, x):
        return np.tanh(x) + nothing.sum(), (nothing, x)

    def backward(dy, cache):
        nothing, _ = cache
        return np.zeros_like(nothing), dy

    report = nr.gradcheck((forward, backward), (np.zeros(empty), x_54))
    assert report.tensors["nothing"].ok
    assert "the derivative of tanh, 1 - h^2, is missing" in report.tensors["x"].diagnosis
