"""Errors that a port from PyTorch meets first say what to write instead, and objects print as in torch."""

import pickle

import numpy as np
import pytest

import numpy_rnn as nr

RNG = "rng must be a numpy.random.Generator, a seed of at least 0 or None, got "


def make():
    return nr.CharRNN(7, 4, 5, cell="lstm", rng=0)


def loss():
    return make().loss_and_gradients([[1]], [[2]])[0]


MISSING = [
    (make, "zero_grad", "leave it out: backward assigns gradients"),
    (lambda: nr.Adam(make().parameters()), "zero_grad", "leave it out: backward assigns gradients"),
    (lambda: nr.Adam(make().parameters()), "param_groups", r"write optimizer\.lr"),
    (make, "named_parameters", r"write parameters\(\)\.items\(\)"),
    (lambda: make().parameters(), "zero_grad", "leave it out"),
    (lambda: make().fc.weight, "shape", r"array p\.data"),
    (lambda: make().fc.weight, "detach", r"array p\.data"),
    (lambda: make().fc.weight, "normal_", r"p\.data\[\.\.\.\] = values"),
    (loss, "item", "a loss is a Python float already"),
    (loss, "backward", r"criterion\.backward\(\).*model\.loss_and_gradients"),
    (lambda: nr.CrossEntropyLoss().forward([[0.0, 1.0]], [0]), "backward", r"criterion\.backward\(\)"),
    *((make, name, "runs on the CPU") for name in ("to", "cuda", "cpu")),
    *((lambda: nr.GRU(2, 3), name, "dtype=np.float64") for name in ("double", "float", "half")),
    (lambda: nr, "SGD", r"parameters\.data -= lr \* parameters\.grad"),
    (lambda: nr, "AdamW", "decoupled_weight_decay=True"),
    (lambda: nr, "no_grad", "leave it out"),
    (lambda: nr, "manual_seed", "rng="),
]


@pytest.mark.parametrize(("owner", "name", "words"), MISSING, ids=[f"{w[:12]}-{name}" for _, name, w in MISSING])
def test_a_name_of_torch_says_what_to_write(owner, name, words):
    thing = owner()
    with pytest.raises(AttributeError, match=rf"has no attribute '{name}': .*{words}"):
        getattr(thing, name)


@pytest.mark.parametrize("owner", [make, lambda: make().fc.weight, loss, lambda: nr, lambda: make().parameters()])
def test_other_names_are_missing_as_usual(owner):
    thing = owner()
    with pytest.raises(AttributeError, match=r"has no attribute 'zzz'$") as error:
        thing.zzz  # noqa: B018
    assert error.value.name == "zzz"
    assert not hasattr(thing, "zzz")


def test_freezing_as_in_torch_is_refused():
    model = make()
    for thing in (model, model.fc, model.fc.weight, model.parameters()):
        with pytest.raises(AttributeError, match=r"to freeze a parameter p, set p\.grad = 0 before each optimizer"):
            thing.requires_grad = False


def test_a_loss_is_a_float():
    value = loss()
    assert isinstance(value, float)
    assert repr(value) == repr(float(value))
    assert f"{value:.3f}" == f"{float(value):.3f}"
    assert pickle.loads(pickle.dumps(value)) == value == pytest.approx(np.log(7), rel=0.3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nr.LSTM(3, 4, nonlinearity="relu"), "LSTM has no option 'nonlinearity': RNN has it"),
        (lambda: nr.LSTM(3, 4, proj_size=2), "LSTM has no option 'proj_size': apply nr.Linear to the output"),
        (lambda: nr.GRU(3, 4, layers=2), "GRU has no option 'layers'"),
        (
            lambda: nr.Linear(3, 4, rng="x"),
            RNG + "'x'",
        ),
        (lambda: nr.GRU(3, 4, rng=-1), RNG + "-1"),
        (
            lambda: nr.CharRNN(7, rng="x"),
            RNG + "'x'",
        ),
        (lambda: nr.load_model(3), "path must be the name of a file, got 3"),
        (lambda: nr.save_model(3, make(), nr.Vocabulary("abcdefg")), "path must be the name of a file, got 3"),
        (
            lambda: nr.LSTM(3, 4).forward(np.ones((2, 1, 3)), (np.zeros((1, 1, 4)), None)),
            "c_0 must be an array of numbers, got NoneType",
        ),
        (lambda: nr.Linear(3, 4).forward({}), "x must be an array of numbers, got dict"),
    ],
)
def test_an_argument_of_the_wrong_kind_is_named(call, words):
    with pytest.raises(TypeError) as error:
        call()
    assert str(error.value) == words


@pytest.mark.parametrize(
    "call",
    [
        "RNN(4, 5)",
        "RNN(4, 5, num_layers=2, nonlinearity='relu', dropout=0.1)",
        "LSTM(4, 5, batch_first=True, bidirectional=True)",
        "GRU(3, 4, bias=False, dtype='float64')",
        "Linear(3, 4, bias=False)",
        "Linear(3, 4)",
        "Embedding(3, 4, padding_idx=1)",
        "CrossEntropyLoss(ignore_index=0, label_smoothing=0.1)",
        "NLLLoss(reduction='sum')",
        "LogSoftmax(-1)",
    ],
)
def test_a_layer_prints_as_the_call_that_makes_it(call):
    assert repr(eval(f"nr.{call}")) == call


def test_a_model_an_optimizer_and_a_trace_say_what_they_are():
    model = make()
    assert repr(model) == "CharRNN(\n  (embedding): Embedding(7, 4)\n  (rnn): LSTM(4, 5)\n  (fc): Linear(5, 7)\n)"
    optimizer = nr.Adam(model.parameters(), lr=0.01)
    optimizer.step()
    words = "Adam(lr=0.01, betas=(0.9, 0.999), eps=1e-08, "
    assert repr(optimizer).startswith(words)
    assert repr(optimizer).endswith(f"; {model.parameters().data.size} values, 1 steps)")
    text = repr(nr.trace(model, [[1], [2]], [[2], [3]]))
    assert text.startswith("Trace(T=2, B=1, loss=")
    assert "dh_by_loss" in text
