"""float32 in forward or backward, epsilons, and the tolerances that the user may add."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numpy_rnn as nr
from tests import strategies as some
from tests.gradient_checking.samples import assert_right

rng = np.random.default_rng(4)
x_T, Wx_EH, Wh_HH = rng.standard_normal((2, 5, 3)), rng.standard_normal((3, 4)), 0.5 * rng.standard_normal((4, 4))


class Recurrent:
    """A tanh RNN that stores its states in `kind`, as deep-learning-from-scratch does; its dWh is off by `factor`."""

    def __init__(self, kind, factor=1.0, name="Wh"):
        self.kind, self.factor, self.name = kind, factor, name
        self.Wx, self.Wh = Wx_EH.copy(), Wh_HH.copy()

    def forward(self, x):
        self.x, self.hs, h = x, np.empty((*x.shape[:2], 4), dtype=self.kind), np.zeros((len(x), 4))
        for t in range(x.shape[1]):
            self.hs[:, t] = np.tanh(x[:, t] @ self.Wx + h @ self.Wh)
            h = self.hs[:, t]
        return self.hs

    def backward(self, d):
        dx, self.dWx, self.dWh, carried = np.zeros_like(self.x), np.zeros_like(self.Wx), np.zeros_like(self.Wh), 0
        for t in reversed(range(d.shape[1])):
            dz = (d[:, t] + carried) * (1 - self.hs[:, t] ** 2)
            dx[:, t] = dz @ self.Wx.T
            self.dWx += self.x[:, t].T @ dz
            if t:
                self.dWh += self.hs[:, t - 1].T @ dz
            carried = dz @ self.Wh.T
        setattr(self, f"d{self.name}", self.factor * getattr(self, f"d{self.name}"))
        return dx


def limit_of(report, kind):
    """Return the limit that the report prints, from which on an error cannot be seen."""
    words = rf"relative errors below (\S+) cannot be seen: forward computes in {kind}"
    return float(re.search(words, str(report))[1])


@pytest.mark.parametrize("name", ["Wx", "Wh"])
@pytest.mark.parametrize("factor", [1.0003, 1.002, 0.998, 3])
def test_an_error_below_two_per_mille_shows_behind_a_forward_in_float32(name, factor):
    report = nr.gradcheck(Recurrent("f", factor, name), x_T)
    assert report.tensors[name].verdict == "WRONG", str(report)
    assert sum(tensor.verdict != "ok" for tensor in report.tensors.values()) == 1
    assert limit_of(report, "float32") < 2e-3


@settings(max_examples=12)
@given(rng=some.rngs, B=st.integers(1, 3), T=st.integers(2, 5), scale=st.sampled_from([0.1, 1]))
def test_a_right_layer_passes_in_float32(rng, B, T, scale):
    report = assert_right(Recurrent("f"), scale * rng.standard_normal((B, T, 3)))
    assert 1e-7 < limit_of(report, "float32") < 0.02


def test_a_forward_in_float16_that_is_too_coarse_is_not_judged():
    def halves(x):
        return np.tanh(x).astype(np.float16), x

    x = np.random.default_rng(4).standard_normal((3, 4))
    for factor in (1, 3):
        report = nr.gradcheck((halves, lambda d, x, f=factor: f * d * (1 - np.tanh(x) ** 2)), x)
        assert not report.ok
        assert limit_of(report, "float16") > 1e-3
        if report.tensors["x"].verdict == "COARSE":
            assert "forward computes too coarsely to tell whether the gradient of x is right" in str(report)


def test_a_derivative_that_is_zero_is_not_too_coarse():
    def centred(x, b):
        z = x + b
        return (z - z.mean(axis=0)).astype(np.float32), None

    x, b = rng.standard_normal((5, 3)), rng.standard_normal(3)
    assert_right((centred, lambda d, cache: (d - d.mean(axis=0), np.zeros(3))), (x, b))
    assert not nr.gradcheck((centred, lambda d, cache: (d - d.mean(axis=0), np.full(3, 1e-2))), (x, b)).ok


def test_no_limit_is_printed_for_float64():
    layer = Recurrent("d")
    assert "cannot be seen" not in str(assert_right(layer, x_T, method="differences"))


def softmax(scores):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


labels = np.array([2, 0, 1, 2])
scores = rng.standard_normal((4, 3))


def cross_entropy(scores):
    """Add an epsilon that backward knows nothing of."""
    p = softmax(scores)
    return -np.mean(np.log(p[np.arange(4), labels] + 1e-7)), p


def cross_entropy_back(d, p):
    return d * (p - np.eye(3)[labels]) / 4


def in_float32(d, p):
    return cross_entropy_back(d, p).astype(np.float32)


def slightly_off(d, p):
    return cross_entropy_back(d, p) * (1 + 2e-4)


@pytest.mark.parametrize("backward", [cross_entropy_back, in_float32])
def test_an_epsilon_or_float32_in_backward_is_called_what_it_is(backward):
    report = nr.gradcheck((cross_entropy, backward), scores)
    tensor = report.tensors["scores"]
    assert not report.ok
    assert tensor.verdict == "CLOSE"
    digits = int(re.search(r"its gradient agrees to (\d+) digits only", str(report).splitlines()[0])[1])
    assert 10.0 ** -(digits + 1) < tensor.max_relative_error < 10.0 ** -(digits - 1)
    assert f"agrees to {digits} digits\n" in str(report)
    rtol = re.search(r"\(--rtol (\S+)\) accepts them", str(report).replace("\n  ", " "))[1]
    accepted = assert_right((cross_entropy, backward), scores, rtol=float(rtol))
    assert accepted.tensors["scores"].max_relative_error == tensor.max_relative_error


def test_an_error_larger_than_those_of_an_epsilon_is_wrong():
    report = nr.gradcheck((cross_entropy, slightly_off), scores)
    assert report.tensors["scores"].verdict == "WRONG"
    assert "rtol" not in str(report)


@pytest.mark.parametrize("error", [3e-9, 3e-7, 3e-5, 3e-3, 0.3])
@pytest.mark.parametrize("method", ["complex step", "differences"])
def test_rtol_and_atol_accept_the_printed_errors_and_none_larger(error, method):
    def backward(d, x):
        gradient = d * np.cos(x)
        gradient[1, 2] *= 1 + error
        return gradient

    x = np.linspace(-1, 1, 12).reshape(3, 4)

    def check(**options):
        return nr.gradcheck((lambda x: (np.sin(x), x), backward), x, method=method, **options)

    tensor = check().tensors["x"]
    assert tensor.verdict == ("CLOSE" if tensor.max_relative_error <= 1e-4 else "WRONG")
    printed = {"rtol": tensor.max_relative_error, "atol": tensor.max_absolute_error}
    for name, value in printed.items():
        assert check(**{name: 1.001 * value}).ok
        assert not check(**{name: 0.9 * value}).ok
    assert check(rtol=0.6 * printed["rtol"], atol=0.6 * printed["atol"]).ok
    assert not check(rtol=0.4 * printed["rtol"], atol=0.4 * printed["atol"]).ok


@pytest.mark.parametrize("gradient", [lambda d: d.T, lambda d: None, lambda d: np.nan * d, lambda d: np.inf * d])
def test_tolerances_do_not_excuse_a_shape_a_missing_gradient_or_nan(gradient):
    x = np.linspace(-1, 1, 12).reshape(3, 4)
    report = nr.gradcheck((lambda x: (np.sin(x), x), lambda d, cache: gradient(d)), x, rtol=1e3, atol=1e3)
    assert report.tensors["x"].verdict in ("SHAPE", "NO GRADIENT", "WRONG")


@pytest.mark.parametrize("name", ["rtol", "atol"])
@pytest.mark.parametrize("value", [-1e-9, np.nan, np.inf, "1e-6", None, True])
def test_tolerances_are_finite_numbers(name, value):
    with pytest.raises(ValueError, match=f"{name} must be a finite number of at least 0, got"):
        nr.gradcheck((cross_entropy, cross_entropy_back), scores, **{name: value})
