"""The learning race: both loops are the same training."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from numpy_rnn.training.trainer import Trainer
from tests.benchmarks.learning_examples import OPTIONS, TOKENS
from torch_reference import TorchTrainer


def run(learner: Trainer | TorchTrainer) -> np.ndarray:
    """Return the validation loss, the loss and the norm of the gradients of each step."""
    return np.array([(learner.validate(), *learner.train_step()) for _ in range(OPTIONS.steps or 0)])


@cache
def ours_with_options() -> np.ndarray:
    return run(Trainer(*TOKENS, OPTIONS))


def apart(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float((np.abs(ours - theirs) / np.abs(ours)).max())


# Rounding in float64 is below 1e-13 over these 40 steps; an option wrong by a millionth changes more than 2e-8.
TOLERANCE = 1e-9


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_both_loops_are_the_same_training(num_layers: int, fused: bool) -> None:
    trainer = Trainer(*TOKENS, dataclasses.replace(OPTIONS, num_layers=num_layers))
    assert len(trainer.streams) == 10
    mirror = TorchTrainer(trainer, fused)
    ours, theirs = run(trainer), run(mirror)
    assert apart(ours, theirs) < TOLERANCE
    clipped = ours[:, 2] > OPTIONS.clip
    assert clipped.any()
    assert not clipped.all()
    assert ours[:, 1].min() < 0.9 * ours[0, 1]


def with_options(**changes: Any) -> Callable[[TorchTrainer], None]:
    def change(mirror: TorchTrainer) -> None:
        mirror.plan = dataclasses.replace(mirror.plan, **changes)

    return change


def with_adam(**changes: Any) -> Callable[[TorchTrainer], None]:
    return lambda mirror: mirror.optimizer.param_groups[0].update(changes)


class Forgetful(TorchTrainer):
    """Every window starts from zeros."""

    hidden = property(lambda self: None, lambda self, value: None)  # type: ignore[assignment]


def forget(mirror: TorchTrainer) -> None:
    mirror.__class__ = Forgetful


def never_reset(mirror: TorchTrainer) -> None:
    mirror.windows *= 4


def drop_the_partial_window(mirror: TorchTrainer) -> None:
    mirror.windows.pop()


def draw_other_weights(mirror: TorchTrainer) -> None:
    mirror.model.fc.bias.data *= 1 + 1e-6


def swap_two_windows(mirror: TorchTrainer) -> None:
    mirror.windows[3:5] = mirror.windows[4:2:-1]


@pytest.mark.parametrize(
    "fault",
    [
        with_options(lr=OPTIONS.lr * (1 + 1e-6)),
        with_options(clip=OPTIONS.clip * (1 + 1e-6)),
        with_options(clip=math.inf),
        with_options(schedule="constant"),
        with_options(warmup_steps=5),
        with_adam(betas=(0.9, 0.999 * (1 - 1e-6))),
        with_adam(betas=(0.9 * (1 - 1e-6), 0.999)),
        with_adam(eps=2e-8),
        forget,
        never_reset,
        drop_the_partial_window,
        swap_two_windows,
        draw_other_weights,
    ],
)
def test_another_training_is_not_the_same(fault: Callable[[TorchTrainer], None]) -> None:
    mirror = TorchTrainer(Trainer(*TOKENS, OPTIONS))
    fault(mirror)
    assert apart(ours_with_options(), run(mirror)) > 10 * TOLERANCE


def test_torch_validates_on_all_of_the_end_of_the_text() -> None:
    trainer = Trainer(*TOKENS, OPTIONS)
    mirror = TorchTrainer(trainer)
    before = mirror.validate()
    mirror.val_windows.pop()
    assert mirror.validate() != pytest.approx(before, rel=1e-6)
    assert math.isnan(TorchTrainer(Trainer(*TOKENS, dataclasses.replace(OPTIONS, val_fraction=0.0))).validate())
