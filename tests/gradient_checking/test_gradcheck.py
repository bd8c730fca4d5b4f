"""The gradient checker: that it finds no fault in what is right, whoever wrote it, and says how it looked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn.gradient_checking.derivatives import richardson
from tests import strategies as some

methods = st.sampled_from([None, "complex step", "differences"])
sizes = {"T": some.T, "B": some.B, "I": some.sizes, "H": some.sizes}


def assert_right(*arguments, **options):
    report = nr.gradcheck(*arguments, **options)
    assert report.ok, str(report)
    assert "WRONG" not in str(report)
    return report


# No false alarm, in hundreds of random shapes of each layer.


@settings(max_examples=200)
@given(
    rng=some.rngs,
    shape=st.lists(st.integers(0, 4), max_size=3),
    I=some.sizes,
    O=some.sizes,
    bias=...,
    dtype=some.dtypes,
    method=methods,
    layout=some.layouts,
)
def test_linear_is_right(rng, shape, I, O, bias: bool, dtype, method, layout):  # noqa: E741
    x = some.normal(rng, *shape, I, dtype=dtype, layout=layout)
    assert_right(nr.Linear(I, O, bias, dtype=dtype, rng=rng), x, method=method)


@settings(max_examples=200)
@given(rng=some.rngs, V=some.V, E=some.sizes, T=some.T, B=some.B, method=methods, dtype=some.dtypes)
def test_embedding_is_right(rng, V, E, T, B, method, dtype):
    assert_right(nr.Embedding(V, E, dtype=dtype, rng=rng), some.tokens(rng, V, T, B), method=method)


@settings(max_examples=200)
@given(rng=some.rngs, N=st.integers(1, 9), C=some.V, scale=st.sampled_from([0.1, 1, 30, 1000]))
def test_cross_entropy_is_right(rng, N, C, scale):
    report = assert_right(nr.CrossEntropyLoss(), scale * some.normal(rng, N, C), some.tokens(rng, C, N))
    assert list(report.tensors) == ["logits"]


@settings(max_examples=200)
@given(rng=some.rngs, dtype=some.dtypes, with_h_0=..., method=methods, **sizes)
def test_rnn_is_right(rng, T, B, I, H, dtype, with_h_0: bool, method):  # noqa: E741
    h_0 = [some.normal(rng, 1, B, H, dtype=dtype)] if with_h_0 else []
    assert_right(nr.RNN(I, H, dtype=dtype, rng=rng), some.normal(rng, T, B, I, dtype=dtype), *h_0, method=method)


@given(
    rng=some.rngs,
    L=st.integers(1, 3),
    nonlinearity=st.sampled_from(["tanh", "relu"]),
    D=...,
    dropout=st.sampled_from([0, 0.5]),
    **sizes | {"B": st.integers(1, 3)},
)
def test_rnn_with_its_options_is_right(rng, T, B, I, H, L, nonlinearity, D: bool, dropout):  # noqa: E741
    layer = nr.RNN(I, H, L, nonlinearity, dropout=dropout if L > 1 else 0, bidirectional=D, rng=rng)
    h_0 = some.normal(rng, L * (1 + D), B, H)
    assert_right(layer, some.normal(rng, T, B, I), h_0, lengths=rng.integers(1, T + 1, B))


@settings(max_examples=100)
@given(rng=some.rngs, T=some.T, B=some.B, V=some.V, E=some.sizes, H=some.sizes)
def test_char_rnn_is_right(rng, T, B, V, E, H):
    assert_right(nr.CharRNN(V, E, H, rng=rng), some.tokens(rng, V, T, B), some.normal(rng, 1, B, H))


@settings(max_examples=5)
@given(rng=some.rngs)
def test_a_large_layer_is_checked_along_directions(rng):
    report = assert_right(nr.Linear(60, 50, rng=rng), some.normal(rng, 40, 60))
    assert report.tensors["weight"].coordinates is None
    assert report.tensors["bias"].coordinates is not None
    assert "along random directions, for their size: x, weight" in str(report)
    assert_right(nr.Linear(60, 50, rng=rng), some.normal(rng, 40, 60), method="differences")


# What people write: a pair of functions, a plain class.


def affine_forward(x, w, b):
    return x.reshape(len(x), -1) @ w + b, (x, w)


def affine_backward(dout, cache):
    x, w = cache
    return (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(axis=0)


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
    assert "doutput 1 is ignored" in ignored.tensors["h"].diagnosis


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

    rng = np.random.default_rng(0)
    with pytest.raises(TypeError, match=r"NoGradients has parameters but no gradients: expected \.grad of each"):
        nr.gradcheck(NoGradients(rng), np.zeros((2, 3)))
    with pytest.raises(TypeError, match="ndarray has no method forward: expected a layer or"):
        nr.gradcheck(np.zeros(3), np.zeros(3))
    with pytest.raises(TypeError, match=r"a pair must be two functions, \(forward, backward\)"):
        nr.gradcheck((affine_forward, None), np.zeros(3))
    with pytest.raises(TypeError, match=r"affine_forward|pair is checked at \(inputs\) or \(inputs, params\), got 3"):
        nr.gradcheck((affine_forward, affine_backward), 1, 2, 3)
    with pytest.raises(TypeError, match="forward of Linear takes 2 inputs, got 3"):
        nr.gradcheck(nr.Linear(2, 2), 1, 2, 3)
    with pytest.raises(ValueError, match="method must be 'complex step' or 'differences', got 'magic'"):
        nr.gradcheck(nr.Linear(2, 2), np.zeros((1, 2)), method="magic")
    with pytest.raises(ValueError, match="backward of affine_forward returned 2 gradients, expected 3: x, w, b"):
        nr.gradcheck(
            (affine_forward, lambda d, c: affine_backward(d, c)[:2]), tuple(np.ones(s) for s in [(2, 3), (3, 4), 4])
        )
    with pytest.raises(TypeError, match="gradients are checked at real points"):
        nr.gradcheck(nr.Linear(2, 2), np.zeros((1, 2), complex))
    with pytest.raises(TypeError, match=r"must return its output and a cache for backward: out, cache"):
        nr.gradcheck((np.tanh, np.tanh), np.zeros(3))


# The methods.


def elementwise(f, slope):
    return (lambda x: (f(x), x), lambda dy, x: dy * slope(x))


@pytest.mark.parametrize(
    ("f", "slope", "words"),
    [
        (lambda x: np.abs(x) ** 3, lambda x: 3 * x * np.abs(x), "drops the imaginary part of x"),
        (lambda x: np.array(x, float) ** 2, lambda x: 2 * x, "drops the imaginary part"),
        (lambda x: (x * np.conj(x)).real, lambda x: 2 * x, "drops the imaginary part of x"),
        (lambda x: x * np.conj(x), lambda x: 2 * x, "not analytic in x"),
        (lambda x: np.hypot(x, 1), lambda x: x / np.hypot(x, 1), "does not run on complex numbers"),
    ],
)
def test_where_the_complex_step_cannot_be_used_differences_are_and_why_is_said(f, slope, words):
    pair, x = elementwise(f, slope), np.random.default_rng(0).standard_normal((3, 4))
    report = assert_right(pair, x)
    assert report.method == "differences"
    assert words in str(report)
    with pytest.raises(ValueError, match=f"method 'complex step' cannot be used: .*{words}"):
        nr.gradcheck(pair, x, method="complex step")


@pytest.mark.parametrize("scale", [1e-6, 1, 1e6])
@pytest.mark.parametrize("method", ["complex step", "differences"])
def test_the_step_follows_the_size_of_the_tensor(scale, method):
    x = scale * np.random.default_rng(0).standard_normal((3, 4))
    pair = elementwise(
        lambda x: np.tanh(x / scale) + np.exp(x / scale),
        lambda x: (1 - np.tanh(x / scale) ** 2 + np.exp(x / scale)) / scale,
    )
    assert_right(pair, x, method=method)
    off = nr.gradcheck((pair[0], lambda dy, x: (1 + 1e-7) * pair[1](dy, x)), x, method=method)
    assert not off.ok


@given(rng=some.rngs, method=methods, N=st.integers(1, 5))
def test_points_where_relu_has_no_slope_are_no_errors(rng, method, N):
    x = np.maximum(rng.standard_normal((N, 6)), 0)  # half of them are zero
    relu = elementwise(lambda x: np.maximum(x, 0), lambda x: x > 0)
    if not x.any():
        assert "x cannot be judged at this point" in str(nr.gradcheck(relu, x))
        return
    report = assert_right(relu, x, method=method)
    zeros = int((x == 0).sum())
    if zeros:
        assert f"x is not differentiable at {zeros} of {x.size} places" in str(report)


def test_a_wrong_slope_beside_kinks_is_still_found():
    x = np.array([-1.0, 0.0, 2.0])
    report = nr.gradcheck(elementwise(lambda x: np.maximum(x, 0), lambda x: 2.0 * (x > 0)), x)
    assert not report.ok
    assert report.tensors["x"].worst_index == (2,)
    assert list(report.tensors["x"].kinks) == [False, True, False]
    # At a kink anything between the two slopes will do, and nothing else.
    assert not nr.gradcheck(elementwise(lambda x: np.maximum(x, 0), lambda x: np.where(x == 0, -1.0, x > 0)), x).ok


def test_ties_of_a_maximum_are_no_errors():
    def backward(dy, x):
        dx = np.zeros_like(x)
        dx[np.arange(len(x)), x.argmax(axis=1)] = dy
        return dx

    x = np.array([[1.0, 1.0, 0.0], [0.0, 3.0, 2.0]])
    report = assert_right((lambda x: (x.max(axis=1), x), backward), x, method="differences")
    assert "x is not differentiable at 2 of 6 places" in str(report)


def test_a_large_tensor_that_is_wrong_is_looked_at_by_coordinates_too():
    x = np.random.default_rng(0).standard_normal((60, 50))
    report = nr.gradcheck(elementwise(np.tanh, lambda x: 2 * (1 - np.tanh(x) ** 2)), x)
    assert not report.ok
    assert "2" in report.tensors["x"].diagnosis
    assert report.tensors["x"].worst_index is not None
    assert np.isfinite(report.tensors["x"].numeric).sum() == 48
    assert not nr.gradcheck(elementwise(np.tanh, lambda x: 1 - np.tanh(x)), x, full=False, method="differences").ok


def test_a_forward_in_float32_is_judged_by_its_own_rounding():
    def forward(x):
        return np.tanh(x.astype(np.float32)), x

    x = np.random.default_rng(0).standard_normal((3, 4))
    report = assert_right((forward, lambda dy, x: dy * (1 - np.tanh(x) ** 2)), x)
    assert "forward computes in float32 whatever its inputs are" in str(report)
    assert not nr.gradcheck((forward, lambda dy, x: dy * 1.05 * (1 - np.tanh(x) ** 2)), x).ok


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


# Conduct.


def conduct(forward=None, backward=None):
    return nr.gradcheck(
        (forward or (lambda x: (x * x, x)), backward or (lambda dy, x: 2 * dy * x)),
        np.random.default_rng(0).standard_normal((3, 4)),
    )


def in_place(array, value):
    array[...] = value
    return array


def test_faults_of_conduct_are_named():
    assert conduct().ok
    for report, words in [
        (conduct(backward=lambda dy, x: in_place(dy, 2 * dy * x)), "backward changes the upstream gradient doutput"),
        (conduct(backward=lambda dy, x: in_place(x, 2 * dy * x)), "backward changes x"),
        (conduct(lambda x: (in_place(x, 2 * x) * 1, x), lambda dy, x: 2 * dy), "forward changes its input x"),
        (
            conduct(
                lambda x: (y := x * x, (x, y)),
                lambda dy, c: in_place(c[1], 2 * dy * c[0]),
            ),
            "backward changes what forward returned, output",
        ),
    ]:
        assert not report.ok
        assert words in str(report)


class Square:
    """A layer with a fault that only a second call shows."""

    def __init__(self):
        self.w = np.array([1.5])
        self.dw = np.zeros(1)

    def forward(self, x):
        self.x = x
        return self.w * x * x


class Accumulating(Square):
    def backward(self, dy):
        self.dw += np.sum(dy * self.x * self.x)
        return 2 * dy * self.w * self.x


class WithZeroGrad(Accumulating):
    def zero_grad(self):
        self.dw[...] = 0


class OverwritesItsCache(Square):
    def backward(self, dy):
        self.dw = np.sum(dy * self.x * self.x, keepdims=True).reshape(1)
        self.x = 2 * dy * self.w * self.x
        return self.x


class Stale(Square):
    calls = 0

    def backward(self, dy):
        self.dw = np.sum(dy * self.x * self.x, keepdims=True).reshape(1)
        self.first = getattr(self, "first", dy)
        return 2 * self.first * self.w * self.x


class Once(Square):
    def backward(self, dy):
        x = self.__dict__.pop("x")
        self.dw = np.sum(dy * x * x, keepdims=True).reshape(1)
        return 2 * dy * self.w * x


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Accumulating, "gradients add up from call to call: backward adds to w"),
        (OverwritesItsCache, "two backward calls after one forward disagree about"),
        (Stale, "the gradient of x depends on what was computed before"),
    ],
)
def test_a_backward_that_remembers_is_named(kind, words):
    report = nr.gradcheck(kind(), np.random.default_rng(0).standard_normal((3, 4)))
    assert not report.ok
    assert words in str(report)
    assert "backward misbehaves" in str(report)


def test_a_backward_that_may_be_called_once_or_zeroes_its_gradients_is_right():
    x = np.random.default_rng(0).standard_normal((3, 4))
    assert_right(WithZeroGrad(), x)
    assert "once per forward only" in str(assert_right(Once(), x))


def test_a_forward_that_draws_is_named():
    rng = np.random.default_rng(0)
    report = conduct(lambda x: (x * rng.random(x.shape), x), lambda dy, x: dy)
    assert not report.ok
    assert "forward gives two results for the same inputs" in str(report)


# The report.


class Detached(nr.RNN):
    """Right at the last step, wrong before: the output's gradient alone, step by step."""

    def backward(self, doutput, dh_n=None, tape=None):
        h, x = self.tape.recurrences[0].h, self.tape.x[0]
        dz = np.array(doutput)
        if dh_n is not None:
            dz[-1] += dh_n[0]
        dz *= 1 - h[1:] ** 2
        rows = dz.reshape(-1, self.hidden_size)
        self.weight_ih_l0.grad = rows.T @ x
        self.weight_hh_l0.grad = rows.T @ h[:-1].reshape(rows.shape)
        self.bias_ih_l0.grad = self.bias_hh_l0.grad = rows.sum(axis=0)
        dx = (rows @ self.weight_ih_l0.data).reshape(*self.tape.shape, -1)
        return dx, (dz[0] @ self.weight_hh_l0.data)[None]


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


