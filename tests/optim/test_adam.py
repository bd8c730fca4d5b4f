"""Adam with every option, against torch.optim.Adam and AdamW, and its state across to torch and back."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn import textbook
from tests import strategies as some
from tests.optional import torch
from tests.references import assert_equals_torch, tensor

STEPS = 10

options = st.fixed_dictionaries(
    {
        "lr": st.sampled_from([0.0, 1e-3, 0.01, 0.1]),
        "betas": st.sampled_from([(0.9, 0.999), (0.0, 0.9), (0.5, 0.1), (0.99, 0.5)]),
        "eps": st.sampled_from([1e-8, 1e-3]),
        "weight_decay": st.sampled_from([0.0, 0.01, 0.5]),
        "amsgrad": st.booleans(),
        "maximize": st.booleans(),
        "decoupled_weight_decay": st.booleans(),
    }
)
implementations = st.sampled_from([{}, {"foreach": True}, {"fused": True}])
torch_optimizers = st.sampled_from(["Adam", "AdamW"])


def make_parameters(rng, size, dtype):
    parameters = nr.Parameters({"a": (size, 2), "b": (size,)}, dtype)
    parameters.data = some.normal(rng, 3 * size, dtype=dtype)
    return parameters


def gradient_sequence(rng, parameters, steps=STEPS):
    """Gradients whose elements lie many orders of magnitude apart, some of them exactly zero."""
    scale = 10 ** rng.uniform(-6, 0, parameters.grad.size)
    for _ in range(steps):
        yield scale * rng.standard_normal(scale.size) * (rng.random(scale.size) < 0.9)


def make_mirror(parameters, options, torch_optimizer="Adam"):
    """Return torch's optimizer over copies of the parameters; AdamW has no option for what it is."""
    tensors = [torch.nn.Parameter(tensor(p.data)) for p in parameters.values()]
    if torch_optimizer == "AdamW" and options.get("decoupled_weight_decay"):
        return torch.optim.AdamW(tensors, **{k: v for k, v in options.items() if k != "decoupled_weight_decay"})
    return torch.optim.Adam(tensors, **options)


def has_feedback(options):
    """Whether the parameters feed back into the gradient, by an L2 penalty.

    Where the two all but cancel, Adam blows the last digit of the sum up to the size of a step, and after a few of
    them no two orders of rounding agree.
    """
    return options["weight_decay"] and not options["decoupled_weight_decay"]


def step_both(optimizer, mirror, gradients):
    """Take the same steps in both, and see that they end in the same place.

    With feedback each step is compared by itself: the next one starts from where torch is.
    """
    feedback = has_feedback(mirror.param_groups[0])
    tensors = mirror.param_groups[0]["params"]
    for grad in gradients:
        optimizer.parameters.grad = grad
        for p, q in zip(optimizer.parameters.values(), tensors, strict=True):
            q.grad = tensor(p.grad)
        optimizer.step()
        mirror.step()
        if feedback:
            assert_same(optimizer, mirror)
            optimizer.parameters.load_state_dict(dict(zip(optimizer.parameters, tensors, strict=True)))
            optimizer.load_state_dict(mirror.state_dict())
    assert_same(optimizer, mirror)


def assert_same(optimizer, mirror):
    """Parameters, averages, number of steps and options."""
    for (name, p), q in zip(optimizer.parameters.items(), mirror.param_groups[0]["params"], strict=True):
        assert_equals_torch(p.data, q, name)
    ours, theirs = optimizer.state_dict(), mirror.state_dict()
    assert ours["state"].keys() == theirs["state"].keys()
    for i, entry in ours["state"].items():
        assert entry.keys() == theirs["state"][i].keys()
        for name, value in entry.items():
            if name == "step":
                assert value == theirs["state"][i]["step"]
            else:
                assert_equals_torch(value, theirs["state"][i][name], name)
    (group,), (torch_group,) = ours["param_groups"], theirs["param_groups"]
    assert group == {name: torch_group[name] for name in group}


@settings(max_examples=50)
@given(
    rng=some.rngs,
    size=st.sampled_from([1, 4] * 4 + [11000]),  # 33000 values are more than one block of the update
    dtype=some.dtypes,
    options=options,
    implementation=implementations,
    torch_optimizer=torch_optimizers,
)
def test_adam_equals_torch_with_every_option(rng, size, dtype, options, implementation, torch_optimizer):
    if dtype == np.float32 and has_feedback(options):
        size = min(size, 4)  # of very many sums in float32, one all but cancels in a single step
    parameters = make_parameters(rng, size, dtype)
    optimizer = nr.Adam(parameters, **options)
    mirror = make_mirror(parameters, options | implementation, torch_optimizer)
    step_both(optimizer, mirror, gradient_sequence(rng, parameters))
    assert optimizer.step_count == STEPS
    assert (optimizer.max_exp_avg_sq is not None) == optimizer.amsgrad == options["amsgrad"]


