"""What belongs to the user is as it was after a check: objects, arrays, variables, default arguments, generators."""

import sys
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

import numpy_rnn as nr
from tests.gradient_checking.samples import b_3, w_43, x_54

of_the_module = {"W": w_43.copy(), "log": []}
number_of_the_module = 1.0
scale_of_the_module = np.array([1.0, 2, 3])


@dataclass
class Box:
    b: np.ndarray
    history: list = field(default_factory=list)


class Slotted:
    __slots__ = ("mask", "rng")

    def __init__(self):
        self.mask, self.rng = np.ones(3, bool), np.random.default_rng(1)


class Layer:
    """Changes everything that it can reach, in forward and in backward."""

    shared = np.ones(3)

    def __init__(self, fails=None):
        self.box, self.slotted, self.fails = Box(b_3.astype("f")), Slotted(), fails
        self.namespace, self.tied = SimpleNamespace(view=self.box.b[:2]), {"b": self.box.b}
        self.dtype, self.numbers, self.names = np.float32, [1, 2.5, (3, 4)], {"b"}

    def forward(self, x, *, default=np.zeros(3), kept=[]):  # noqa: B006, B008
        global number_of_the_module
        number_of_the_module += 1
        self.x, self.fresh = x, x * 2
        self.box.history.append(x)
        of_the_module["log"].append(x)
        kept.append(1)
        self.slotted.rng.random()
        self.slotted.mask[0] = False
        self.names.add("x")
        if self.fails == "forward" and len(self.box.history) and self.slotted.rng.random() < 2:
            raise FloatingPointError("forward fails")
        return x @ of_the_module["W"] * self.shared + self.box.b * scale_of_the_module + default

    def backward(self, d):
        self.numbers.append(3)
        if self.fails == "backward":
            raise FloatingPointError("backward fails")
        dW = self.x.T @ (d * self.shared)
        of_the_module["dW"] = dW
        self.box.db = (d * scale_of_the_module).sum(axis=0)
        default, (W, b) = self.forward.__kwdefaults__["default"], (of_the_module["W"], self.box.b)
        dx = (d * self.shared) @ W.T
        for array in (W, b, self.shared, scale_of_the_module, default):
            array += 1
        return dx


def snapshot(layer):
    """Return the values of everything that the user has, to the last bit, and the identities of the arrays."""
    defaults = Layer.forward.__kwdefaults__
    things = [vars(layer), layer.slotted.mask, layer.slotted.rng.bit_generator.state, Layer.shared]
    things += [of_the_module, number_of_the_module, scale_of_the_module, defaults, layer.box.b.dtype]
    own = [layer.box, layer.box.b, of_the_module["W"], Layer.shared, defaults["default"], defaults["kept"]]
    own += [scale_of_the_module, layer.box.history, layer.slotted, layer.namespace.view, layer.numbers]
    with np.printoptions(floatmode="unique"):
        return repr(things), [id(value) for value in own]


CONSTANTS = ["shared", "scale_of_the_module", "default"]


def test_a_check_leaves_everything_as_it_was():
    layer, x = Layer(), x_54.copy()
    layer.namespace.view[0] = 0.5
    before = snapshot(layer)
    report = nr.gradcheck(layer, x, constants=CONSTANTS)
    assert snapshot(layer) == before
    assert layer.namespace.view.base is layer.box.b
    np.testing.assert_array_equal(x, x_54)
    assert report.tensors["x"].verdict == report.tensors["box.b"].verdict == "ok", str(report)


@pytest.mark.parametrize("fails", ["forward", "backward"])
@pytest.mark.parametrize("method", [None, "differences"])
def test_so_does_a_check_that_fails_midway(fails, method):
    layer = Layer(fails)
    before = snapshot(layer)
    with pytest.raises(FloatingPointError, match=f"{fails} fails"):
        nr.gradcheck(layer, x_54, constants=CONSTANTS, method=method)
    assert snapshot(layer) == before


@pytest.mark.parametrize("fatal", range(1, 40, 3))
def test_variables_are_put_back_whichever_call_fails(fatal):
    calls = []
    keep, count = calls.append, calls.count  # built-in methods, which copies of the function share

    def forward(x):
        of_the_module["W"] = of_the_module["W"] + 1
        keep(1)
        if count(1) >= fatal:
            raise FloatingPointError("fails")
        return x @ of_the_module["W"], x

    kept = of_the_module["W"], of_the_module["W"].copy()
    with pytest.raises(FloatingPointError, match="fails"):
        nr.gradcheck((forward, lambda d, x: d @ of_the_module["W"].T), x_54)
    assert len(calls) >= fatal
    assert of_the_module["W"] is kept[0]
    np.testing.assert_array_equal(*kept)


def test_read_only_inputs_may_be_checked():
    x, W = x_54.copy(), w_43.copy()
    x.flags.writeable = W.flags.writeable = False
    assert nr.gradcheck((lambda x, W: (x @ W, (x, W)), lambda d, c: (d @ c[1].T, c[0].T @ d)), x, W).ok
    assert not x.flags.writeable


def test_no_module_is_added_and_numpy_is_as_it_was():
    before, errors = set(sys.modules), np.geterr()
    nr.gradcheck(Layer(), x_54, constants=CONSTANTS)
    assert {name for name in set(sys.modules) - before if not name.startswith(("numpy", "html"))} == set()
    assert np.geterr() == errors
