"""What the numbers of a wrong gradient show, without its source."""

import numpy as np
import pytest

import numpy_rnn as nr
from tests.gradient_checking.samples import (
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
    assert lacking.tensors["w"].verdict == "NO GRADIENT"
    assert "NO GRADIENT" in str(lacking)


def test_what_is_only_nearly_a_known_mistake_is_not_named():
    x = np.random.default_rng(0).standard_normal((3, 4))
    nearly = 2 * (1 + 1e-3 * np.random.default_rng(1).standard_normal(x.shape))
    report = nr.gradcheck(elementwise(np.tanh, lambda x: nearly * (1 - np.tanh(x) ** 2)), x)
    assert report.tensors["x"].diagnosis is None


def test_the_only_right_index_is_not_named_by_chance():
    def check(wrong):
        return nr.gradcheck(elementwise(np.tanh, lambda x: (1 - np.tanh(x) ** 2) + wrong * x**3), x_54)

    scattered = np.arange(5)[:, None] % 3 == np.arange(4)  # in every row, but not in the last column
    assert check(scattered).tensors["x"].diagnosis == "wrong in x[:, 0:3] only"
    assert check(np.arange(4) < 3).tensors["x"].diagnosis == "right in x[:, 3] only"


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
    assert f"x: backward gives {value}" in str(report)
    assert not full or report.tensors["x"].worst_index == (1, 2)
    with pytest.raises(ValueError, match=rf"x is {value} at \[0, 1\], expected finite values"):
        nr.gradcheck((product, product_back), (np.where(np.arange(4) == 1, value, x_54), w_43))


def square(x):
    return x**2, x


def plus(x, y):
    return x + y, None


def two_outputs(x):
    return (np.sin(x), np.cos(x)), x


def lookup(table, rows):
    return table[rows] ** 2, (table, rows)


def loss(logits, targets):
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(p)), targets]).sum(), p


x_44, w_44 = map(np.random.default_rng(2).standard_normal, [(4, 4), (4, 4)])
x_234 = np.random.default_rng(3).standard_normal((2, 3, 4))
x_1025 = np.random.default_rng(5).standard_normal((10, 2, 5))
x_33 = np.random.default_rng(4).standard_normal((3, 3))
targets = np.array([3, 0, 2, 2, 1])

KNOWN = [
    (square, lambda d, x: d * x, x_54, "x", "half what it should be"),
    (square, lambda d, x: 4 * d * x, x_54[:1, :1], "x", "twice what it should be"),
    (square, lambda d, x: d * x, x_54[:2], "x", "1/2 of what it should be (2 is the length of axis 0 of output)"),
    (square, lambda d, x: 10 * d * x, x_54, "x", "5 times what it should be (5 is the length of axis 0 of output)"),
    (square, lambda d, x: 10 * d * x, x_1025, "x", "5 times what it should be (5 is the length of axis 2 of output)"),
    (square, lambda d, x: -40 * d * x, x_54, "x", "-20 times what it should be (20 is the length of axes 0 to 1 of"),
    (square, lambda d, x: 2.5 * d * x, x_54, "x", "5/4 of what it should be (5 is the length of axis 0 of output"),
    (square, lambda d, x: -0.6 * d * x, x_54, "x", "-0.3 times what it should be"),
    (square, lambda d, x: -d * 2 * x, x_54, "x", "the sign is wrong"),
    (square, lambda d, x: 0 * x, x_54, "x", "zero everywhere"),
    (square, lambda d, x: 2 * x, x_54, "x", "it does not depend on the upstream gradient doutput, but it should"),
    (square, lambda d, x: (2 * x * d).astype(np.float32), x_54, "x", "every element is a float32 number"),
    (square, lambda d, x: np.clip(2 * x * d, -0.5, 0.5), x_54, "x", "it is clipped to [-0.5, 0.5]"),
    (square, lambda d, x: np.abs(2 * x * d), x_54, "x", "it is the absolute value"),
    (square, lambda d, x: np.flip(2 * x * d, axis=1), x_54, "x", "it runs backwards along axis 1"),
    (square, lambda d, x: np.roll(2 * x * d, -1, axis=0), x_54, "x", "it is shifted by -1 along axis 0"),
    (square, lambda d, x: np.eye(5, k=-1) @ (2 * x * d), x_54, "x", "it is shifted by +1 along axis 0"),
    (square, lambda d, x: (2 * x * d).T, x_33, "x", "it is transposed"),
    (square, lambda d, x: (2 * x * d).T.reshape(5, 4), x_54, "x", "a reshape where a transpose belongs"),
    (square, lambda d, x: (2 * x * d).transpose(1, 2, 0).reshape(x.shape), x_234, "x", "to the order [1, 2, 0]"),
    (two_outputs, lambda a, b, x: a * np.cos(x), x_54, "x", "does not depend on the upstream gradient doutput 1"),
    (plus, lambda d, _: (d, 0 * d), (x_54, x_54), "y", "zero everywhere"),
    (lookup, lambda d, c: 0 * c[0] + 1, (x_54, [3, 3, 1]), "table", "it does not depend on the upstream gradient"),
    (loss, lambda d, p: p, (x_54, targets % 4), "logits", "wrong at exactly the entries that targets selects"),
]  # fmt: skip


@pytest.mark.parametrize(("forward", "backward", "inputs", "wrong", "words"), KNOWN)
def test_a_relation_is_named(forward, backward, inputs, wrong, words):
    assert words in nr.gradcheck((forward, backward), inputs).tensors[wrong].diagnosis


def test_one_or_two_numbers_are_no_evidence_for_a_factor():
    for x in (x_54[0, :1], x_54[0, :2]):
        assert nr.gradcheck((square, lambda d, x: 2.2 * d * x), x).tensors["x"].diagnosis is None
    assert "1.1 times" in nr.gradcheck((square, lambda d, x: 2.2 * d * x), x_54[0, :3]).tensors["x"].diagnosis


def test_a_gradient_that_need_not_depend_on_an_upstream_gradient_is_not_accused_of_that():
    def forward(x, y):
        return x**2, np.sin(y), (x, y)

    def backward(d, e, cache):
        x, y = cache
        return 2 * d * x + 0.1, e * np.cos(y)

    report = nr.gradcheck((forward, backward), (x_54, x_54[0]))
    assert [report.tensors[name].verdict for name in "xy"] == ["WRONG", "ok"]
    assert report.tensors["x"].diagnosis is None


@pytest.mark.parametrize("empty", [(0, 4), (3, 0)])
def test_an_empty_first_tensor_does_not_keep_a_mistake_from_being_named(empty):
    def forward(nothing, x):
        return np.tanh(x) + nothing.sum(), (nothing, x)

    def backward(dy, cache):
        nothing, x = cache
        return np.zeros_like(nothing), -dy * (1 - np.tanh(x) ** 2)

    report = nr.gradcheck((forward, backward), (np.zeros(empty), x_54))
    assert report.tensors["nothing"].ok
    assert report.tensors["x"].diagnosis == "the sign is wrong"
