"""Parity: train the NumPy model and its mirror from the same weights and compare every number at each step."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

import numpy_rnn as nr
from numpy_rnn.checks import as_size
from numpy_rnn.training.tutorial import check_loss
from torch_reference.model import CharRNN

__all__ = ["Parity", "Step", "parity", "steps"]


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
        Relative difference of each tensor, largest |numpy - torch| over largest |torch|, in the order in which
        the step computes them: `logits`, `h_n`, `loss`, then `grad NAME`, `exp_avg NAME`, `exp_avg_sq NAME` and
        `NAME` itself, updated, for each parameter.
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
        """Return the largest difference among the tensors whose name starts with `prefix`."""
        return max(value for name, value in self.differences.items() if name.startswith(prefix))


@dataclass(frozen=True)
class Parity:
    """The whole comparison: its steps, and where the two first part by more than `tolerance`."""

    steps: list[Step]
    tolerance: float

    @property
    def first_parting(self) -> tuple[int, str, float] | None:
        """Number of the first step, name of its first tensor beyond the tolerance, and the difference."""
        for step in self.steps:
            for name, difference in step.differences.items():
                if not difference <= self.tolerance:  # written so that nan parts too
                    return step.number, name, difference
        return None

    @property
    def ok(self) -> bool:
        """Whether the two never part."""
        return self.first_parting is None

    def __str__(self) -> str:
        parting = self.first_parting
        if parting is None:
            largest = max(step.largest() for step in self.steps)
            return f"{len(self.steps)} steps agree: largest relative difference {largest:.1e} <= {self.tolerance:.1e}"
        number, name, difference = parting
        return f"parted at step {number}: {name} differs by {difference:.1e}, relative, > {self.tolerance:.1e}"


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
        float32 or float64. It is trained. With dropout, put it in evaluation mode: NumPy and torch draw other masks.
    tokens, targets : array of int, shape (T, B)
    epochs : int
        Number of steps, each over all of tokens.
    lr : float, default 0.01
        Adam's step size.
    carry_hidden : bool, default False
        Start each step from the last state of the one before instead of from zeros.
    mirror : CharRNN, optional
        What to compare with. None: a mirror with the weights of `model`.
    tolerance : float, default 1e-10
        Relative difference beyond which tensors count as parted.

    Returns
    -------
    Parity
    """
    compared = steps(model, mirror, tokens, targets, epochs=epochs, lr=lr, carry_hidden=carry_hidden)
    return Parity(list(compared), tolerance)


def steps(
    model: nr.CharRNN,
    mirror: CharRNN | None,
    tokens: ArrayLike,
    targets: ArrayLike,
    *,
    epochs: int,
    lr: float = 0.01,
    carry_hidden: bool = False,
) -> Iterator[Step]:
    """Yield the steps of `parity` as they are made."""
    as_size("epochs", epochs)
    if model.training and model.rnn.dropout:
        raise ValueError("model has dropout, and NumPy and torch draw other masks: call model.eval() first")
    if mirror is None:
        mirror = make_mirror(model)
    parameters = model.parameters()
    optimizer = nr.Adam(parameters, lr=lr)
    torch_optimizer = torch.optim.Adam(mirror.parameters(), lr=lr)
    tokens, targets = np.asarray(tokens), np.asarray(targets)
    torch_tokens, torch_targets = torch.tensor(tokens), torch.tensor(targets).flatten()
    criterion = nn.CrossEntropyLoss()
    tape = model.new_tape(*tokens.shape)
    h_0, torch_h_0 = None, None

    for number in range(1, epochs + 1):
        started = time.perf_counter()
        with np.errstate(all="ignore"):  # an overflow shows in the loss, which is checked
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

        state = {name: torch_optimizer.state[p] for name, p in mirror.named_parameters()}
        pairs: list[tuple[str, Mapping[str, np.ndarray], Mapping[str, Tensor | None]]] = [
            ("grad ", parameters.views(parameters.grad), {name: p.grad for name, p in mirror.named_parameters()}),
            ("exp_avg ", parameters.views(optimizer.exp_avg), {name: s["exp_avg"] for name, s in state.items()}),
            ("exp_avg_sq ", parameters.views(optimizer.exp_avg_sq), {n: s["exp_avg_sq"] for n, s in state.items()}),
            ("", parameters.views(parameters.data), dict(mirror.named_parameters())),
        ]
        differences = {
            "logits": _difference(tape.logits, logits.flatten(0, 1)),
            "h_n": _difference(h_n, torch_h_n),
            "loss": _difference(np.array(loss), torch_loss),
        }
        for prefix, ours, theirs in pairs:
            differences |= {prefix + name: _difference(ours[name], theirs[name]) for name in ours}
        yield Step(number, loss, torch_loss.item(), differences, numpy_seconds, torch_seconds)
        if carry_hidden:
            h_0, torch_h_0 = h_n, torch_h_n.detach()


def make_mirror(model: nr.CharRNN) -> CharRNN:
    """Return the PyTorch mirror of `model`, with its weights."""
    dtype = torch.from_numpy(np.empty(0, model.dtype)).dtype
    rnn = model.rnn
    sizes = model.vocab_size, model.embedding_dim, model.hidden_size, rnn.num_layers
    mirror = CharRNN(*sizes, rnn.dropout, dtype=dtype)
    mirror.load_state_dict(model.state_dict())
    return mirror.train(model.training)


def _difference(ours: np.ndarray, theirs: Tensor | None) -> float:
    """Return the largest |ours - theirs| over the largest |theirs|; 0 where both are zero throughout."""
    assert theirs is not None
    reference = theirs.detach().numpy()
    if ours.shape != reference.shape:
        raise ValueError(f"mirror has a tensor of shape {reference.shape} where the model has {ours.shape}")
    largest = float(np.abs(ours - reference).max(initial=0))
    scale = float(np.abs(reference).max(initial=0))
    if scale == 0:
        return math.inf if largest else 0.0
    return largest / scale
