import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn import textbook
from tests import strategies as some
from tests.optional import torch
from tests.references import assert_close, assert_complex_step, assert_equals_torch, leaf, make_mirror, tensor

model_sizes = {"T": some.T, "B": some.B, "V": some.V, "E": some.sizes, "H": some.sizes, "L": st.integers(1, 3)}


def named_gradients(model):
    return {name: p.grad for name, p in model.parameters().items()}


@given(rng=some.rngs, dtype=some.dtypes, layout=some.layouts, with_h_0=..., with_dh_n=..., **model_sizes)
def test_forward_and_gradients_equal_torch(rng, T, B, V, E, H, L, dtype, layout, with_h_0: bool, with_dh_n: bool):
    model = nr.CharRNN(V, E, H, L, dtype=dtype, rng=rng)
    mirror = make_mirror(model)
    tokens = some.tokens(rng, V, T, B, layout=layout)
    h_0 = some.normal(rng, L, B, H, dtype=dtype, layout=layout) if with_h_0 else None
    torch_h_0 = leaf(h_0)

    logits, h_n = model.forward(tokens, h_0)
    torch_logits, torch_h_n = mirror(tensor(tokens), torch_h_0)
    assert_equals_torch(logits, torch_logits, "logits")
    assert_equals_torch(h_n, torch_h_n, "h_n")

    dlogits = some.normal(rng, T, B, V, dtype=dtype, layout=layout)
    dh_n = some.normal(rng, L, B, H, dtype=dtype, layout=layout) if with_dh_n else None
    dh_0 = model.backward(dlogits, dh_n)
    upstream = [tensor(dlogits), torch.zeros_like(torch_h_n) if dh_n is None else tensor(dh_n)]
    torch.autograd.backward([torch_logits, torch_h_n], upstream)
    if with_h_0:
        assert_equals_torch(dh_0, torch_h_0.grad, "dh_0")
    for name, p in mirror.named_parameters():
        assert_equals_torch(model.parameters()[name].grad, p.grad, name)


@given(rng=some.rngs, dtype=some.dtypes, layout=some.layouts, with_h_0=..., **model_sizes)
def test_loss_and_gradients_equal_torch(rng, T, B, V, E, H, L, dtype, layout, with_h_0: bool):
    model = nr.CharRNN(V, E, H, L, dtype=dtype, rng=rng)
    mirror = make_mirror(model)
    tokens, targets = (some.tokens(rng, V, T, B, layout=layout) for _ in range(2))
    h_0 = some.normal(rng, L, B, H, dtype=dtype, layout=layout) if with_h_0 else None

    loss, h_n = model.loss_and_gradients(tokens, targets, h_0)
    torch_logits, torch_h_n = mirror(tensor(tokens), leaf(h_0))
    torch_loss = torch.nn.CrossEntropyLoss()(torch_logits.flatten(0, 1), tensor(targets).flatten())
    torch_loss.backward()
    if B:
        assert_equals_torch(np.array(loss, dtype), torch_loss)
    else:
        assert math.isnan(loss)
        assert torch_loss.isnan()
    assert_equals_torch(h_n, torch_h_n, "h_n")
    for name, p in mirror.named_parameters():
        assert_equals_torch(model.parameters()[name].grad, p.grad, name)


@given(rng=some.rngs, **model_sizes)
def test_gradients_equal_the_complex_step(rng, T, B, V, E, H, L):
    model = nr.CharRNN(V, E, H, L, dtype=np.float64, rng=rng)
    tokens, h_0 = some.tokens(rng, V, T, B), some.normal(rng, L, B, H)
    dlogits, dh_n = some.normal(rng, T, B, V), some.normal(rng, L, B, H)
    model.forward(tokens, h_0)
    dh_0 = model.backward(dlogits, dh_n)

    def function(tensors):
        twin = nr.CharRNN(V, E, H, L, dtype=np.complex128)
        twin.load_state_dict({name: tensors[name] for name in twin.parameters()})
        logits, h_n = twin.forward(tokens, tensors["h_0"])
        return (dlogits * logits).sum() + (dh_n * h_n).sum()

    assert_complex_step(function, {"h_0": h_0} | model.state_dict(), {"h_0": dh_0} | named_gradients(model), rng)


