"""CharRNN with an LSTM or a GRU, against torch and the complex step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn.layers.recurrent import as_arrays
from tests import strategies as some
from tests.optional import torch
from tests.references import assert_complex_step, assert_equals_torch, leaf, make_mirror, tensor

cells = st.sampled_from(["lstm", "gru"])
V = st.sampled_from([2, 9, 40])  # fewer characters than tokens, and more
sizes = {"T": some.T, "B": some.B.filter(bool), "V": V, "E": some.sizes, "H": some.sizes, "L": st.integers(1, 3)}


def draw_state(rng, cell, *shape, dtype=np.float64):
    """Return one array, or for an LSTM a pair."""
    arrays = [some.normal(rng, *shape, dtype=dtype) for _ in range(2 if cell == "lstm" else 1)]
    return tuple(arrays) if cell == "lstm" else arrays[0]


def leaves(state):
    return tuple(map(leaf, state)) if isinstance(state, tuple) else leaf(state)


def assert_states_equal(ours, theirs, name):
    for array, expected in zip(as_arrays(ours), as_arrays(theirs), strict=True):
        assert_equals_torch(array, expected, name)


@given(cell=cells, rng=some.rngs, dtype=some.dtypes, with_h_0=..., with_dh_n=..., **sizes)
def test_forward_and_gradients_equal_torch(cell, rng, T, B, V, E, H, L, dtype, with_h_0: bool, with_dh_n: bool):
    model = nr.CharRNN(V, E, H, L, cell=cell, dtype=dtype, rng=rng)
    mirror, tokens = make_mirror(model), some.tokens(rng, V, T, B)
    h_0 = draw_state(rng, cell, L, B, H, dtype=dtype) if with_h_0 else None
    torch_h_0 = None if h_0 is None else leaves(h_0)

    logits, h_n = model.forward(tokens, h_0)
    torch_logits, torch_h_n = mirror(tensor(tokens), torch_h_0)
    assert_equals_torch(logits, torch_logits, "logits")
    assert_states_equal(h_n, torch_h_n, "h_n")

    dlogits = some.normal(rng, T, B, V, dtype=dtype)
    dh_n = draw_state(rng, cell, L, B, H, dtype=dtype) if with_dh_n else None
    dh_0 = model.backward(dlogits, dh_n)
    upstream = [tensor(dlogits), *([torch.zeros_like(h) for h in as_arrays(torch_h_n)])]
    upstream[1:] = upstream[1:] if dh_n is None else [tensor(d) for d in as_arrays(dh_n)]
    torch.autograd.backward([torch_logits, *as_arrays(torch_h_n)], upstream)
    if with_h_0:
        for ours, theirs in zip(as_arrays(dh_0), as_arrays(torch_h_0), strict=True):
            assert_equals_torch(ours, theirs.grad, "dh_0")
    for name, p in mirror.named_parameters():
        assert_equals_torch(model.parameters()[name].grad, p.grad, name)


@given(cell=cells, rng=some.rngs, dtype=some.dtypes, with_h_0=..., **sizes)
def test_loss_and_gradients_equal_torch(cell, rng, T, B, V, E, H, L, dtype, with_h_0: bool):
    model = nr.CharRNN(V, E, H, L, cell=cell, dtype=dtype, rng=rng)
    mirror, tokens, targets = make_mirror(model), some.tokens(rng, V, T, B), some.tokens(rng, V, T, B)
    h_0 = draw_state(rng, cell, L, B, H, dtype=dtype) if with_h_0 else None
    for _ in range(2):  # the second time on the same tape
        loss, h_n = model.loss_and_gradients(tokens, targets, h_0)
    torch_logits, torch_h_n = mirror(tensor(tokens), None if h_0 is None else leaves(h_0))
    torch_loss = torch.nn.CrossEntropyLoss()(torch_logits.flatten(0, 1), tensor(targets).flatten())
    torch_loss.backward()
    assert_equals_torch(np.array(loss, dtype), torch_loss)
    assert_states_equal(h_n, torch_h_n, "h_n")
    for name, p in mirror.named_parameters():
        assert_equals_torch(model.parameters()[name].grad, p.grad, name)


@given(cell=cells, rng=some.rngs, **sizes)
def test_the_gradients_of_the_loss_equal_the_complex_step(cell, rng, T, B, V, E, H, L):
    model = nr.CharRNN(V, E, H, L, cell=cell, dtype=np.float64, rng=rng)
    tokens, targets, h_0 = some.tokens(rng, V, T, B), some.tokens(rng, V, T, B), draw_state(rng, cell, L, B, H)
    model.loss_and_gradients(tokens, targets, h_0)

    def loss(tensors):
        twin = nr.CharRNN(V, E, H, L, cell=cell, dtype=np.complex128)
        twin.load_state_dict(tensors)
        return twin.loss_and_gradients(tokens, targets, h_0)[0]

    assert_complex_step(loss, model.state_dict(), {name: p.grad for name, p in model.parameters().items()}, rng)


def test_an_unknown_cell_is_named():
    for wrong in ("LSTM", "elman", None, ["lstm"]):
        with pytest.raises(ValueError, match=r"cell must be one of 'rnn', 'lstm', 'gru', got "):
            nr.CharRNN(5, cell=wrong)
    model = nr.CharRNN(5, 3, 4, cell="lstm", rng=0)
    assert model.cell == "lstm"
    assert isinstance(model.rnn, nr.LSTM)
    with pytest.raises(TypeError, match=r"h_0 must be a pair \(h_0, c_0\), got ndarray"):
        model.forward([[1]], np.zeros((1, 1, 4)))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_page_needs_a_tanh_rnn(cell):
    model, vocabulary = nr.CharRNN(2, cell=cell, rng=0), nr.Vocabulary("ab")
    with pytest.raises(ValueError, match=f"model has cell='{cell}', expected 'rnn'"):
        nr.explain(model, vocabulary, "ab")
