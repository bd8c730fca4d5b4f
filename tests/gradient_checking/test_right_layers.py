"""Right layers that this package does not have, in random shapes and dtypes: no false alarm."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numpy_rnn as nr
from tests import strategies as some


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class LayerNorm:
    def __init__(self, rng, D, dtype):
        self.gamma, self.beta = (rng.standard_normal(D).astype(dtype) for _ in range(2))

    def forward(self, x):
        centred = x - x.mean(axis=-1, keepdims=True)
        self.s = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
        self.n = centred * self.s
        return self.gamma * self.n + self.beta

    def backward(self, dout):
        others = tuple(range(dout.ndim - 1))
        self.dgamma, self.dbeta = (dout * self.n).sum(axis=others), dout.sum(axis=others)
        dn = dout * self.gamma
        mean = dn.mean(axis=-1, keepdims=True)
        return self.s * (dn - mean - self.n * (dn * self.n).mean(axis=-1, keepdims=True))


class Attention:
    """Causal self-attention with one head; the mask is a constant within forward."""

    def __init__(self, rng, D, dtype):
        self.params = {name: (rng.standard_normal((D, D)) / np.sqrt(D)).astype(dtype) for name in ("Wq", "Wk", "Wv")}
        self.grads = {}

    def forward(self, x):
        self.x, T = x, x.shape[1]
        self.q, self.k, self.v = (x @ self.params[name] for name in ("Wq", "Wk", "Wv"))
        scores = self.q @ self.k.swapaxes(1, 2) / np.sqrt(x.shape[2])
        scores = np.where(np.tri(T, dtype=bool), scores, -1e30)
        weights = np.exp(scores - scores.max(axis=2, keepdims=True))
        self.p = weights / weights.sum(axis=2, keepdims=True)
        return self.p @ self.v

    def backward(self, dout):
        dp = dout @ self.v.swapaxes(1, 2)
        ds = self.p * (dp - (dp * self.p).sum(axis=2, keepdims=True)) / np.sqrt(dout.shape[2])
        parts = {"Wq": ds @ self.k, "Wk": ds.swapaxes(1, 2) @ self.q, "Wv": self.p.swapaxes(1, 2) @ dout}
        for name, d in parts.items():
            self.grads[name] = np.einsum("bti,btj->ij", self.x, d)
        return sum(d @ self.params[name].T for name, d in parts.items())


class Conv1d:
    def __init__(self, rng, C, dtype, filters=2, K=2, stride=1):
        self.W = rng.standard_normal((filters, C, K)).astype(dtype)
        self.b, self.stride = rng.standard_normal(filters).astype(dtype), stride

    def starts(self):
        return range(0, self.x.shape[1] - self.W.shape[2] + 1, self.stride)

    def forward(self, x):
        self.x = x
        K = self.W.shape[2]
        return np.stack([np.einsum("nkc,ock->no", x[:, t : t + K], self.W) + self.b for t in self.starts()], axis=1)

    def backward(self, dout):
        K, dx = self.W.shape[2], np.zeros_like(self.x)
        self.dW, self.db = np.zeros_like(self.W), dout.sum(axis=(0, 1))
        for n, t in enumerate(self.starts()):
            self.dW += np.einsum("no,nkc->ock", dout[:, n], self.x[:, t : t + K])
            dx[:, t : t + K] += np.einsum("no,ock->nkc", dout[:, n], self.W)
        return dx


class MaxPool:
    """The largest of each pair of steps; ties go to the first."""

    def __init__(self, rng, D, dtype):
        pass

    def forward(self, x):
        x = x[:, : x.shape[1] // 2 * 2]
        self.shape, pairs = x.shape, x.reshape(len(x), -1, 2, x.shape[2])
        self.first = pairs[:, :, :1] >= pairs[:, :, 1:]
        return pairs.max(axis=2)

    def backward(self, dout):
        return np.concatenate([dout[:, :, None] * self.first, dout[:, :, None] * ~self.first], axis=2).reshape(
            self.shape
        )


class GELU(MaxPool):
    def forward(self, x):
        self.x, self.t = x, np.tanh(0.8 * (x + 0.04 * x**3))
        return 0.5 * x * (1 + self.t)

    def backward(self, dout):
        return dout * 0.5 * (1 + self.t + self.x * (1 - self.t**2) * 0.8 * (1 + 0.12 * self.x**2))


def lstm_step(x, h, c, W, U, b):
    i, f, o, g = np.split(x @ W + h @ U + b, 4, axis=1)
    i, f, o, g = sigmoid(i), sigmoid(f), sigmoid(o), np.tanh(g)
    new = f * c + i * g
    tanh = np.tanh(new)
    return o * tanh, new, (x, h, c, W, U, i, f, o, g, tanh)


def lstm_step_back(dh, dnew, cache):
    x, h, c, W, U, i, f, o, g, tanh = cache
    dnew = dnew + dh * o * (1 - tanh**2)
    parts = dnew * g * i * (1 - i), dnew * c * f * (1 - f), dh * tanh * o * (1 - o), dnew * i * (1 - g * g)
    dz = np.hstack(parts)
    return dz @ W.T, dz @ U.T, dnew * f, x.T @ dz, h.T @ dz, dz.sum(axis=0)


LAYERS = [LayerNorm, Attention, Conv1d, MaxPool, GELU]
settings_of_few = settings(max_examples=8)


def assert_all_right(report, count):
    assert report.ok, str(report)
    assert len(report.tensors) == count
    assert all(tensor.verdict == "ok" for tensor in report.tensors.values())


@pytest.mark.parametrize("kind", LAYERS)
@settings_of_few
@given(
    rng=some.rngs, B=st.integers(1, 3), T=st.integers(2, 4), D=st.integers(2, 4), dtype=some.dtypes,
    scale=st.sampled_from([0.01, 1, 10]), method=st.sampled_from([None, "differences"]),
    full=st.sampled_from([None, False]),
)  # fmt: skip
def test_a_right_layer_is_right(kind, rng, B, T, D, dtype, scale, method, full):
    x = (scale * rng.standard_normal((B, T, D))).astype(dtype)
    if kind is MaxPool:
        x = np.ascontiguousarray(x[:, : T // 2 * 2])
    layer = kind(rng, D, dtype)
    count = 1 + len(vars(layer).get("params", [n for n in ("gamma", "beta", "W", "b") if n in vars(layer)]))
    assert_all_right(nr.gradcheck(layer, x, method=method, full=full, seed=T), count)


@settings_of_few
@given(rng=some.rngs, B=st.integers(1, 3), E=st.integers(1, 3), H=st.integers(1, 4), dtype=some.dtypes)
def test_an_lstm_step_is_right(rng, B, E, H, dtype):
    shapes = (B, E), (B, H), (B, H), (E, 4 * H), (H, 4 * H), 4 * H
    inputs = tuple(rng.standard_normal(shape).astype(dtype) for shape in shapes)
    assert_all_right(nr.gradcheck((lstm_step, lstm_step_back), inputs), 6)


@settings_of_few
@given(rng=some.rngs, layout=some.layouts, seed=st.integers(0, 100))
def test_a_right_layer_is_right_in_any_memory_layout_and_for_any_seed(rng, layout, seed):
    x = some.normal(rng, 2, 3, 4, layout=layout)
    assert_all_right(nr.gradcheck(LayerNorm(rng, 4, np.float64), x, seed=seed), 3)


@pytest.mark.parametrize("kind", [LayerNorm, Attention, Conv1d, GELU])
@settings_of_few
@given(rng=some.rngs, error=st.sampled_from([1e-3, 0.1, 3]))
def test_the_same_layer_with_an_error_in_one_element_is_not(kind, rng, error):
    class Wrong(kind):
        def backward(self, dout):
            dx = super().backward(dout)
            dx[1, 1, 2] *= 1 + error
            return dx

    report = nr.gradcheck(Wrong(rng, 3, np.float32), rng.standard_normal((2, 3, 3)))
    assert not report.ok
    assert {name for name, tensor in report.tensors.items() if tensor.verdict != "ok"} == {"x"}
    assert report.tensors["x"].worst_index == (1, 1, 2)
