"""Layers: where their parameters and gradients are found, and how they are copied."""

import numpy as np
import pytest

import numpy_rnn as nr
from tests.gradient_checking.samples import Affine, affine_backward, affine_forward, assert_right, x_54


class Plain:
    """No parameters(), no base class: arrays, and a gradient beside each."""

    def __init__(self, rng):
        self.w, self.b, self.name = rng.standard_normal((3, 4)), rng.standard_normal(4).astype(np.float32), "plain"

    def forward(self, x):
        self.x = x
        return x @ self.w + self.b

    def backward(self, dy):
        self.dw, self.db, self.dx = self.x.T @ dy, dy.sum(axis=0), dy @ self.w.T
        return self.dx


class WithParams(Plain):
    """Lists of parameters and gradients, as in "Deep learning from scratch"."""

    def __init__(self, rng):
        super().__init__(rng)
        self.params, self.grads = [self.w, self.b], [np.zeros_like(self.w), np.zeros_like(self.b)]

    def backward(self, dy):
        self.grads[0][...], self.grads[1][...] = self.x.T @ dy, dy.sum(axis=0)
        return dy @ self.w.T


class WithMethods(Plain):
    def parameters(self):
        return {"w": self.w, "b": self.b}

    def gradients(self):
        return {"w": self.dw, "b": self.db}


@pytest.mark.parametrize("kind", [Plain, WithParams, WithMethods])
def test_a_plain_class_in_each_convention(kind):
    rng = np.random.default_rng(0)
    layer, x = kind(rng), rng.standard_normal((5, 3))
    before = layer.w.copy(), layer.b.copy(), dict(vars(layer))
    report = assert_right(layer, x)
    assert len(report.tensors) == 3
    assert report.method == "complex step"
    assert "float64 copy" in str(report)
    assert dict(vars(layer)).keys() == before[2].keys()  # the layer itself was not touched
    np.testing.assert_array_equal(layer.w, before[0])


def test_what_has_no_gradients_or_no_face_is_an_error():
    class NoGradients(WithMethods):
        gradients = None

        def backward(self, dy):
            return dy @ self.w.T

    report = nr.gradcheck(NoGradients(np.random.default_rng(0)), np.ones((2, 3)))
    assert not report.ok
    assert "its gradient is right, BUT w, b NOT CHECKED" in str(report)
    with pytest.raises(TypeError, match="ndarray has no methods forward and backward: expected a layer, a pair"):
        nr.gradcheck(np.zeros(3), np.zeros(3))
    with pytest.raises(TypeError, match=r"a pair must be two functions, \(forward, backward\)"):
        nr.gradcheck((affine_forward, None), np.zeros(3))
    with pytest.raises(TypeError, match=r"forward of affine_forward takes 3 inputs, got 4"):
        nr.gradcheck((affine_forward, affine_backward), 1, 2, 3, 4)
    with pytest.raises(TypeError, match="forward of Linear takes 2 inputs, got 3"):
        nr.gradcheck(nr.Linear(2, 2), 1, 2, 3)
    with pytest.raises(ValueError, match="method must be 'complex step' or 'differences', got 'magic'"):
        nr.gradcheck(nr.Linear(2, 2), np.zeros((1, 2)), method="magic")
    with pytest.raises(TypeError, match="x has dtype complex128, expected real numbers"):
        nr.gradcheck(nr.Linear(2, 2), np.zeros((1, 2), complex))
    with pytest.raises(
        TypeError, match=r"backward of <lambda> needs what, but forward returned 1 output: return a cache"
    ):
        nr.gradcheck((lambda x: (np.tanh(x),), lambda d, what: d), np.zeros(3))


class ForgetsDb(Affine):
    def backward(self, d):
        self.dW, self.running_mean = self.x.T @ d, np.zeros(3)
        return d @ self.W.T


class GradNames(Affine):
    def backward(self, d):
        self.grad_W, self.grad_b = self.x.T @ d, d.sum(axis=0)
        return d @ self.W.T


class Replaces(Affine):
    def forward(self, x):
        self.W = self.W.astype("f")
        return super().forward(x)


def test_arrays_of_a_layer_without_a_gradient_are_named():
    forgets = nr.gradcheck(ForgetsDb(), x_54)
    assert not forgets.ok
    assert forgets.tensors["b"].verdict == "NO GRADIENT"
    assert "all 2 gradients right, BUT b NOT CHECKED" in str(forgets)
    assert "b" not in assert_right(ForgetsDb(), x_54, constants=["b"]).tensors
    assert set(assert_right(Replaces(), x_54).tensors) == {"x", "W", "b"}
    assert "NOT CHECKED" not in str(assert_right(Affine(), x_54))
    assert set(assert_right(GradNames(), x_54).tensors) == {"x", "W", "b"}


def test_gradients_of_parameters_may_be_returned_beside_that_of_the_input():
    class Returns(Affine):
        def backward(self, d):
            return d @ self.W.T, self.factor * self.x.T @ d, d.sum(axis=0)

    class Wrong(Returns):
        factor = 7

    assert set(assert_right(Returns(), x_54).tensors) == {"x", "W", "b"}
    assert [n for n, t in nr.gradcheck(Wrong(), x_54).tensors.items() if not t.ok] == ["W"]


@pytest.mark.parametrize("factor", [1, 2])
def test_layers_within_a_layer_are_checked(factor):
    class Net:
        def __init__(self):
            self.affine, self.layers = Affine(), [nr.Linear(3, 2, rng=0)]
            self.affine.factor = factor

        def forward(self, x):
            return self.layers[0].forward(self.affine.forward(x))

        def backward(self, d):
            return self.affine.backward(self.layers[0].backward(d))

    report = nr.gradcheck(Net(), x_54)
    assert set(report.tensors) == {"x", "affine.W", "affine.b", "layers[0].weight", "layers[0].bias"}
    assert [name for name, t in report.tensors.items() if not t.ok] == ["affine.W"] * (factor - 1)


def test_dropout_draws_the_same_mask_each_time():
    class Dropout:
        def __init__(self):
            self.rng = np.random.default_rng(0)

        def forward(self, x):
            self.mask = (self.rng.random(x.shape) < 0.5) * 2.0
            return x * self.mask

        def backward(self, dy):
            return dy * self.mask

    layer = Dropout()
    assert_right(layer, np.ones((4, 5)))
    assert layer.rng.random() == np.random.default_rng(0).random()  # and leaves the layer's generator alone


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
def test_generators_are_set_back_wherever_they_are(make):
    class Dropout:
        def __init__(self):
            self.rng = make(0)

        def forward(self, x):
            self.mask = self.rng.standard_normal(x.shape) < 0.5
            return x * self.mask

        def backward(self, dy):
            return dy * self.mask

    def dropout(x, rng):
        mask = rng.standard_normal(x.shape) < 0.5
        return x * mask, mask

    def back(dy, mask):
        return dy * mask

    rng = make(0)
    assert_right(Dropout(), x_54)
    assert_right((dropout, back), (x_54, rng))
    assert_right((lambda x, p: dropout(x, p["rng"]), back), (x_54, {"rng": rng}))
    assert rng.standard_normal() == make(0).standard_normal()

    class Redraws(Dropout):
        def backward(self, dy):
            return dy * (self.rng.standard_normal(dy.shape) < 0.5)

    assert "or draws random numbers" in str(nr.gradcheck(Redraws(), x_54)).replace("\n  ", " ")
