"""Adam with every option, against torch.optim.Adam and AdamW, and its state across to torch and back."""

import copy
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn import textbook
from tests import strategies as some
from tests.optional import torch, torch_reference
from tests.references import assert_equals_torch, tensor

STEPS = 20

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


@settings(max_examples=100)
@given(
    rng=some.rngs,
    size=st.sampled_from([1, 4] * 4 + [15000]),  # 45000 values are more than one block of the update
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


across = given(  # some steps, the state across, and more steps: before or after it perhaps none
    rng=some.rngs,
    size=some.sizes,
    dtype=some.dtypes,
    options=options,
    implementation=implementations,
    torch_optimizer=torch_optimizers,
    before=st.integers(0, 5),
    after=st.integers(0, 5),
)


@across
def test_the_state_goes_into_torch(rng, size, dtype, options, implementation, torch_optimizer, before, after):
    parameters = make_parameters(rng, size, dtype)
    gradients = list(gradient_sequence(rng, parameters, before + after))
    optimizer = nr.Adam(parameters, **options)
    for grad in gradients[:before]:
        parameters.grad = grad
        optimizer.step()
    decoupled = {"decoupled_weight_decay": options["decoupled_weight_decay"]}  # AdamW is nothing else
    mirror = make_mirror(parameters, decoupled, torch_optimizer)
    state_dict = torch_reference.to_torch(optimizer.state_dict())
    state_dict["param_groups"][0].update(implementation)
    mirror.load_state_dict(state_dict)
    assert_same(optimizer, mirror)
    step_both(optimizer, mirror, gradients[before:])


@across
def test_the_state_comes_from_torch(rng, size, dtype, options, implementation, torch_optimizer, before, after):
    parameters = make_parameters(rng, size, dtype)
    gradients = list(gradient_sequence(rng, parameters, before + after))
    mirror = make_mirror(parameters, options | implementation, torch_optimizer)
    for grad in gradients[:before]:
        for q, piece in zip(mirror.param_groups[0]["params"], parameters.views(grad).values(), strict=True):
            q.grad = tensor(piece.astype(dtype))
        mirror.step()
    optimizer = nr.Adam(parameters, lr=7, weight_decay=7, amsgrad=True)  # as if for something else
    parameters.load_state_dict(dict(zip(parameters, mirror.param_groups[0]["params"], strict=True)))
    optimizer.load_state_dict(mirror.state_dict())
    assert optimizer.step_count == before
    assert_same(optimizer, mirror)
    step_both(optimizer, mirror, gradients[before:])


@across
def test_a_resumed_optimizer_goes_on_bit_for_bit(
    rng, size, dtype, options, implementation, torch_optimizer, before, after
):
    parameters = make_parameters(rng, size, dtype)
    gradients = list(gradient_sequence(rng, parameters, before + after))
    optimizer = nr.Adam(parameters, **options)
    for k, grad in enumerate(gradients):
        if k == before:
            saved, state_dict = copy.deepcopy(parameters), optimizer.state_dict()
        parameters.grad = grad
        optimizer.step()
    if after == 0:
        saved, state_dict = copy.deepcopy(parameters), optimizer.state_dict()
    resumed = nr.Adam(saved)
    resumed.load_state_dict(state_dict)
    for grad in gradients[before:]:
        saved.grad = grad
        resumed.step()
    np.testing.assert_array_equal(saved.data, parameters.data)
    np.testing.assert_equal(resumed.state_dict(), optimizer.state_dict())


def make_stepped(**options):
    rng = np.random.default_rng(0)
    parameters = make_parameters(rng, 3, np.float64)
    optimizer = nr.Adam(parameters, **options)
    for grad in gradient_sequence(rng, parameters, 3):
        parameters.grad = grad
        optimizer.step()
    return optimizer


def test_the_state_of_a_models_optimizer_fits_its_mirrors_by_name():
    model = nr.CharRNN(5, 4, 3, dtype=np.float64, rng=0)
    mirror = torch_reference.CharRNN(5, 4, 3, dtype=torch.float64)
    optimizer, torch_optimizer = nr.Adam(model.parameters()), torch.optim.Adam(mirror.parameters())
    model.loss_and_gradients([[0], [1], [2]], [[1], [2], [3]])
    optimizer.step()
    torch_optimizer.load_state_dict(torch_reference.to_torch(optimizer.state_dict()))
    averages = model.parameters().views(optimizer.exp_avg)
    for name, p in mirror.named_parameters():
        assert_equals_torch(averages[name], torch_optimizer.state[p]["exp_avg"], name)


def test_a_state_before_the_first_step_is_empty_and_starts_anew():
    optimizer = make_stepped(amsgrad=True)
    fresh = nr.Adam(optimizer.parameters, lr=0.5).state_dict()
    assert fresh["state"] == {}
    optimizer.load_state_dict(fresh)
    assert optimizer.step_count == 0
    assert optimizer.lr == 0.5
    assert optimizer.max_exp_avg_sq is None
    assert not optimizer.exp_avg.any()
    assert not optimizer.exp_avg_sq.any()


def test_a_state_is_a_copy_on_every_side():
    optimizer = make_stepped(amsgrad=True)
    ours = optimizer.state_dict()
    theirs = torch_reference.to_torch(ours)
    kept = copy.deepcopy(ours)
    assert ours["state"][0]["step"] is not ours["state"][1]["step"]
    optimizer.step()
    np.testing.assert_equal(ours, kept)
    optimizer.load_state_dict(ours)
    for entry in theirs["state"].values():
        for value in entry.values():
            value.zero_()
    np.testing.assert_equal(ours, kept)
    optimizer.step()
    np.testing.assert_equal(ours, kept)


def test_a_state_of_older_torch_leaves_the_newer_flags_as_they_are():
    state_dict = make_stepped(maximize=False).state_dict()
    for name in ("maximize", "decoupled_weight_decay"):
        del state_dict["param_groups"][0][name]
    optimizer = make_stepped(maximize=True, decoupled_weight_decay=True)
    optimizer.load_state_dict(state_dict)
    assert optimizer.maximize
    assert optimizer.decoupled_weight_decay


def test_what_torch_keeps_beside_the_options_is_ignored():
    state_dict = make_stepped().state_dict()
    state_dict["param_groups"][0] |= {"foreach": None, "fused": True, "capturable": False, "initial_lr": 0.5}
    make_stepped().load_state_dict(state_dict)


def test_the_parameters_numbers_are_only_names():
    optimizer, state_dict = make_stepped(), make_stepped().state_dict()
    state_dict["param_groups"][0]["params"] = [7, 3]
    state_dict["state"] = {3: state_dict["state"][1], 7: state_dict["state"][0]}
    before = optimizer.state_dict()
    optimizer.load_state_dict(state_dict)
    np.testing.assert_equal(optimizer.state_dict(), before)


def spoil(path, value):
    """Return a function that sets one place of a nested dictionary, or deletes it if value is None."""

    def spoiled(state_dict):
        *parents, last = path
        for key in parents:
            state_dict = state_dict[key]
        if value is None:
            del state_dict[last]
        else:
            state_dict[last] = value

    return spoiled


@pytest.mark.parametrize(
    ("spoiled", "error", "words"),
    [
        (spoil(["state"], None), TypeError, "state_dict must have 'state' and 'param_groups'"),
        (spoil(["param_groups"], [{}, {}]), ValueError, "state_dict has 2 parameter groups, expected one"),
        (spoil(["param_groups", 0, "betas"], None), KeyError, r"param_groups\[0\] does not fit: missing \['betas'\]"),
        (spoil(["param_groups", 0, "betas"], (0.9, 1.0)), ValueError, r"betas\[1\] must be in \[0, 1\), got 1.0"),
        (spoil(["param_groups", 0, "lr"], math.nan), ValueError, r"lr must be in \[0, inf\), got nan"),
        (spoil(["param_groups", 0, "params"], [0]), ValueError, "state_dict has 1 parameters, expected 2"),
        (
            spoil(["param_groups", 0, "params"], [0, 7]),
            KeyError,
            r"state does not fit: missing \[7\], unexpected \[1\]",
        ),
        (spoil(["param_groups", 0, "amsgrad"], False), KeyError, r"state of a .* unexpected \['max_exp_avg_sq'\]"),
        (spoil(["state", 1, "exp_avg"], None), KeyError, r"state of b does not fit: missing \['exp_avg'\]"),
        (
            spoil(["state", 1, "max_exp_avg_sq"], None),
            KeyError,
            r"state of b does not fit: missing \['max_exp_avg_sq'\]",
        ),
        (
            spoil(["state", 1, "exp_avg"], np.zeros(4)),
            ValueError,
            r"exp_avg of b has shape \(4,\), expected .* = \(3,\)",
        ),
        (spoil(["state", 0, "exp_avg"], np.zeros(6)), ValueError, r"exp_avg of a has shape \(6,\)"),
        (spoil(["state", 1, "exp_avg_sq"], np.zeros(3, complex)), TypeError, "exp_avg_sq of b has dtype complex128"),
        (spoil(["state", 1, "step"], np.array(4.0)), ValueError, r"one whole number .*, got \[3.0, 4.0\]"),
        (spoil(["state", 1, "step"], math.nan), ValueError, "step of b must be in"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_as_a_whole(spoiled, error, words):
    optimizer = make_stepped(amsgrad=True)
    before = copy.deepcopy(vars(optimizer))
    state_dict = make_stepped(lr=0.7, weight_decay=0.7, amsgrad=True, maximize=True).state_dict()
    for entry in state_dict["state"].values():
        entry["exp_avg"] += 1
    spoiled(state_dict)
    with pytest.raises(error, match=words) as caught:
        optimizer.load_state_dict(state_dict)
    assert "\n" not in str(caught.value)
    for name, value in before.items():
        if name != "parameters":
            np.testing.assert_equal(vars(optimizer)[name], value)


def test_a_step_that_is_no_whole_number_is_refused():
    state_dict = make_stepped().state_dict()
    for entry in state_dict["state"].values():
        entry["step"] = 2.5
    with pytest.raises(ValueError, match=r"step must be one whole number for all parameters, got \[2.5\]"):
        make_stepped().load_state_dict(state_dict)
