"""The state of Adam: a copy on every side, across to torch and back, and refused as a whole if it does not fit."""

import copy
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from tests import strategies as some
from tests.optim.test_adam import (
    assert_same,
    gradient_sequence,
    implementations,
    make_mirror,
    make_parameters,
    options,
    step_both,
    torch_optimizers,
)
from tests.optional import torch, torch_reference
from tests.references import assert_equals_torch, tensor

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
