"""Whatever np.seterr says, inf, nan and underflow end no call: as in torch, they are in the results."""

import numpy as np
import pytest

import numpy_rnn as nr

CELLS = ["rnn", "lstm", "gru"]
SCALES = [1, 1e3, 1e-30, 1e30]
V, T, B = 7, 6, 3


@pytest.fixture(params=["raise", "warn"], autouse=True)  # warnings are errors in the tests
def strict(request):
    with np.errstate(all=request.param):
        yield


def draw():
    return np.random.default_rng(0).integers(0, V, (2, T, B))


def scaled(layer, scale):
    with np.errstate(all="ignore"):
        layer.parameters().data *= scale
    return layer


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("cell", CELLS)
def test_a_training_step(cell, scale):
    model = scaled(nr.CharRNN(V, 4, 5, 2, cell=cell, rng=0), scale)
    optimizer = nr.Adam(model.parameters())
    model.loss_and_gradients(*draw())
    optimizer.step()
    logits, _ = model.forward(draw()[0])
    model.backward(np.full(logits.shape, 1e-45))
    optimizer.step()
    assert optimizer.step_count == 2


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("cell", CELLS)
def test_the_layers(cell, scale):
    rng = np.random.default_rng(0)
    rnn = scaled(getattr(nr, cell.upper())(3, 4, 2, rng=rng), scale)
    output, _ = rnn.forward(rng.standard_normal((T, B, 3)))
    rnn.backward(np.full(output.shape, 1e-45))
    for layer, x in ((nr.Linear(3, 4, rng=rng), np.full((2, 3), 1e30)), (nr.Embedding(3, 4, rng=rng), [1, 2])):
        y = scaled(layer, scale).forward(x)
        layer.backward(np.full(y.shape, 1e-45))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_losses(reduction):
    x = np.array([[1e3, -1e3, 0], [1e-40, -np.inf, -100]], np.float32)
    dloss = np.full((2,) * (reduction == "none"), 1e-45)
    options = {"weight": [1e-30, 1, 2], "reduction": reduction}
    for criterion in (nr.CrossEntropyLoss(**options, label_smoothing=0.1), nr.NLLLoss(**options)):
        criterion.forward(x, [0, 2])
        criterion.backward(dloss)
    softmax = nr.LogSoftmax(-1)
    softmax.forward(x)
    softmax.backward(np.full(x.shape, 1e-45))


@pytest.mark.parametrize("option", ["", "amsgrad", "maximize", "decoupled_weight_decay"])
def test_adam_and_clipping(option):
    parameters = nr.Parameters({"a": (3,)})
    optimizer = nr.Adam(parameters, weight_decay=0.1, **({option: True} if option else {}))
    for gradient in (1e-25, 1e-45, 3e38, np.inf, np.nan):
        parameters.grad = gradient
        nr.clip_grad_value_(parameters, 1e38)
        optimizer.step()
        for norm_type in (1, 2, np.inf):
            nr.clip_grad_norm_(parameters, 1.0, norm_type)
    assert optimizer.step_count == 5


@pytest.mark.parametrize("scale", SCALES[:3])
@pytest.mark.parametrize("cell", CELLS)
def test_generating(cell, scale):
    vocabulary = nr.Vocabulary("abcdefg")
    model = scaled(nr.CharRNN(V, 4, 5, 2, cell=cell, rng=0), scale)
    sampling = {"temperature": 1e-3, "top_k": 5, "top_p": 0.9}
    text = nr.generate(model, vocabulary, "a", 9, **sampling, rng=0)
    assert "".join(c for c, _ in nr.stream(model, vocabulary, "a", 9, **sampling, rng=0)) == text
    assert nr.generate_batch(model, vocabulary, "a", 9, 2, **sampling, rng=0)[0] == text


def test_the_settings_of_the_caller_apply_between_two_characters():
    model = nr.CharRNN(V, rng=0)
    for _ in nr.stream(model, nr.Vocabulary("abcdefg"), "a", 5):
        with pytest.raises((FloatingPointError, RuntimeWarning), match="divide by zero"):
            np.divide(1.0, np.zeros(1))


def test_the_values_of_a_parameter_may_underflow():
    fc = nr.Linear(3, 2, rng=0)
    fc.weight.data = np.full((2, 3), 1e-60)
    fc.load_state_dict({"weight": np.full((2, 3), 1e-60), "bias": np.zeros(2)})
    np.testing.assert_array_equal(fc.weight, 0)


def test_checking_tracing_and_training():
    tokens, targets = draw()
    model = nr.CharRNN(V, 4, 5, rng=0)
    nr.assert_gradients(model, tokens)
    nr.trace(model, tokens, targets)
    list(nr.train(nr.CharRNN(4, rng=0), "abcd" * 50, steps=10, seq_len=5, batch_size=2))