@given(rng=some.rngs, **model_sizes | {"B": some.B.filter(bool)})
def test_the_gradients_of_the_loss_equal_the_complex_step(rng, T, B, V, E, H, L):
    model = nr.CharRNN(V, E, H, L, dtype=np.float64, rng=rng)
    tokens, targets, h_0 = some.tokens(rng, V, T, B), some.tokens(rng, V, T, B), some.normal(rng, L, B, H)
    model.loss_and_gradients(tokens, targets, h_0)

    def loss(tensors):
        twin = nr.CharRNN(V, E, H, L, dtype=np.complex128)
        twin.load_state_dict(tensors)
        return twin.loss_and_gradients(tokens, targets, h_0)[0]

    assert_complex_step(loss, model.state_dict(), named_gradients(model), rng)


@given(rng=some.rngs, dtype=some.dtypes, **model_sizes | {"B": some.B.filter(bool), "L": st.just(1)})
def test_the_textbook_says_the_same(rng, T, B, V, E, H, L, dtype):
    model = nr.CharRNN(V, E, H, L, dtype=dtype, rng=rng)
    p = model.state_dict()
    tokens, targets = some.tokens(rng, V, T, B), some.tokens(rng, V, T, B)
    h_0, dh_n = some.normal(rng, L, B, H, dtype=dtype), some.normal(rng, L, B, H, dtype=dtype)

    logits, h_n = model.forward(tokens, h_0)
    book_logits, x, h = textbook.forward(p, tokens, h_0[0])
    assert_close(logits, book_logits)
    assert_close(h_n[0], h[-1])

    loss = model.criterion.forward(logits.reshape(-1, V), targets.reshape(-1))
    dlogits = model.criterion.backward().reshape(T, B, V)
    book_loss, book_dlogits = textbook.cross_entropy(book_logits, targets)
    assert_close(np.array(loss, dtype), book_loss)
    assert_close(dlogits, book_dlogits)

    dh_0 = model.backward(dlogits, dh_n)
    book_gradients, book_dh_0 = textbook.backward(p, tokens, x, h, book_dlogits, dh_n[0])
    assert_close(dh_0[0], book_dh_0)
    for name, gradient in book_gradients.items():
        assert_close(model.parameters()[name].grad, gradient, name)


@given(rng=some.rngs, **model_sizes | {"B": some.B.filter(bool), "L": st.just(1)})
def test_the_textbooks_gradients_equal_the_complex_step(rng, T, B, V, E, H, L):
    p = textbook.init(V, E, H, rng)
    tokens, targets = some.tokens(rng, V, T, B), some.tokens(rng, V, T, B)
    h_0, dh_n = some.normal(rng, B, H), some.normal(rng, B, H)

    def function(tensors):
        logits, _, h = textbook.forward(tensors, tokens, tensors["h_0"])
        return textbook.cross_entropy(logits, targets)[0] + (dh_n * h[-1]).sum()

    logits, x, h = textbook.forward(p, tokens, h_0)
    _, dlogits = textbook.cross_entropy(logits, targets)
    gradients, dh_0 = textbook.backward(p, tokens, x, h, dlogits, dh_n)
    assert_complex_step(function, p | {"h_0": h_0}, gradients | {"h_0": dh_0}, rng)


@given(rng=some.rngs, **model_sizes | {"B": some.B.filter(bool)})
def test_dropout_is_that_of_the_rnn_in_training_mode_alone(rng, T, B, V, E, H, L):
    L = max(L, 2)
    model = nr.CharRNN(V, E, H, L, dropout=0.5, dtype=np.float64, rng=rng)
    tokens, targets = some.tokens(rng, V, T, B), some.tokens(rng, V, T, B)
    tape = model.new_tape(T, B)
    loss, _ = model.loss_and_gradients(tokens, targets, tape=tape)
    masks, gradients = tape.rnn.masks, model.parameters().grad.copy()
    assert len(masks) == L - 1

    output, _ = model.rnn.forward(model.embedding.forward(tokens), masks=masks)
    logits = model.fc.forward(output)
    assert model.criterion.forward(logits.reshape(-1, V), targets.reshape(-1)) == pytest.approx(loss, rel=1e-12)
    doutput = model.fc.backward(model.criterion.backward().reshape(T, B, V))
    model.embedding.backward(model.rnn.backward(doutput)[0])
    # The table is multiplied before it is looked up, or after: the sums come in another order.
    np.testing.assert_allclose(model.parameters().grad, gradients, rtol=1e-10, atol=1e-14)

    assert model.eval() is model
    plain = nr.CharRNN(V, E, H, L, dtype=np.float64)
    plain.load_state_dict(model.state_dict())
    assert model.loss_and_gradients(tokens, targets, tape=tape)[0] == plain.loss_and_gradients(tokens, targets)[0]
    assert tape.rnn.masks is None


