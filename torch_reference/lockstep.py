"""Train the NumPy model and its PyTorch mirror from the same weights and compare every number at each step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

import numpy_rnn as nr
from numpy_rnn.checks import Array, as_size
from numpy_rnn.display.terminal import escape
from numpy_rnn.layers.recurrent import as_arrays
from numpy_rnn.text.windows import inputs_and_targets
from numpy_rnn.training.tutorial import check_loss
from torch_reference.model import CharRNN, detach, make_mirror
from torch_reference.tutorial import generate

__all__ = ["Parity", "Step", "parity", "side_by_side"]


@dataclass(frozen=True)
class Step:
    """One training step of both models.

    Attributes
    ----------
    number : int
        1, 2, ...
    numpy_loss, torch_loss : float
        Before the step's update.
    differences : dict of str to float
        Relative difference of each tensor, max|numpy - torch| / max|torch|, in the order in which the step computes
        them: `logits`, `h_n` (and an LSTM's `c_n`), `loss`, then `grad NAME`, `exp_avg NAME`, `exp_avg_sq NAME` and
        the updated `NAME` for each parameter.
    numpy_seconds, torch_seconds : float
        Time of forward, loss, backward and Adam.
    """

    number: int
    numpy_loss: float
    torch_loss: float
    differences: dict[str, float]
    numpy_seconds: float
    torch_seconds: float

    def largest(self, prefix: str = "") -> float:
        """Return the largest difference of the tensors with names that start with `prefix`."""
        return max(value for name, value in self.differences.items() if name.startswith(prefix))


@dataclass(frozen=True)
class Parity:
    """The result of a comparison."""

    steps: list[Step]
    tolerance: float

    @property
    def first_parting(self) -> tuple[int, str, float] | None:
        """The first difference above the tolerance: step, name of the tensor, relative difference."""
        for step in self.steps:
            for name, difference in step.differences.items():
                if not difference <= self.tolerance:  # also true for nan
                    return step.number, name, difference
        return None

    @property
    def ok(self) -> bool:
        """Whether all differences are within the tolerance."""
        return self.first_parting is None

    def __str__(self) -> str:
        parting = self.first_parting
        if parting is None:
            largest = max(step.largest() for step in self.steps)
            return f"{len(self.steps)} steps agree: largest relative difference {largest:.1e} <= {self.tolerance:.1e}"
        number, name, difference = parting
        return f"parted at step {number}: relative difference of {name} is {difference:.1e} > {self.tolerance:.1e}"


def parity(
    model: nr.CharRNN,
    tokens: ArrayLike,
    targets: ArrayLike,
    *,
    epochs: int,
    lr: float = 0.01,
    carry_hidden: bool = False,
    mirror: CharRNN | None = None,
    tolerance: float = 1e-10,
) -> Parity:
    """Train both models in lockstep and compare them at each step.

    Parameters
    ----------
    model : numpy_rnn.CharRNN
        In float32 or float64; it is trained. If it has dropout, call `model.eval()` first: NumPy and torch draw
        different masks.
    tokens, targets : array of int, shape (T, B)
    epochs : int
        Number of steps, each on all tokens.
    lr : float, default 0.01
        Adam's learning rate.
    carry_hidden : bool, default False
        Start each step from the last state of the previous step instead of from zeros.
    mirror : CharRNN, optional
        The torch model to compare with; by default one with the weights of `model`.
    tolerance : float, default 1e-10
        Largest relative difference that counts as agreement.

    Returns
    -------
    Parity
    """
    mirror = make_mirror(model) if mirror is None else mirror
    return Parity(list(_steps(model, mirror, tokens, targets, epochs, lr, carry_hidden)), tolerance)


def side_by_side(
    model: nr.CharRNN, vocabulary: nr.Vocabulary, text: str, *, epochs: int, lr: float, carry_hidden: bool
) -> None:
    """Train `model` and its mirror on `text` and print their losses, what they generate, and their times."""
    mirror, steps = make_mirror(model), []
    print("epoch    NumPy loss    PyTorch loss    largest relative difference in any gradient so far")
    for step in _steps(model, mirror, *inputs_and_targets(vocabulary, text), epochs, lr, carry_hidden):
        steps.append(step)
        if step.number % 10 == 0 or step.number == epochs:
            largest = max(s.largest("grad ") for s in steps)
            print(f"{step.number:5d}    {step.numpy_loss:10.4f}    {step.torch_loss:12.4f}    {largest:.1e}")
    print(f"NumPy generates:   {escape(nr.generate(model, vocabulary, text[0], len(text)))}")
    print(f"PyTorch generates: {escape(generate(mirror, vocabulary, text[0], len(text)))}")
    numpy_time, torch_time = median(s.numpy_seconds for s in steps), median(s.torch_seconds for s in steps)
    print(
        f"median epoch: NumPy {numpy_time * 1e6:.0f} us, PyTorch {torch_time * 1e6:.0f} us "
        f"({torch_time / numpy_time:.1f} times as long)"
    )


def _steps(
    model: nr.CharRNN,
    mirror: CharRNN,
    tokens: ArrayLike,
    targets: ArrayLike,
    epochs: int,
    lr: float,
    carry_hidden: bool,
) -> Iterator[Step]:
    as_size("epochs", epochs)
    if model.training and model.rnn.dropout:
        raise ValueError("model has dropout, and NumPy and torch draw different masks: call model.eval() first")
    parameters, torch_parameters = model.parameters(), dict(mirror.named_parameters())
    optimizer = nr.Adam(parameters, lr=lr)
    torch_optimizer = torch.optim.Adam(mirror.parameters(), lr=lr)
    tokens, targets = np.asarray(tokens), np.asarray(targets)
    torch_tokens, torch_targets = torch.tensor(tokens), torch.tensor(targets).flatten()
    criterion = nn.CrossEntropyLoss()
    tape = model.new_tape(*tokens.shape)
    h_0, torch_h_0 = None, None
    state = torch_optimizer.state
    compared: tuple[tuple[str, Array, Callable[[Tensor], Any]], ...] = (
        ("grad ", parameters.grad, lambda p: p.grad),
        ("exp_avg ", optimizer.exp_avg, lambda p: state[p]["exp_avg"]),
        ("exp_avg_sq ", optimizer.exp_avg_sq, lambda p: state[p]["exp_avg_sq"]),
        ("", parameters.data, lambda p: p),
    )

    for number in range(1, epochs + 1):
        started = time.perf_counter()
        with np.errstate(all="ignore"):  # check_loss reports an overflow
            loss, h_n = model.loss_and_gradients(tokens, targets, h_0, tape)
            check_loss(loss, number)
            optimizer.step()
        numpy_seconds = time.perf_counter() - started

        started = time.perf_counter()
        torch_optimizer.zero_grad()
        logits, torch_h_n = mirror(torch_tokens, torch_h_0)
        torch_loss = criterion(logits.flatten(0, 1), torch_targets)
        torch_loss.backward()
        torch_optimizer.step()
        torch_seconds = time.perf_counter() - started

        last = zip(("h_n", "c_n"), as_arrays(h_n), as_arrays(torch_h_n), strict=False)
        differences = {
            "logits": _difference(tape.logits, logits.flatten(0, 1)),
            **{name: _difference(ours, theirs) for name, ours, theirs in last},
            "loss": _difference(np.array(loss), torch_loss),
        }
        for prefix, vector, theirs in compared:
            for name, ours in parameters.views(vector).items():
                differences[prefix + name] = _difference(ours, theirs(torch_parameters[name]))
        yield Step(number, loss, torch_loss.item(), differences, numpy_seconds, torch_seconds)
        if carry_hidden:
            h_0, torch_h_0 = h_n, detach(torch_h_n)


def _difference(ours: Array, theirs: Tensor) -> float:
    """Return max|ours - theirs| / max|theirs|, and 0 if both are all zeros."""
    reference = theirs.detach().numpy()
    if ours.shape != reference.shape:
        raise ValueError(f"mirror has a tensor of shape {reference.shape} where the model has {ours.shape}")
    largest = float(np.abs(ours - reference).max(initial=0))
    scale = float(np.abs(reference).max(initial=0))
    if scale == 0:
        return math.inf if largest else 0.0
    return largest / scale
