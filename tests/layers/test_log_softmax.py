import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from tests import strategies as some
from tests.optional import torch
from tests.references import assert_complex_step, assert_equals_torch, leaf, tensor

shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)
INF, NAN = math.inf, math.nan


def assert_log_softmax_equals_torch(x, dim, dy):
    layer, torch_x = nr.LogSoftmax(dim), leaf(x)
    y, theirs = layer.forward(x), torch.nn.LogSoftmax(dim)(torch_x)
    assert_equals_torch(y, theirs, "y", equal_nan=True)
    theirs.backward(tensor(dy))
    assert_equals_torch(layer.backward(dy), torch_x.grad, "dx", equal_nan=True)


@given(rng=some.rngs, shape=shapes, axis=st.integers(0, 3), from_the_end=..., dtype=some.dtypes, scale=some.scales)
def test_output_and_gradient_equal_torch(rng, shape, axis, from_the_end: bool, dtype, scale):
    dim = axis % max(len(shape), 1) - from_the_end * max(len(shape), 1)
    x = (scale * some.normal(rng, *shape)).astype(dtype)
    assert_log_softmax_equals_torch(x, dim, some.normal(rng, *shape).astype(dtype))


@given(rng=some.rngs, layout=some.layouts, upstream_layout=some.layouts, dim=st.integers(-3, 2))
def test_any_layout_of_memory_serves(rng, layout, upstream_layout, dim):
    x, dy = some.normal(rng, 4, 3, 2, layout=layout), some.normal(rng, 4, 3, 2, layout=upstream_layout)
    assert_log_softmax_equals_torch(x, dim, dy)


@given(rng=some.rngs, shape=shapes, axis=st.integers(0, 3), scale=some.scales)
def test_gradient_equals_the_complex_step(rng, shape, axis, scale):
    layer = nr.LogSoftmax(axis % max(len(shape), 1))
    x, dy = scale * some.normal(rng, *shape), some.normal(rng, *shape)
    layer.forward(x)
    assert_complex_step(
        lambda tensors: np.sum(nr.LogSoftmax(layer.dim).forward(tensors["x"]) * dy),
        {"x": np.asarray(x)},
        {"x": layer.backward(dy)},
        rng,
    )


@pytest.mark.parametrize("dy", [0.7, INF, NAN, 0.0])
@pytest.mark.parametrize(
    "x",
    [INF, -INF, NAN, [INF, 0], [INF, INF], [-INF, -INF], [-INF, 0], [NAN, 0], [INF, -INF], [1e308, -1e308], [-INF]],
    ids=str,
)
def test_corners_are_torchs(x, dy):
    x = np.array(x, float)
    dy = np.full(x.shape, dy)
    assert_log_softmax_equals_torch(x, 0, dy)
    assert_log_softmax_equals_torch(np.stack([x, x], axis=-1), 0, np.stack([dy, dy], axis=-1))


def test_bad_input_is_named():
    layer = nr.LogSoftmax(1)
    with pytest.raises(RuntimeError, match=r"LogSoftmax\.backward was called before forward"):
        layer.backward(0.0)
    with pytest.raises(IndexError, match=r"dim must be in \[-1, 1\) for x of shape \(3,\), got 1"):
        layer.forward(np.zeros(3))
    with pytest.raises(IndexError, match=r"dim must be in \[-1, 1\) for x of shape \(\), got 1"):
        layer.forward(np.zeros(()))
    with pytest.raises(IndexError, match=r"dim must be in \[-2, 2\) for x of shape \(3, 4\), got -3"):
        nr.LogSoftmax(-3).forward(np.zeros((3, 4)))
    with pytest.raises(TypeError, match="dim must be an integer, got None"):
        nr.LogSoftmax(None)
    layer.forward(np.zeros((3, 4)))
    with pytest.raises(ValueError, match=r"dy has shape \(4, 3\), expected the shape of x = \(3, 4\)"):
        layer.backward(np.zeros((4, 3)))
    with pytest.raises(TypeError, match="tape was made for x of dtype float32, got float64"):
        layer.forward(np.zeros((3, 4)), layer.new_tape(3, 4))


def test_it_has_the_face_of_a_layer():
    assert len(nr.LogSoftmax(0).parameters()) == 0
    assert nr.LogSoftmax(0).state_dict() == {}
