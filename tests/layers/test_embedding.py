import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn.layers.embedding import Scatter
from tests import strategies as some
from tests.optional import torch
from tests.references import assert_complex_step, assert_equals_torch, tensor


# With a vocabulary of 20000 the scatter sorts.
@given(
    rng=some.rngs,
    T=some.T,
    B=some.B,
    V=some.V | st.just(20_000),
    E=some.sizes,
    dtype=some.dtypes,
    layout=some.layouts,
)
def test_forward_and_gradient_equal_torch(rng, T, B, V, E, dtype, layout):
    layer = nr.Embedding(V, E, dtype=dtype, rng=rng)
    tokens = some.tokens(rng, V, T, B, layout=layout)
    mirror = torch.nn.Embedding(V, E, _weight=tensor(layer.state_dict()["weight"]))

    y, theirs = layer.forward(tokens), mirror(tensor(tokens))
    assert_equals_torch(y, theirs)

    dy = some.normal(rng, T, B, E, dtype=dtype, layout=layout)
    assert layer.backward(dy) is None
    theirs.backward(tensor(dy))
    assert_equals_torch(layer.parameters()["weight"].grad, mirror.weight.grad)


@given(rng=some.rngs, T=some.T, B=some.B, V=some.V, E=some.sizes, data=st.data())
def test_padding_has_no_vector_and_no_gradient(rng, T, B, V, E, data):
    padding_idx = data.draw(st.integers(-V, V - 1))
    layer, mirror = nr.Embedding(V, E, padding_idx, dtype=np.float64, rng=rng), torch.nn.Embedding(V, E, padding_idx)
    assert layer.padding_idx == mirror.padding_idx
    assert not layer.weight.data[padding_idx].any()
    mirror = mirror.double()
    weight = some.normal(rng, V, E)  # as in torch, loading may put a vector in its place
    layer.load_state_dict({"weight": weight})
    mirror.load_state_dict({"weight": tensor(weight)})
    tokens, dy = some.tokens(rng, V, T, B), some.normal(rng, T, B, E)
    y = mirror(tensor(tokens))
    assert_equals_torch(layer.forward(tokens), y)
    layer.backward(dy)
    y.backward(tensor(dy))
    assert_equals_torch(layer.weight.grad, mirror.weight.grad)


@given(rng=some.rngs, T=some.T, B=some.B, V=some.V, E=some.sizes)
def test_gradient_equals_the_complex_step(rng, T, B, V, E):
    layer = nr.Embedding(V, E, dtype=np.float64, rng=rng)
    tokens, dy = some.tokens(rng, V, T, B), some.normal(rng, T, B, E)
    layer.forward(tokens)
    layer.backward(dy)

    def loss(tensors):
        twin = nr.Embedding(V, E, dtype=np.complex128)
        twin.load_state_dict(tensors)
        return (dy * twin.forward(tokens)).sum()

    assert_complex_step(loss, layer.state_dict(), {"weight": layer.parameters()["weight"].grad}, rng)


@given(rng=some.rngs, N=st.integers(0, 50) | st.just(3000), V=some.V | st.just(500), E=some.sizes)
def test_scatter_add_is_the_transpose_of_a_one_hot_product(rng, N, V, E):
    indices, rows, out = rng.integers(0, V, N), some.normal(rng, N, E), some.normal(rng, V, E)
    scatter = Scatter(N, V, np.float64)
    for _ in range(2):  # a scatter is used again and again
        scatter.add(indices, rows, out, np.empty_like(rows))
        # Sums of at most 3000 terms of size 1, in another order.
        np.testing.assert_allclose(out, np.eye(V)[indices].T @ rows, rtol=0, atol=1e-11)
        indices, rows = rng.integers(0, V, N), some.normal(rng, N, E)


@pytest.mark.parametrize("V", [3, 5000])  # a one-hot product, and a sort
@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_stays_in_its_row(V, odd):
    layer, mirror = nr.Embedding(V, 2, padding_idx=0, rng=0), torch.nn.Embedding(V, 2, padding_idx=0)
    tokens, dy = [0, 1, 2, 1], np.array([[odd, 0], [1, odd], [3, 4], [5, 6]], np.float32)
    layer.forward(tokens)
    layer.backward(dy)
    mirror(torch.tensor(tokens)).backward(torch.tensor(dy))
    assert_equals_torch(layer.weight.grad, mirror.weight.grad, equal_nan=True)


def test_no_tokens_will_do():
    layer = nr.Embedding(5, 2, rng=0)
    assert layer.forward([]).shape == (0, 2)
    layer.backward(np.zeros((0, 2)))
    assert not layer.weight.grad.any()


@pytest.mark.parametrize("bad", [-1, 5, 99, -(2**40)])
def test_an_index_outside_the_table_is_an_error(bad):
    layer = nr.Embedding(5, 2, rng=0)
    with pytest.raises(IndexError, match=rf"tokens must be in \[0, 5\), got {bad} at \[1, 0\]"):
        layer.forward([[0], [bad]])


def test_any_integer_dtype_will_do():
    layer = nr.Embedding(5, 2, rng=0)
    for dtype in (np.int8, np.uint8, np.int32, np.uint64, np.int64):
        np.testing.assert_array_equal(layer.forward(np.array([4, 0], dtype)), layer.state_dict()["weight"][[4, 0]])


@pytest.mark.parametrize("tokens", [[[0.0]], [[True]], [["a"]]])
def test_tokens_that_are_no_integers_are_an_error(tokens):
    with pytest.raises(TypeError, match="tokens must be integers, got dtype"):
        nr.Embedding(5, 2, rng=0).forward(tokens)


def test_bad_arguments_are_named():
    with pytest.raises(TypeError, match=r"embedding_dim must be an integer, got 2\.5"):
        nr.Embedding(5, 2.5)
    with pytest.raises(TypeError, match=r"dtype must be float32, float64 or complex128, got <class 'numpy.int64'>"):
        nr.Embedding(5, 2, dtype=np.int64)
    for bad in (5, -6):
        with pytest.raises(ValueError, match=rf"padding_idx must be in \[-num_embeddings, .* \[-5, 5\), got {bad}"):
            nr.Embedding(5, 2, padding_idx=bad)
    layer = nr.Embedding(5, 2, rng=0)
    layer.forward([[1], [2]])
    with pytest.raises(ValueError, match=r"dy has shape \(2, 1, 3\), expected .* = \(2, 1, 2\)"):
        layer.backward(np.zeros((2, 1, 3)))


def test_initial_values_are_standard_normal():
    weight = nr.Embedding(300, 300, rng=0).state_dict()["weight"]
    # 90000 draws: the standard errors of mean and deviation are 1/300 and 1/424.
    assert abs(weight.mean()) < 0.02
    assert abs(weight.std() - 1) < 0.02
