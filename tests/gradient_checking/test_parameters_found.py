"""A parameter is found wherever it is kept: right ones pass, wrong ones and those without a gradient do not."""

import functools
from collections import OrderedDict
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

import numpy_rnn as nr
from tests.gradient_checking.samples import w_43, x_54


class Linear:
    """y = x W. Subclasses say where W is kept and where its gradient is left; the factor makes it wrong."""

    def __init__(self, factor):
        self.factor = factor
        self.keep(w_43.copy())

    def forward(self, x):
        self.x = x
        return x @ self.weight()

    def backward(self, d):
        if self.factor is not None:
            self.leave(self.factor * self.x.T @ d)
        return d @ self.weight().T


class InDictionary(Linear):
    def keep(self, W):
        self.weights, self.grads = {"W": W, "name": "linear"}, {}

    def weight(self):
        return self.weights["W"]

    def leave(self, dW):
        self.grads["W"] = dW


class InOrderedDictionary(InDictionary):
    def keep(self, W):
        self.weights, self.dweights = OrderedDict(W=W), OrderedDict()

    def leave(self, dW):
        self.dweights["W"] = dW


class InList(Linear):
    def keep(self, W):
        self.W, self.dW = [W], [None]

    def weight(self):
        return self.W[0]

    def leave(self, dW):
        self.dW[0] = dW


class InTuple(InList):
    def keep(self, W):
        self.W = (W,)

    def leave(self, dW):
        self.dW = (dW,)


class InNestedLists(Linear):
    def keep(self, W):
        self.layers, self.dlayers = [{"gates": [W]}], [{"gates": [None]}]

    def weight(self):
        return self.layers[0]["gates"][0]

    def leave(self, dW):
        self.dlayers[0]["gates"][0] = dW


@dataclass
class Parameters:
    W: np.ndarray
    dW: np.ndarray | None = None


@dataclass(slots=True)
class Slotted:
    W: np.ndarray
    dW: np.ndarray | None = None


class InDataclass(Linear):
    def keep(self, W):
        self.p = Parameters(W)

    def weight(self):
        return self.p.W

    def leave(self, dW):
        self.p.dW = dW


class InSlots(InDataclass):
    def keep(self, W):
        self.p = Slotted(W)


class InObjectOfAnObject(InDataclass):
    def keep(self, W):
        self.cell = SimpleNamespace(gates=[SimpleNamespace(W=W)])
        self.p = self.cell.gates[0]


class InProperty(Linear):
    def keep(self, W):
        self._W = W

    @property
    def W(self):
        return self._W

    def weight(self):
        return self.W

    def leave(self, dW):
        self._dW = dW


class InView(Linear):
    def keep(self, W):
        self.flat = W.ravel()

    def weight(self):
        return self.flat.reshape(4, 3)

    def leave(self, dW):
        self.dflat = dW.ravel()


class InArrayOfObjects(InList):
    def keep(self, W):
        self.W, self.dW = np.empty(1, object), np.empty(1, object)
        self.W[0] = W


class InFloat32(Linear):
    def keep(self, W):
        self.W = W.astype(np.float32)

    def weight(self):
        return self.W

    def leave(self, dW):
        self.dW = dW


def in_class_attribute(factor):
    class InClass(InFloat32):
        W = w_43.copy()

        def keep(self, W):
            pass

    return InClass(factor)


def bound_methods(factor):
    class Cached(InFloat32):
        def forward(self, x):
            return x @ self.W, x

        def backward(self, d, x):
            self.x = x
            return super().backward(d)

    layer = Cached(factor)
    return layer.forward, layer.backward


def closures(factor):
    W, gradients = w_43.copy(), {}

    def forward(x):
        return x @ W, x

    def backward(d, x):
        gradients["x"] = d @ W.T
        if factor is not None:
            gradients["dW"] = factor * x.T @ d
        return gradients

    return forward, backward


W_of_the_module = w_43.copy()


def module_variables(factor):
    def forward(x):
        return x @ W_of_the_module, x

    def backward(d, x):
        return d @ W_of_the_module.T, *([] if factor is None else [factor * x.T @ d])

    return forward, backward


def default_arguments(factor):
    def forward(x, *, _W=w_43.copy()):  # noqa: B008
        return x @ _W, (x, _W)

    def backward(d, cache):
        x, W = cache
        return {"x": d @ W.T} | ({} if factor is None else {"_W": factor * x.T @ d})

    return forward, backward


def partial_functions(factor):
    def forward(x, W):
        return x @ W, (x, W)

    def backward(d, cache):
        x, W = cache
        return {"x": d @ W.T} | ({} if factor is None else {"W": factor * x.T @ d})

    return functools.partial(forward, W=w_43.copy()), backward


PLACES = [
    InDictionary, InOrderedDictionary, InList, InTuple, InNestedLists, InDataclass, InSlots,
    InObjectOfAnObject, InProperty, InView, InArrayOfObjects, InFloat32, in_class_attribute, bound_methods, closures,
    module_variables, default_arguments, partial_functions,
]  # fmt: skip


@pytest.mark.parametrize(("factor", "verdict"), [(1, "ok"), (7, "WRONG"), (None, "NO GRADIENT")])
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_a_parameter_is_compared_wherever_it_is(place, factor, verdict):
    report = nr.gradcheck(place(factor), x_54)
    assert report.tensors["x"].verdict == "ok"
    (parameter,) = (tensor for name, tensor in report.tensors.items() if name != "x")
    assert parameter.verdict == verdict, str(report)
    assert report.ok == (verdict == "ok")
    if verdict == "WRONG":
        assert "7 times what it should be" in parameter.diagnosis
    if verdict == "NO GRADIENT":
        assert f"BUT {parameter.name} NOT CHECKED" in str(report).splitlines()[0]
