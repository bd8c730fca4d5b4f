import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn import textbook
from tests import strategies as some
from tests.references import assert_equals_torch, tensor

STEPS = 50


def make_parameters(rng, size, dtype):
    parameters = nr.Parameters({"a": (size, 2), "b": (size,)}, dtype)
    parameters.data = some.normal(rng, 3 * size, dtype=dtype)
    return parameters


def gradient_sequence(rng, parameters):
    """Gradients whose elements lie many orders of magnitude apart, some of them exactly zero."""
    scale = 10 ** rng.uniform(-6, 0, parameters.grad.size)
    for _ in range(STEPS):
        yield scale * rng.standard_normal(scale.size) * (rng.random(scale.size) < 0.9)


@given(
    rng=some.rngs,
    size=st.sampled_from([1, 4, 15000]),  # 45000 values are more than one block of the update
    dtype=some.dtypes,
    lr=st.sampled_from([0.0, 1e-3, 0.01, 0.1]),
    betas=st.sampled_from([(0.9, 0.999), (0.0, 0.9), (0.5, 0.1), (0.99, 0.5)]),
    eps=st.sampled_from([1e-8, 1e-3]),
)
def test_adam_equals_torch_over_fifty_steps(rng, size, dtype, lr, betas, eps):
    parameters = make_parameters(rng, size, dtype)
    optimizer = nr.Adam(parameters, lr, betas, eps)
    p = tensor(parameters.data).requires_grad_()
    mirror = torch.optim.Adam([p], lr, betas, eps)
    for grad in gradient_sequence(rng, parameters):
        parameters.grad = grad
        p.grad = tensor(parameters.grad)
        optimizer.step()
        mirror.step()
    assert optimizer.step_count == STEPS
    assert_equals_torch(optimizer.exp_avg, mirror.state[p]["exp_avg"], "exp_avg")
    assert_equals_torch(optimizer.exp_avg_sq, mirror.state[p]["exp_avg_sq"], "exp_avg_sq")
    assert_equals_torch(parameters.data, p, "parameters")


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


def test_lr_may_be_set_between_steps():
    parameters = make_parameters(np.random.default_rng(0), 4, np.float64)
    optimizer = nr.Adam(parameters, lr=0.1)
    p = tensor(parameters.data).requires_grad_()
    mirror = torch.optim.Adam([p], lr=0.1)
    for step, grad in enumerate(gradient_sequence(np.random.default_rng(1), parameters)):
        optimizer.lr = mirror.param_groups[0]["lr"] = 0.1 / (step + 1)
        parameters.grad = grad
        p.grad = tensor(grad)
        optimizer.step()
        mirror.step()
    assert_equals_torch(parameters.data, p)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"lr": -0.1}, r"lr must be in \[0, inf\), got -0.1"),
        ({"lr": math.nan}, r"lr must be in \[0, inf\), got nan"),
        ({"betas": (1.0, 0.999)}, r"betas\[0\] must be in \[0, 1\), got 1.0"),
        ({"betas": (0.9, -1)}, r"betas\[1\] must be in \[0, 1\), got -1"),
        ({"eps": -1e-8}, r"eps must be in \[0, inf\), got -1e-08"),
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
        ({"betas": 0.9}, r"betas must be two numbers, got 0\.9"),
        ({"betas": (0.9,)}, r"betas must be two numbers, got \(0\.9,\)"),
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
