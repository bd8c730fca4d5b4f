"""The contestants: implementations of the same model, one per file.

Each module has

- `prepare(problem, **options) -> Work`, which builds the model with the weights of the problem;
- optionally `start(threads, **options) -> dict of str to str`, called first in a new process: it sets the number of
  threads of its library, raises `Unavailable` if it cannot run, and returns version numbers;
- optionally `learner(trainer, **options)`, which returns an object with the methods `train_step` and `validate` of
  `numpy_rnn.training.trainer.Trainer`, for the learning race.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.cases import Case

__all__ = ["AGAIN", "CONTESTANTS", "OURS", "Contestant", "Unavailable", "Work"]


class Unavailable(Exception):
    """A contestant cannot run here. The message says why."""


@dataclass(frozen=True)
class Work:
    """A prepared task.

    Attributes
    ----------
    run : callable
        Performs the task once. This is timed.
    answer : callable, optional
        Converts the result of `run` to what `Problem.summary` expects. None: there is nothing to compare.
    wait : callable
        Waits until the result of `run` is computed, for asynchronous libraries. Timed once per sample.
    """

    run: Callable[[], Any]
    answer: Callable[[Any], Any] | None
    wait: Callable[[Any], object] = id


@dataclass(frozen=True)
class Contestant:
    """A contestant by name.

    Attributes
    ----------
    name : str
    module : str
        Imported only in the worker process.
    tasks : tuple of str
        The tasks that it implements.
    cells, trains : tuple of str
        The cells that it implements, and for the task "train" those that it trains.
    options : mapping
        Keyword arguments of the module's functions.
    slow : bool
        Whether it only takes part in the first two rounds.
    one_setting : bool
        Whether it only runs at the first thread setting, because the number of CPU threads makes no difference.
    curves : bool
        Whether it is part of the cost curves.
    """

    name: str
    module: str
    tasks: tuple[str, ...] = ("train", "forward", "backward", "generate", "adam")
    cells: tuple[str, ...] = ("rnn", "lstm", "gru")
    trains: tuple[str, ...] = ("rnn", "lstm", "gru")
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    slow: bool = False
    one_setting: bool = False
    curves: bool = False

    def takes(self, case: Case) -> bool:
        """Return whether it implements this task for this cell."""
        return case.task in self.tasks and case.cell in (self.trains if case.task == "train" else self.cells)


_HERE, _RNN = "benchmarks.contestants", ("rnn",)
OURS = Contestant("numpy_rnn", f"{_HERE}.ours", curves=True)
AGAIN = Contestant("A/A", f"{_HERE}.ours")  # a second process of the same: the ratio should be 1
_CUDA = {"fused": True, "device": "cuda"}

CONTESTANTS = (
    Contestant("textbook", f"{_HERE}.textbook", ("train", "forward", "generate", "adam"), _RNN, slow=True),
    Contestant("per-step", f"{_HERE}.per_step", ("train", "forward", "generate"), _RNN, _RNN, slow=True),
    OURS,
    Contestant("torch", f"{_HERE}.pytorch"),
    Contestant("torch-fused", f"{_HERE}.pytorch", ("train", "adam"), options={"fused": True}, curves=True),
    Contestant("torch-by-hand", f"{_HERE}.torch_by_hand", ("train", "generate"), trains=_RNN),
    Contestant("torch-compile", f"{_HERE}.torch_compile", ("train",), trains=_RNN, slow=True),
    Contestant("torch-cuda", f"{_HERE}.pytorch", ("train", "forward"), options=_CUDA, one_setting=True, curves=True),
    Contestant("jax", f"{_HERE}.jax_scan", curves=True),
    Contestant("floor", f"{_HERE}.floor", ("train", "forward", "backward", "generate"), curves=True),
    Contestant("floor+loops", f"{_HERE}.floor", ("train", "forward"), _RNN, _RNN, options={"loops": True}),
)