def test_the_same_seed_gives_the_same_report():
    rng = np.random.default_rng(0)
    layer, x = Detached(3, 4, rng=rng), rng.standard_normal((5, 2, 3))
    assert str(nr.gradcheck(layer, x)) == str(nr.gradcheck(layer, x)) != str(nr.gradcheck(layer, x, seed=1))


def test_the_picture(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    for layer in (nr.RNN(3, 4, rng=rng), Detached(3, 4, rng=rng)):
        report = nr.gradcheck(layer, rng.standard_normal((5, 2, 3)))
        report.plot(tmp_path / "report.png")
        assert (tmp_path / "report.png").stat().st_size > 10_000
        figure = report.plot()
        _, _, errors = figure.axes[:3]
        by_label = {line.get_label(): line.get_ydata() for line in errors.get_lines()}
        assert by_label["complex step"][:16].max() < 1e-11  # flat, where differences have their U
        assert by_label["central difference"].min() > 1e-13
        assert by_label["central difference"][[0, -1]].min() > 1e-6
        report.plot(figure.axes[:3])
        with pytest.raises(ValueError, match="target must be a path or three axes, got 1 axes"):
            report.plot(figure.axes[:1])
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match="matplotlib is not installed: pip install matplotlib"):
        report.plot()


def test_differences_are_of_sixth_order():
    x = np.array([2.4, 8.0, -5.6])
    derivative, error = richardson(lambda values: np.sin(values["x"]), {"x": x}, "x", np.ones(3))
    off = np.abs(derivative - np.cos(x))
    # A fourth-order term in the result, even a small part of one, would leave 1e-12; rounding leaves 1e-14.
    assert off.max() < 2e-13
    assert (off < error).all()


