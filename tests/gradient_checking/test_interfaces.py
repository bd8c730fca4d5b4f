"""Ways to write forward and backward beyond those of tests/styles: right passes, 7 times too large does not."""

from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest

import numpy_rnn as nr
from tests.gradient_checking.samples import w_43, x_54

Gradients = namedtuple("Gradients", "dx dw")


def by_cache(cache, d):
    x, w = cache
    return d @ w.T, x.T @ d


def forward(x, w):
    return x @ w, (x, w)


class Fprop:
    def __init__(self, factor):
        self.w, self.factor = w_43.copy(), factor

    def fprop(self, x):
        self.x = x
        return x @ self.w

    def bprop(self, d):
        self.w_gradient = self.factor * self.x.T @ d
        return d @ self.w.T


class Called(Fprop):
    """A callable, as in torch."""

    __call__ = Fprop.fprop
    backward = Fprop.bprop
    fprop = bprop = None


class LeavesAll(Fprop):
    fprop = bprop = None

    def forward(self, x):
        self.x, self.out = x, x @ self.w

    def backward(self, dout):
        self.dx, self.dw = dout @ self.w.T, self.factor * self.x.T @ dout


class InBackwardsArguments(Fprop):
    fprop = bprop = None

    def forward(self, x):
        return x @ self.w

    def backward(self, d, x):
        self.grad_w = self.factor * x.T @ d
        return d @ self.w.T


class Descends(Fprop):
    """Backward learns at once, with a rate that is an attribute."""

    fprop = bprop = None
    learning_rate = 0.1

    def forward(self, x):
        self.x = x
        return x @ self.w

    def backward(self, d):
        dx = d @ self.w.T
        self.w -= self.learning_rate * self.factor * self.x.T @ d
        return dx


class Momentum(Descends):
    def backward(self, d, lr=0.01):
        dx = d @ self.w.T
        self.w = self.w - lr * self.factor * self.x.T @ d
        return dx


class Flat(Fprop):
    """The weight is a view of the vector of all parameters, which is an attribute too."""

    fprop = bprop = None

    def __init__(self, factor):
        super().__init__(factor)
        self.all = self.w.ravel()
        self.w = self.all.reshape(4, 3)

    forward = Fprop.fprop

    def backward(self, d):
        self.dw = self.factor * self.x.T @ d
        return d @ self.w.T


class OneNumber(Fprop):
    fprop = bprop = None

    def __init__(self, factor):
        self.w, self.factor = 1.5, factor

    def forward(self, x):
        self.x = x
        return x * self.w

    def backward(self, d):
        self.dw = self.factor * np.sum(self.x * d)
        return d * self.w


class TwoStates(Fprop):
    """The last output is a pair of states, like those of an LSTM, whose gradients are optional; the tape is too."""

    fprop = bprop = None

    def forward(self, x, tape=None):
        self.x, y = x, x @ self.w
        return y, (np.sin(y), y**2)

    def backward(self, dy, dstates=None, tape=None):
        y, (dsin, dsquare) = self.x @ self.w, dstates
        d = dy + np.cos(y) * dsin + 2 * y * dsquare
        self.dw = self.factor * self.x.T @ d
        return d @ self.w.T


class Static:
    @staticmethod
    def forward(x, w):
        return x @ w, (x, w)


def layer(kind):
    return lambda factor: ((kind(factor), x_54), "w")


def pair(backward, first=forward):
    return lambda factor: (((first, lambda *a: backward(factor, *a)), (x_54, w_43)), "w")


def scaled(factor, d, cache):
    dx, dw = by_cache(cache, d)
    return dx, factor * dw


def static_pair(factor):
    class Product(Static):
        @staticmethod
        def backward(d, cache):
            return scaled(factor, d, cache)

    return (Product, x_54, w_43), "w"


def dictionary_of_outputs(factor):
    def outputs(x, w):
        return {"sum": x + 1, "product": x @ w}, (x, w)

    def backward(d, cache):
        dx, dw = scaled(factor, d["product"], cache)
        return dx + d["sum"], dw

    return ((outputs, backward), (x_54, w_43)), "w"


def list_of_outputs(factor):
    def outputs(xs, w):
        return [x @ w for x in xs], (xs, w)

    def backward(ds, cache):
        xs, w = cache
        return {
            "dxs": np.array([d @ w.T for d in ds]),
            "dw": factor * sum(np.outer(x, d) for x, d in zip(xs, ds, strict=True)),
        }

    return ((outputs, backward), (x_54, w_43)), "w"


def only_the_last_state(factor):
    """Forward returns every state and the last one, backward takes the gradient of the last one by name."""

    def outputs(x, w):
        states = x @ w
        last = states[-1]
        return states, last, (x, w)

    def backward(dlast, cache):
        x, w = cache
        dstates = np.zeros((5, 3))
        dstates[-1] = dlast
        return scaled(factor, dstates, (x, w))

    return ((outputs, backward), (x_54, w_43)), "w"


def loss_with_nested_gradients(factor):
    def loss(params, x):
        z = x @ params["layers"][0]["w"]
        return 0.5 * np.sum(z * z), {"layers": [{"w": factor * x.T @ z}]}

    return (loss, {"layers": [{"w": w_43.copy()}]}, x_54), "params['layers'][0]['w']"


INTERFACES = {
    "fprop and bprop": layer(Fprop),
    "__call__ and backward": layer(Called),
    "results in attributes": layer(LeavesAll),
    "backward takes the input again": layer(InBackwardsArguments),
    "a view of all parameters": layer(Flat),
    "a number with a gradient": layer(OneNumber),
    "an optional gradient of a pair of states": layer(TwoStates),
    "updates with its own rate": layer(Descends),
    "updates with the rate lr": layer(Momentum),
    "namedtuple of gradients": pair(lambda factor, d, cache: Gradients(*scaled(factor, d, cache))),
    "object of gradients": pair(
        lambda factor, d, cache: SimpleNamespace(**Gradients(*scaled(factor, d, cache))._asdict())
    ),
    "list of gradients": pair(lambda factor, d, cache: list(scaled(factor, d, cache))),
    "dictionary by gradient names": pair(
        lambda factor, d, cache: dict(zip(["grad_w", "grad_x"], scaled(factor, d, cache)[::-1], strict=True))
    ),
    "class with static methods": static_pair,
    "dictionary of outputs": dictionary_of_outputs,
    "list of outputs": list_of_outputs,
    "one of two outputs by name": only_the_last_state,
    "loss with nested gradients": loss_with_nested_gradients,
}


@pytest.mark.parametrize("factor", [1, 7])
@pytest.mark.parametrize("name", INTERFACES)
def test_code_is_checked_as_it_is_written(name, factor):
    arguments, parameter = INTERFACES[name](factor)
    report = nr.gradcheck(*arguments, constants=["x"] if name.startswith("loss") else [])
    wrong = [parameter] * (factor != 1)
    assert [n for n, tensor in report.tensors.items() if tensor.verdict == "WRONG"] == wrong, str(report)
    assert [n for n, tensor in report.tensors.items() if tensor.verdict != "ok"] == wrong, str(report)
    assert parameter in report.tensors
    assert report.ok == (factor == 1)