def test_the_same_seed_gives_the_same_model_in_every_dtype():
    wide = nr.CharRNN(5, 3, 4, dtype=np.float64, rng=np.random.default_rng(3)).state_dict()
    narrow = nr.CharRNN(5, 3, 4, rng=np.random.default_rng(3)).state_dict()
    for name, value in narrow.items():
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, wide[name].astype(np.float32))
    other = nr.CharRNN(5, 3, 4, rng=np.random.default_rng(4)).state_dict()
    assert any((value != other[name]).any() for name, value in narrow.items())


def test_sizes_of_any_integer_type_and_inputs_of_any_kind_will_do():
    model = nr.CharRNN(np.uint8(20), np.uint8(20), np.uint8(20), dtype=np.float64, rng=0)
    tokens = np.arange(6).reshape(3, 2)
    h_0 = torch.zeros(1, 2, 20, dtype=torch.float64, requires_grad=True)
    expected, _ = model.forward(tokens)
    for same in (tokens.tolist(), tokens.astype(np.uint8), torch.tensor(tokens)):
        np.testing.assert_array_equal(model.forward(same, h_0)[0], expected)


def test_bad_input_is_named():
    model = nr.CharRNN(5, 3, 4, rng=0)
    with pytest.raises(IndexError, match=r"tokens must be in \[0, 5\), got 5 at \[0, 0\]"):
        model.forward([[5]])
    with pytest.raises(IndexError, match=r"targets must be in \[0, 5\), got -1"):
        model.loss_and_gradients([[4]], [[-1]])
    with pytest.raises(TypeError, match="tokens must be integers, got dtype float64"):
        model.forward([[0.5]])
    with pytest.raises(ValueError, match=r"tokens has shape \(3,\), expected \(T, B\) .*tokens\.reshape\(-1, 1\)"):
        model.forward([0, 1, 2])
    with pytest.raises(ValueError, match=r"tokens has shape \(3,\), expected \(T, B\)"):
        model.loss_and_gradients([0, 1, 2], [0, 1, 2])
    with pytest.raises(ValueError, match=r"targets has shape \(1, 2\), expected the shape of tokens = \(2, 1\)"):
        model.loss_and_gradients([[0], [1]], [[0, 1]])
    with pytest.raises(ValueError, match=r"h_0 has shape \(1, 2, 4\), .* = \(1, 1, 4\); .* looks batch-first"):
        model.forward([[0], [1]], np.zeros((1, 2, 4)))
    with pytest.raises(ValueError, match=r"tokens has shape \(0, 2\): a sequence needs at least one time step"):
        model.loss_and_gradients(np.zeros((0, 2), int), np.zeros((0, 2), int))
    model.forward([[4]])
    with pytest.raises(ValueError, match=r"dlogits has shape \(1, 1, 4\), expected .* = \(1, 1, 5\)"):
        model.backward(np.zeros((1, 1, 4)))
    with pytest.raises(ValueError, match="vocab_size must be at least 1, got 0"):
        nr.CharRNN(0)


def test_the_models_criterion_is_not_replaced():
    with pytest.raises(AttributeError, match="criterion"):
        nr.CharRNN(6, 5, 7, rng=0).criterion = nr.CrossEntropyLoss(ignore_index=0)


@given(rng=some.rngs, V=some.V, L=st.integers(1, 2))
def test_ignored_targets_count_neither_in_the_loss_nor_in_the_gradient(rng, V, L):
    model = nr.CharRNN(V, 3, 4, L, dtype=np.float64, rng=rng)
    tokens, targets = some.tokens(rng, V, 6, 4), some.tokens(rng, V, 6, 4)
    padded = np.where(rng.random((6, 4)) < 0.4, -100, targets)
    padded[0, 0] = targets[0, 0]
    loss, _ = model.loss_and_gradients(tokens, padded)
    gradients = model.parameters().grad.copy()
    criterion = nr.CrossEntropyLoss()
    logits, _ = model.forward(tokens)
    assert loss == pytest.approx(criterion.forward(logits.reshape(-1, V), padded.reshape(-1)), rel=1e-12)
    model.backward(criterion.backward().reshape(logits.shape))
    assert_close(gradients, model.parameters().grad)
    whole, _ = model.loss_and_gradients(tokens, targets)  # with the same tape
    assert whole == pytest.approx(
        nr.CrossEntropyLoss().forward(logits.reshape(-1, V), targets.reshape(-1)), rel=1e-12
    )
    for bad in (-1, V):
        with pytest.raises(IndexError, match=rf"targets must be in \[0, {V}\), got {bad} at \[2, 1\]"):
            model.loss_and_gradients(tokens, np.where(np.arange(24).reshape(6, 4) == 9, bad, padded))