def test_what_is_only_nearly_a_known_mistake_is_not_named():
    x = np.random.default_rng(0).standard_normal((3, 4))
    nearly = 2 * (1 + 1e-3 * np.random.default_rng(1).standard_normal(x.shape))
    report = nr.gradcheck(elementwise(np.tanh, lambda x: nearly * (1 - np.tanh(x) ** 2)), x)
    assert report.tensors["x"].diagnosis == "no known mistake gives these numbers"


# What was not compared is not right.

RNG = np.random.default_rng(1)
x_54, w_43, b_3 = RNG.standard_normal((5, 4)), RNG.standard_normal((4, 3)), RNG.standard_normal(3)


def product(x, w):
    return x @ w, (x, w)


def product_back(d, cache):
    x, w = cache
    return d @ w.T, x.T @ d


@pytest.mark.parametrize(
    ("backward", "words"),
    [
        (lambda d, c: None, "2 of 2 gradients wrong"),
        (lambda d, c: (product_back(d, c)[0], None), "NO GRADIENT"),
        (lambda d, c: dict(zip(["dx", "dW"], product_back(d, c), strict=True)), "backward returns dW, which names"),
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
    assert "a is a Python number and left alone: np.array(1.5) would be checked" in str(report)
    assert list(assert_right((scaled, scaled_back), (np.float64(1.5), np.float64(2))).tensors) == ["a", "c"]
    assert not nr.gradcheck((product, product_back), (np.zeros((0, 4)), np.zeros((4, 0)))).ok
    with pytest.raises(TypeError, match=r"returned no floating-point numbers \(output: int64\)"):
        nr.gradcheck((product, product_back), (np.ones((5, 4), np.int64), np.ones((4, 3), np.int64)))


class Affine:
    factor = 1

    def __init__(self):
        self.W, self.b = w_43.copy(), b_3.copy()

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, d):
        self.dW, self.db = self.factor * self.x.T @ d, d.sum(axis=0)
        return d @ self.W.T


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
    assert "all 2 gradients right, BUT b NOT CHECKED" in str(nr.gradcheck(ForgetsDb(), x_54))
    assert "BUT W NOT CHECKED" in str(nr.gradcheck(Replaces(), x_54))
    assert "NOT CHECKED" not in str(assert_right(Affine(), x_54))
    assert set(assert_right(GradNames(), x_54).tensors) == {"x", "W", "b"}


def test_a_layer_that_returns_more_gradients_than_inputs_is_an_error():
    class Returns(Affine):
        def backward(self, d):
            return d @ self.W.T, 7 * self.x.T @ d

    with pytest.raises(ValueError, match="backward of Returns returned 2 gradients, expected 1: x"):
        nr.gradcheck(Returns(), x_54)


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


@pytest.mark.parametrize("full", [True, False])
def test_where_every_slope_is_at_a_kink_nothing_is_said_to_be_right(full):
    def forward(x, w):
        return np.maximum(x @ w, 0), (x, w)

    report = nr.gradcheck((forward, lambda d, c: (0 * c[0], c[0].T @ (0.3 * d))), (x_54, np.zeros((4, 3))), full=full)
    assert not report.ok
    assert "w cannot be judged at this point" in str(report)


def test_gradients_of_integers_are_returned_and_left_alone():
    assert list(assert_right((product, product_back), (np.arange(20).reshape(5, 4), w_43)).tensors) == ["w"]


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


def test_a_factor_that_happens_to_be_a_length_may_be_a_constant():
    report = nr.gradcheck((lambda x: (x**2, x), lambda d, x: d * x), RNG.standard_normal((2, 5)))
    assert "or a constant factor of 1/2" in report.tensors["x"].diagnosis


def test_a_forward_that_misbehaves_is_not_laid_on_backward():
    report = conduct(lambda x: (in_place(x, x + 1) ** 2, x), lambda d, x: 2 * d * x)
    assert report.faults == ["forward changes its input x"]
    assert "forward misbehaves (its gradient is right)" in str(report)


def test_the_only_right_index_is_not_named_by_chance():
    def check(wrong):
        return nr.gradcheck(elementwise(np.tanh, lambda x: (1 - np.tanh(x) ** 2) + wrong * x**3), x_54)

    scattered = np.eye(5, 4)
    assert "only, wrong at all others" not in check(scattered * (np.arange(4) < 3)).tensors["x"].diagnosis
    assert "right at the last index of axis 1 only" in check(np.arange(4) < 3).tensors["x"].diagnosis


def test_what_is_no_numbers_is_named():
    for returned, words in [(None, "returned None as its output"), ("a", "dtype <U1"), ({}, "dtype object")]:
        with pytest.raises(TypeError, match=f"forward of .*{words}"):
            conduct(lambda x, returned=returned: (returned, x))
    for returned, words in [([[1, [2, 3]]], "a list"), ("abc", "a str"), (x_54.astype(object), "an array of object")]:
        with pytest.raises(TypeError, match=f"returned {words} as the gradient of x"):
            conduct(backward=lambda dy, x, returned=returned: returned)


def test_the_inputs_of_a_pair_go_into_a_tuple_and_the_pair_may_be_a_list():
    with pytest.raises(TypeError, match=r"inputs of a pair go into one tuple"):
        nr.gradcheck((product, product_back), x_54, w_43)
    assert_right([product, product_back], (x_54, w_43))
    with pytest.raises(TypeError, match="product takes x, w, got v"):
        nr.gradcheck((product, product_back), {"x": x_54, "v": w_43})


def test_a_forward_that_only_looks_like_float32_is_judged_in_float64():
    dead = nr.gradcheck((lambda x: (np.maximum(x - 100, 0), x), lambda d, x: 0 * d), x_54)
    assert "float32" not in str(dead)
    half = nr.gradcheck((lambda x: (np.tanh(x.astype(np.float16)), x), lambda d, x: d * (1 - np.tanh(x) ** 2)), x_54)
    assert "forward computes in float16" in str(half)


def test_a_batch_is_no_time():
    def center(x):
        return x - x.mean(axis=0), None

    report = nr.gradcheck((center, lambda d, _: d), x_54)
    assert "time step" not in str(report)


def test_a_gradient_as_small_as_rounding_is_not_headlined_as_right():
    report = nr.gradcheck((lambda x: (1 + 1e-17 * x, x), lambda d, x: 3e-17 * d), x_54)
    assert "x too small to judge" in str(report).splitlines()[0]
