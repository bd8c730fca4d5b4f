"""Learning-rate schedules: the learning rate as a plain function of the step.

All begin with the same linear warm-up. With W = warmup_steps, while step < W:

    lr (step + 1) / (W + 1)                                                             (1)

Then, with k = step - W:

    constant       lr                                                                   (2)
    staircase      lr gamma^floor(k / every)                                            (3)
    exponential    lr gamma^k                                                           (4)
    cosine         lr_min + (lr - lr_min) (1 + cos(pi k / (total_steps - W))) / 2       (5)

In torch, this is SequentialLR of LinearLR(start_factor=1/(W + 1), total_iters=W) and the scheduler named below.

`step` is the number of steps taken so far, so the learning rate is set before the step that uses it:

    for step in range(1000):
        model.loss_and_gradients(tokens, targets)
        optimizer.lr = nr.schedules.cosine(step, lr=0.01, total_steps=1000, warmup_steps=50)
        optimizer.step()

`optimizer.step_count` is the same number, and continues after an optimizer's state has been loaded.
"""

from __future__ import annotations

import math

from numpy_rnn.checks import as_number, as_size

__all__ = ["constant", "cosine", "exponential", "staircase"]


def constant(step: int, *, lr: float, warmup_steps: int = 0) -> float:
    """Return `lr`, after a linear warm-up: equation (2), torch's LinearLR.

    Parameters
    ----------
    step : int
        Steps taken so far, at least 0.
    lr : float
    warmup_steps : int, default 0
        Number of steps with a smaller learning rate: lr/(W + 1), 2 lr/(W + 1), ..., W lr/(W + 1).

    References
    ----------
    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LinearLR.html
    """
    factor, _ = _warmup(step, warmup_steps)
    return factor * as_number("lr", lr)


def staircase(step: int, *, lr: float, every: int, gamma: float = 0.1, warmup_steps: int = 0) -> float:
    """Return `lr`, multiplied by `gamma` once every `every` steps: equation (3), torch's StepLR.

    Parameters
    ----------
    step : int
        Steps taken so far, at least 0.
    lr : float
    every : int
        Number of steps between two reductions (torch's step_size).
    gamma : float, default 0.1
    warmup_steps : int, default 0
        As in `constant`; counting begins after them.

    References
    ----------
    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html
    """
    factor, k = _warmup(step, warmup_steps)
    return factor * as_number("lr", lr) * as_number("gamma", gamma) ** (k // as_size("every", every))


def exponential(step: int, *, lr: float, gamma: float, warmup_steps: int = 0) -> float:
    """Return `lr`, multiplied by `gamma` after each step: equation (4), torch's ExponentialLR.

    Parameters
    ----------
    step : int
        Steps taken so far, at least 0.
    lr, gamma : float
    warmup_steps : int, default 0
        As in `constant`; the decay begins after them.

    References
    ----------
    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ExponentialLR.html
    """
    return staircase(step, lr=lr, every=1, gamma=gamma, warmup_steps=warmup_steps)


def cosine(step: int, *, lr: float, total_steps: int, warmup_steps: int = 0, lr_min: float = 0.0) -> float:
    """Return half a cosine wave from `lr` to `lr_min` (torch's eta_min): equation (5), torch's CosineAnnealingLR.

    After `total_steps` it stays at `lr_min`, where torch's would rise again.

    Parameters
    ----------
    step : int
        Steps taken so far, at least 0.
    lr : float
    total_steps : int
        Steps of the whole training, warm-up included.
    warmup_steps : int, default 0
        As in `constant`, fewer than `total_steps`; the cosine begins after them.
    lr_min : float, default 0.0

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5,
    without the restarts.
    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingLR.html
    """
    factor, k = _warmup(step, warmup_steps)
    if as_size("total_steps", total_steps, 0) <= warmup_steps:
        raise ValueError(f"total_steps must be more than warmup_steps, got {total_steps} and {warmup_steps}")
    wave = (1 + math.cos(math.pi * min(1.0, k / (total_steps - warmup_steps)))) / 2
    lr, lr_min = as_number("lr", lr), as_number("lr_min", lr_min)
    return factor * (lr_min + (lr - lr_min) * wave)


def _warmup(step: int, warmup_steps: int) -> tuple[float, int]:
    """Return the warm-up factor, equation (1), and k, the steps since the warm-up ended (0 during it)."""
    step, warmup_steps = as_size("step", step, 0), as_size("warmup_steps", warmup_steps, 0)
    return min(1.0, (step + 1) / (warmup_steps + 1)), max(0, step - warmup_steps)
