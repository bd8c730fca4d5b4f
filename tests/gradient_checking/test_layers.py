"""No false alarms: every layer of this package passes, in random shapes."""

from hypothesis import given, settings
from hypothesis import strategies as st

import numpy_rnn as nr
from tests import strategies as some
from tests.gradient_checking.samples import assert_right

methods = st.sampled_from([None, "complex step", "differences"])
sizes = {"T": some.T, "B": some.B, "I": some.sizes, "H": some.sizes}
small = st.integers(1, 3)


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


@given(rng=some.rngs, V=some.V, E=some.sizes, T=some.T, B=some.B, method=methods, dtype=some.dtypes)
def test_embedding_is_right(rng, V, E, T, B, method, dtype):
    assert_right(nr.Embedding(V, E, dtype=dtype, rng=rng), some.tokens(rng, V, T, B), method=method)


@given(rng=some.rngs, N=st.integers(1, 9), C=some.V, scale=st.sampled_from([0.1, 1, 30, 1000]))
def test_cross_entropy_is_right(rng, N, C, scale):
    report = assert_right(nr.CrossEntropyLoss(), scale * some.normal(rng, N, C), some.tokens(rng, C, N))
    assert list(report.tensors) == ["logits"]


@given(rng=some.rngs, dtype=some.dtypes, with_h_0=..., method=methods, **sizes)
def test_rnn_is_right(rng, T, B, I, H, dtype, with_h_0: bool, method):  # noqa: E741
    h_0 = [some.normal(rng, 1, B, H, dtype=dtype)] if with_h_0 else []
    assert_right(nr.RNN(I, H, dtype=dtype, rng=rng), some.normal(rng, T, B, I, dtype=dtype), *h_0, method=method)


@settings(max_examples=15)
@given(cell=st.sampled_from([nr.LSTM, nr.GRU]), rng=some.rngs, L=st.integers(1, 2), D=..., T=small, B=small, H=small)
def test_lstm_and_gru_are_right(cell, rng, T, B, H, L, D: bool):
    layer = cell(2, H, L, bidirectional=D, rng=rng)
    states = [some.normal(rng, L * (1 + D), B, H) for _ in range(layer.cell.states)]
    report = assert_right(layer, some.normal(rng, T, B, 2), tuple(states) if len(states) > 1 else states[0])
    assert {"x", *(["h_0[0]", "h_0[1]"] if cell is nr.LSTM else ["h_0"])} < set(report.tensors)


@settings(max_examples=15)
@given(
    rng=some.rngs,
    L=st.integers(1, 3),
    nonlinearity=st.sampled_from(["tanh", "relu"]),
    D=...,
    dropout=st.sampled_from([0, 0.5]),
    T=small,
    B=small,
    I=st.integers(1, 2),
    H=st.integers(1, 2),
)
def test_rnn_with_its_options_is_right(rng, T, B, I, H, L, nonlinearity, D: bool, dropout):  # noqa: E741
    layer = nr.RNN(I, H, L, nonlinearity, dropout=dropout if L > 1 else 0, bidirectional=D, rng=rng)
    h_0 = some.normal(rng, L * (1 + D), B, H)
    assert_right(layer, some.normal(rng, T, B, I), h_0, lengths=rng.integers(1, T + 1, B))


@settings(max_examples=20)
@given(rng=some.rngs, T=st.integers(1, 4), B=some.B, V=some.V, E=small, H=small)
def test_char_rnn_is_right(rng, T, B, V, E, H):
    assert_right(nr.CharRNN(V, E, H, rng=rng), some.tokens(rng, V, T, B), some.normal(rng, 1, B, H))


@settings(max_examples=5)
@given(rng=some.rngs)
def test_a_large_layer_is_checked_along_directions(rng):
    report = assert_right(nr.Linear(60, 50, rng=rng), some.normal(rng, 40, 60))
    assert report.tensors["weight"].coordinates is None
    assert report.tensors["bias"].coordinates is not None
    assert "coverage: x, weight along random directions" in str(report)
    assert_right(nr.Linear(60, 50, rng=rng), some.normal(rng, 40, 60), method="differences")


methods = st.sampled_from([None, "complex step", "differences"])


sizes = {"T": some.T, "B": some.B, "I": some.sizes, "H": some.sizes}
