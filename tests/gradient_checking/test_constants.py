"""`constants` names the arrays that have no gradient, and excuses no others."""

from dataclasses import dataclass

import numpy as np
import pytest

import numpy_rnn as nr
from tests.gradient_checking.samples import Affine, assert_right, b_3, w_43, x_54


def scaled(x, w, param):
    return x @ w * param["scale"] + param["nested"][0], (x, w, param)


def scaled_back(d, cache):
    x, w, param = cache
    d = d * param["scale"]
    return d @ w.T, x.T @ d


def inputs():
    return x_54, w_43, {"scale": b_3 + 3, "nested": [b_3.copy()], "mode": "train"}


def names_of(*arguments, **options):
    return list(assert_right(*arguments, **options).tensors)


@pytest.mark.parametrize(
    "constants",
    [
        ["param"],
        "param",
        ("param['scale']", "param['nested']"),
        {"scale", "param['nested'][0]"},
    ],
)
def test_a_name_covers_what_it_holds(constants):
    assert names_of((scaled, scaled_back), inputs(), constants=constants) == ["x", "w"]


def test_a_constant_excuses_no_neighbour():
    for constants, missing in [
        ([], ["param['scale']", "param['nested'][0]"]),
        (["param['scale']"], ["param['nested'][0]"]),
        (["param['nested']"], ["param['scale']"]),
    ]:
        report = nr.gradcheck((scaled, scaled_back), inputs(), constants=constants)
        assert not report.ok
        assert [name for name, tensor in report.tensors.items() if tensor.verdict == "NO GRADIENT"] == missing
        for name in missing:
            assert f"constants=[{name!r}]" in str(report).replace("\n    ", " ")
    wrong = (scaled, lambda d, cache: (scaled_back(d, cache)[0], 3 * scaled_back(d, cache)[1]))
    report = nr.gradcheck(wrong, inputs(), constants=["param"])
    assert {name: tensor.verdict for name, tensor in report.tensors.items()} == {"x": "ok", "w": "WRONG"}


def test_a_name_that_is_no_array_is_refused():
    for name in ("parma", "mode", "param['mode']", "x[0]", ""):
        with pytest.raises(ValueError, match=r"constants names .*, expected one of x, w, param\['scale'\], param"):
            nr.gradcheck((scaled, scaled_back), inputs(), constants=["x", name])
    for constants in (3, None, [3], [w_43]):
        with pytest.raises(TypeError, match=r"constants must be names of arrays, such as \['x'\], got"):
            nr.gradcheck((scaled, scaled_back), inputs(), constants=constants)


@dataclass
class Linear:
    W: np.ndarray
    running_mean: np.ndarray


class Net(Affine):
    """Two parameters are called W, so that the name alone stands for neither."""

    def __init__(self, factor=1):
        super().__init__()
        self.factor, self.first = factor, Linear(np.eye(4) + 0.1, np.ones(4))

    def forward(self, x):
        self.before = x
        return super().forward((x - self.first.running_mean) @ self.first.W)

    def backward(self, d):
        return super().backward(d) @ self.first.W.T


def test_attributes_are_named_as_python_would():
    constants = ["first.W", "first.running_mean"]
    assert names_of(Net(), x_54, constants=constants) == ["x", "W", "b"]
    assert names_of(Net(), x_54, constants=["first"]) == ["x", "W", "b"]
    assert names_of(Net(), x_54, constants=["first.W", "running_mean", "x"]) == ["W", "b"]
    report = nr.gradcheck(Net(), x_54, constants=["W", "first.running_mean"])  # the layer's own W, not first.W
    assert {name: tensor.verdict for name, tensor in report.tensors.items()} == {
        "x": "ok",
        "b": "ok",
        "first.W": "NO GRADIENT",
    }
    assert not nr.gradcheck(Net(factor=7), x_54, constants=constants).ok


def test_a_constant_keeps_its_dtype_in_the_copies():
    seen = []
    keep = seen.append

    def forward(x, table):
        keep(table.dtype)
        return x * table, (x, table)

    table = np.ones(4, np.float32)
    assert_right((forward, lambda d, cache: d * cache[1]), (x_54, table), constants=["table"])
    assert set(seen) == {np.dtype(np.float32)}


def test_a_gradient_of_a_constant_may_be_returned_and_is_not_judged():
    report = assert_right(
        (scaled, lambda d, cache: {"x": scaled_back(d, cache)[0], "w": 1e9}), inputs(), constants=["w", "param"]
    )
    assert list(report.tensors) == ["x"]


def test_when_everything_is_constant_nothing_was_checked():
    report = nr.gradcheck((scaled, scaled_back), inputs(), constants=["x", "w", "param"])
    assert not report.ok
    assert "nothing was checked" in str(report).splitlines()[0]


def test_a_last_name_that_two_arrays_share_names_neither():
    params = {"first": {"scale": b_3 + 3}, "second": {"scale": b_3 + 4}}
    pair = (
        (lambda x, params: (x * params["first"]["scale"][0] + params["second"]["scale"][0], params)),
        (lambda d, params: {"x": d * params["first"]["scale"][0]}),
    )
    with pytest.raises(ValueError, match="constants names 'scale', expected one of x, params"):
        nr.gradcheck(pair, (x_54, params), constants=["scale"])
    assert names_of(pair, (x_54, params), constants=["params"]) == ["x"]
