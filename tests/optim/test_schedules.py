"""Learning-rate schedules against torch.optim.lr_scheduler, at every step."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn.optim import schedules
from tests.optional import Optional, torch

lr_scheduler = Optional("torch.optim.lr_scheduler")

STEPS = 40

lrs = st.floats(1e-6, 10)
gammas = st.floats(0.5, 1.1)
warmups = st.one_of(st.just(0), st.integers(0, 15))


def torch_lrs(lr, make_scheduler, warmup_steps, steps=STEPS):
    """The step sizes that torch takes: make_scheduler's, after a linear warm-up if there is any."""
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    if warmup_steps:
        warmup = lr_scheduler.LinearLR(optimizer, start_factor=1 / (warmup_steps + 1), total_iters=warmup_steps)
        scheduler = lr_scheduler.SequentialLR(
            optimizer, [warmup, make_scheduler(optimizer)], milestones=[warmup_steps]
        )
    else:
        scheduler = make_scheduler(optimizer)
    for _ in range(steps):
        yield optimizer.param_groups[0]["lr"]
        optimizer.step()
        scheduler.step()


def assert_equals(ours, theirs, lr):
    """1e-11 of the largest step size: torch computes each from the one before, so that roundings add up."""
    theirs = list(theirs)
    assert len(ours) == len(theirs)
    assert max(map(abs, (a - b for a, b in zip(ours, theirs, strict=True)))) <= 1e-11 * max(lr, *theirs)


@given(lr=lrs, warmup_steps=warmups)
def test_constant_equals_torchs_warmup(lr, warmup_steps):
    ours = [schedules.constant(step, lr=lr, warmup_steps=warmup_steps) for step in range(STEPS)]
    assert_equals(ours, torch_lrs(lr, lambda o: lr_scheduler.LambdaLR(o, lambda _: 1.0), warmup_steps), lr)
    assert ours[warmup_steps:] == [lr] * (STEPS - warmup_steps)


@given(lr=lrs, every=st.integers(1, 50), gamma=gammas, warmup_steps=warmups)
def test_staircase_equals_torchs_step_lr(lr, every, gamma, warmup_steps):
    options = {"lr": lr, "every": every, "gamma": gamma, "warmup_steps": warmup_steps}
    ours = [schedules.staircase(step, **options) for step in range(STEPS)]
    assert_equals(ours, torch_lrs(lr, lambda o: lr_scheduler.StepLR(o, every, gamma), warmup_steps), lr)


@given(lr=lrs, gamma=gammas, warmup_steps=warmups)
def test_exponential_equals_torchs(lr, gamma, warmup_steps):
    ours = [schedules.exponential(step, lr=lr, gamma=gamma, warmup_steps=warmup_steps) for step in range(STEPS)]
    assert_equals(ours, torch_lrs(lr, lambda o: lr_scheduler.ExponentialLR(o, gamma), warmup_steps), lr)


@given(lr=lrs, lr_min=st.sampled_from([0.0, 1e-6, 0.01, 1.0]), waved=st.integers(1, 60), warmup_steps=warmups)
def test_cosine_equals_torchs_and_then_stays(lr, lr_min, waved, warmup_steps):
    total = warmup_steps + waved
    options = {"lr": lr, "total_steps": total, "warmup_steps": warmup_steps, "lr_min": lr_min}
    ours = [schedules.cosine(step, **options) for step in range(total + 20)]
    theirs = torch_lrs(
        lr, lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=waved, eta_min=lr_min), warmup_steps, total + 1
    )
    assert_equals(ours[: total + 1], theirs, max(lr, lr_min))
    assert ours[total:] == [lr_min] * 20  # where torch's would rise again


def test_the_defaults_are_torchs():
    assert schedules.staircase(3, lr=1.0, every=3) == 0.1
    assert schedules.cosine(10, lr=1.0, total_steps=10) == 0
    assert schedules.cosine(0, lr=1.0, total_steps=10) == schedules.exponential(0, lr=1.0, gamma=0.5) == 1


def test_adam_takes_steps_of_the_scheduled_size():
    parameters = nr.Linear(2, 2, dtype=float).parameters()
    optimizer = nr.Adam(parameters, eps=0)
    parameters.grad = 3  # of a gradient that never changes, Adam's step is lr
    for step in range(5):
        before = parameters.data.copy()
        optimizer.lr = lr = schedules.cosine(step, lr=0.01, total_steps=5, warmup_steps=1)
        optimizer.step()
        np.testing.assert_allclose(before - parameters.data, lr, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: schedules.constant(-1, lr=1), ValueError, "step must be at least 0, got -1"),
        (lambda: schedules.constant(0.5, lr=1), TypeError, "step must be an integer, got 0.5"),
        (lambda: schedules.constant(0, lr=-1), ValueError, r"lr must be in \[0, inf\), got -1"),
        (lambda: schedules.constant(0, lr=1, warmup_steps=-1), ValueError, "warmup_steps must be at least 0, got -1"),
        (lambda: schedules.staircase(0, lr=1, every=0), ValueError, "every must be at least 1, got 0"),
        (lambda: schedules.exponential(0, lr=math.nan, gamma=1), ValueError, r"lr must be in \[0, inf\), got nan"),
        (lambda: schedules.exponential(0, lr=1, gamma=-1), ValueError, r"gamma must be in \[0, inf\), got -1"),
        (lambda: schedules.cosine(0, lr=1, total_steps=0), ValueError, "total_steps must be more than warmup_steps"),
        (lambda: schedules.cosine(0, lr=1, total_steps=9.5), TypeError, "total_steps must be an integer, got 9.5"),
        (lambda: schedules.cosine(0, lr=1, total_steps=9, lr_min=-1), ValueError, r"lr_min must be in \[0, inf\)"),
        (
            lambda: schedules.cosine(0, lr=1, total_steps=5, warmup_steps=5),
            ValueError,
            "total_steps must be more than warmup_steps, got 5 and 5",
        ),
    ],
)
def test_bad_arguments_are_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