@given(rng=some.rngs, size=some.sizes)
def test_the_textbooks_adam_says_the_same(rng, size):
    parameters = make_parameters(rng, size, np.float64)
    optimizer = nr.Adam(parameters, lr=0.01)
    p = parameters.state_dict()
    m, v = ({name: np.zeros_like(value) for name, value in p.items()} for _ in range(2))
    for k, grad in enumerate(gradient_sequence(rng, parameters), 1):
        parameters.grad = grad
        optimizer.step()
        textbook.adam(p, parameters.views(parameters.grad), m, v, k, lr=0.01)
    for name, value in p.items():
        assert_equals_torch(parameters[name].data, tensor(value), name)


def test_weight_decay_alone_is_an_l2_penalty_as_in_torch():
    rng = np.random.default_rng(0)
    parameters = make_parameters(rng, 4, np.float64)
    optimizer, mirror = nr.Adam(parameters, weight_decay=0.5), make_mirror(parameters, {"weight_decay": 0.5})
    step_both(optimizer, mirror, gradient_sequence(rng, parameters, 2))


@pytest.mark.parametrize("decoupled_weight_decay", [False, True])
def test_lr_may_be_set_between_steps(decoupled_weight_decay):
    rng = np.random.default_rng(0)
    parameters = make_parameters(rng, 4, np.float64)
    options = {"lr": 0.1, "weight_decay": 0.5, "decoupled_weight_decay": decoupled_weight_decay}
    optimizer, mirror = nr.Adam(parameters, **options), make_mirror(parameters, options)
    for step, grad in enumerate(gradient_sequence(rng, parameters)):
        optimizer.lr = mirror.param_groups[0]["lr"] = 0.1 / (step + 1)
        step_both(optimizer, mirror, [grad])


@pytest.mark.parametrize(
    ("lr", "error"), [(math.nan, ValueError), (math.inf, ValueError), (-1e-3, ValueError), (None, TypeError)]
)
def test_lr_is_checked_between_steps_too(lr, error):
    optimizer = nr.Adam(nr.Linear(2, 2).parameters(), lr=0.1)
    with pytest.raises(error, match=f"lr must be .*, got {lr}"):
        optimizer.lr = lr
    assert optimizer.lr == 0.1


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("decoupled_weight_decay", [False, True])
def test_a_step_leaves_the_gradients_alone(decoupled_weight_decay, maximize):
    rng = np.random.default_rng(0)
    parameters = make_parameters(rng, 4, np.float64)
    parameters.grad = grad = some.normal(rng, 12)
    options = {"maximize": maximize, "decoupled_weight_decay": decoupled_weight_decay}
    nr.Adam(parameters, weight_decay=0.1, amsgrad=True, **options).step()
    np.testing.assert_array_equal(parameters.grad, grad)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"lr": -0.1}, r"lr must be in \[0, inf\), got -0.1"),
        ({"lr": math.nan}, r"lr must be in \[0, inf\), got nan"),
        ({"betas": (1.0, 0.999)}, r"betas\[0\] must be in \[0, 1\), got 1.0"),
        ({"betas": (0.9, -1)}, r"betas\[1\] must be in \[0, 1\), got -1"),
        ({"eps": -1e-8}, r"eps must be in \[0, inf\), got -1e-08"),
        ({"weight_decay": math.nan}, r"weight_decay must be in \[0, inf\), got nan"),
    ],
)
def test_bad_arguments_of_adam_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        nr.Adam(nr.Linear(2, 2).parameters(), **arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"lr": None}, "lr must be a number, got None"),
        ({"lr": "fast"}, "lr must be a number, got 'fast'"),
        ({"lr": "0.01"}, "lr must be a number, got '0.01'"),
        ({"lr": True}, "lr must be a number, got True"),
        ({"amsgrad": "false"}, "amsgrad must be True or False, got 'false'"),
        ({"maximize": 1}, "maximize must be True or False, got 1"),
        ({"decoupled_weight_decay": 0.01}, r"decoupled_weight_decay must be True or False, got 0\.01"),
        ({"betas": 0.9}, r"betas must be two numbers, got 0\.9"),
        ({"betas": (0.9,)}, r"betas must be two numbers, got \(0\.9,\)"),
        ({"weight_decay": "L2"}, "weight_decay must be a number, got 'L2'"),
    ],
)
def test_arguments_of_adam_that_are_no_numbers_are_named(arguments, words):
    with pytest.raises(TypeError, match=words):
        nr.Adam(nr.Linear(2, 2).parameters(), **arguments)


def test_adam_takes_real_parameters_not_layers():
    with pytest.raises(TypeError, match="parameters must be real, got dtype complex128"):
        nr.Adam(nr.Linear(2, 2, dtype=complex).parameters())
    with pytest.raises(TypeError, match=r"parameters must be what layer.parameters\(\) returns, got Linear"):
        nr.Adam(nr.Linear(2, 2))
