"""float32 sums over many rows are about as accurate as torch's, and nothing that is not finite spreads further."""

import numpy as np
import pytest

import numpy_rnn as nr
from tests.optional import torch, torch_reference

MANY = 20_000  # rows; summed one after the other, the error grows with their number


def relative_error(ours, exact):
    exact = np.asarray(exact, np.float64)
    return np.abs(np.asarray(ours, np.float64) - exact).max() / np.abs(exact).max()


@pytest.fixture(params=["constant", "uniform", "skewed"])
def draw(request):
    """Draw float32 rows of one sign, the worst case for a sum."""
    rng = np.random.default_rng(0)
    kinds = {
        "constant": lambda shape: np.full(shape, 0.1),
        "uniform": rng.random,
        "skewed": lambda shape: rng.random(shape) ** 8,
    }
    return lambda *shape: kinds[request.param](shape).astype(np.float32)


def test_the_bias_of_linear(draw):
    fc, dy = nr.Linear(3, 5, rng=0), draw(MANY, 5)
    fc.forward(np.ones((MANY, 3)))
    fc.backward(dy)
    assert relative_error(fc.bias.grad, dy.sum(axis=0, dtype=np.float64)) < 2e-6


@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_the_biases_of_a_recurrence(cell, draw):
    """Compare with the same layer in float64; only the sums are long, since T is small."""
    x, doutput = draw(2, MANY // 2, 3), draw(2, MANY // 2, 4)
    ours, exact = (getattr(nr, cell)(3, 4, rng=0, dtype=dtype) for dtype in (np.float32, np.float64))
    exact.load_state_dict(ours.state_dict())
    for layer in (ours, exact):
        layer.forward(x)
        layer.backward(doutput)
    for name in ("bias_ih_l0", "bias_hh_l0"):
        assert relative_error(ours.parameters()[name].grad, exact.parameters()[name].grad) < 2e-6, name


@pytest.mark.parametrize("V", [2, 60])
def test_the_rows_of_an_embedding(V, draw):
    tokens, dy = np.arange(MANY) % V, draw(MANY, 4)
    embedding, exact = nr.Embedding(V, 4), np.zeros((V, 4))
    embedding.forward(tokens)
    embedding.backward(dy)
    np.add.at(exact, tokens, dy.astype(np.float64))
    assert relative_error(embedding.weight.grad, exact) < 2e-6


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_input_bias_of_a_model(cell):
    """Few characters, many tokens: the gradients are summed by character, and then by row."""
    tokens = np.random.default_rng(0).integers(0, 3, (4, MANY // 4))
    ours, exact = (nr.CharRNN(3, 4, 5, cell=cell, rng=0, dtype=dtype) for dtype in (np.float32, np.float64))
    exact.load_state_dict(ours.state_dict())
    for model in (ours, exact):
        model.forward(tokens)
        model.backward(np.ones((*tokens.shape, 3)))
    for name in ("rnn.bias_ih_l0", "fc.bias"):
        assert relative_error(ours.parameters()[name].grad, exact.parameters()[name].grad) < 2e-6, name


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_a_million_rows(reduction, smoothing):
    logits, targets = np.zeros((10**6, 2), np.float32), np.zeros(10**6, np.intp)
    logits[:, 0] = 0.1
    criterion = nr.CrossEntropyLoss(reduction=reduction, label_smoothing=smoothing)
    exact = criterion.forward(logits.astype(np.float64), targets)
    assert criterion.forward(logits, targets) == pytest.approx(exact, rel=1e-6)
    criterion = nr.NLLLoss(reduction=reduction)
    assert criterion.forward(logits, targets) == pytest.approx(-(10**6 if reduction == "sum" else 1) * 0.1, rel=1e-6)


def test_the_softmax_over_many_classes():
    logits = np.zeros((2, 200_000), np.float32)
    assert nr.CrossEntropyLoss().forward(logits, [0, 1]) == pytest.approx(np.log(200_000), rel=1e-7)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("where", ["unused", "used", "one sequence"])
@pytest.mark.parametrize(("V", "T", "B"), [(7, 6, 3), (40, 6, 3), (300, 40, 10), (3000, 40, 10)])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_row_that_is_not_finite_spreads_as_far_as_in_torch(cell, V, T, B, where, value):
    model = nr.CharRNN(V, 4, 5, cell=cell, rng=0, dtype=np.float64)
    tokens = np.random.default_rng(0).integers(0, V - 2, (T, B))
    if where == "one sequence":
        tokens[:, 0] = V - 2
    model.embedding.weight.data[{"unused": V - 1, "used": tokens[2, 1], "one sequence": V - 2}[where], 1:3] = value
    mirror = torch_reference.make_mirror(model)
    loss, _ = model.loss_and_gradients(tokens, tokens)
    logits, _ = mirror(torch.tensor(tokens))
    theirs = torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.tensor(tokens).flatten())
    theirs.backward()
    np.testing.assert_allclose(loss, theirs.item(), rtol=1e-10)
    for name, p in mirror.named_parameters():
        ours, gradient = model.parameters()[name].grad, p.grad.numpy()
        np.testing.assert_array_equal(np.isfinite(ours), np.isfinite(gradient), err_msg=name)
        finite = np.isfinite(gradient)
        np.testing.assert_allclose(ours[finite], gradient[finite], rtol=1e-9, atol=1e-14, err_msg=name)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


ODD = {
    "byte-swapped": lambda array: array.astype(array.dtype.newbyteorder()),
    "byte-swapped float32": lambda array: array.astype(np.dtype(np.float32).newbyteorder()),
    "float16": lambda array: array.astype(np.float16),
    "every second row": lambda array: np.repeat(array, 2, axis=0)[::2],
    "backwards": lambda array: array[::-1].copy()[::-1],
    "by columns": np.asfortranarray,
    "a subclass": lambda array: array.view(type("Mine", (np.ndarray,), {})),
    "read-only": read_only,
    "not aligned": lambda array: np.frombuffer(b" " + array.tobytes(), array.dtype, offset=1).reshape(array.shape),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_odd_arrays_are_read_like_plain_ones(odd):
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((4, 6)).astype(np.float16).astype(np.float64) for _ in range(2))
    sequence = x.reshape(4, 2, 3)
    targets, each = [0, 5, 2, 1], {"reduction": "none"}
    swapped = np.array(targets, np.dtype(np.int32).newbyteorder())
    calls = [
        (nr.Linear(6, 6, rng=0), (x,), (dy,)),
        *((kind(3, 3, rng=0), (sequence,), (dy.reshape(4, 2, 3),)) for kind in (nr.RNN, nr.LSTM, nr.GRU)),
        (nr.LogSoftmax(-1), (x,), (dy,)),
        (nr.NLLLoss(**each), (x,), (dy[:, 0],)),
        (nr.CrossEntropyLoss(**each), (x,), (dy[:, 0],)),
    ]
    for layer, inputs, upstream in calls:
        is_loss = isinstance(layer, nr.NLLLoss | nr.CrossEntropyLoss)
        plain = layer.forward(*inputs, *[targets] * is_loss), layer.backward(*upstream)
        got = layer.forward(*map(odd, inputs), *[swapped] * is_loss), layer.backward(*map(odd, upstream))
        for ours, expected in zip(got, plain, strict=True):
            ours, expected = (y[0] if isinstance(y, tuple) else y for y in (ours, expected))
            assert type(ours) is np.ndarray
            np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6, err_msg=type(layer).__name__)
