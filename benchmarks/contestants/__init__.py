"""The contestants: one implementation of the same model a file.

Such a module has

- `prepare(problem, **options) -> Work`: build the model from the problem's weights;
- `start(threads, **options) -> dict of str to str`, optional: called once in a fresh process; sets its library's
  number of threads, raises `Unavailable` where it cannot run, and returns versions to note down.

The race takes any list of `Contestant`, so another module's variants can be raced just so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["AGAIN", "CONTESTANTS", "OURS", "REFERENCE", "Contestant", "Unavailable", "Work"]


class Unavailable(Exception):
    """A contestant cannot run here; the message says what is missing."""


@dataclass(frozen=True)
class Work:
    """A task made ready.

    Attributes
    ----------
    run : callable
        Does the task once; this is timed.
    answer : callable, optional
        Turns what `run` returned into what `Problem.summary` expects. None: there is nothing to compare.
    wait : callable
        Waits until what `run` returned has been computed, where a library runs behind; timed once a sample.
    """

    run: Callable[[], Any]
    answer: Callable[[Any], Any] | None
    wait: Callable[[Any], object] = id


@dataclass(frozen=True)
class Contestant:
    """A name, and where its implementation is.

    Attributes
    ----------
    name : str
    module : str
        Imported in the worker alone.
    tasks : tuple of str
        What it can do.
    options : mapping
        Keyword arguments of the module's functions.
    slow : bool
        Runs in the first two rounds only, and so from fewer processes than the others.
    one_setting : bool
        The number of CPU threads does not matter: it runs at the first setting alone.
    curves : bool
        Whether it is drawn in the cost curves.
    """

    name: str
    module: str
    tasks: tuple[str, ...] = ("train", "forward", "generate", "adam")
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    slow: bool = False
    one_setting: bool = False
    curves: bool = False


_HERE = "benchmarks.contestants"
OURS = Contestant("numpy_rnn", f"{_HERE}.ours", curves=True)
AGAIN = Contestant("A/A", f"{_HERE}.ours")  # the same once more, in a process of its own: the ratio ought to be 1
REFERENCE = Contestant("reference", f"{_HERE}.ours", options={"dtype": "float64"}, one_setting=True)  # never timed

CONTESTANTS = (
    Contestant("textbook", f"{_HERE}.textbook", slow=True),
    Contestant("per-step", f"{_HERE}.per_step", ("train", "forward", "generate"), slow=True),
    OURS,
    Contestant("torch", f"{_HERE}.pytorch"),
    Contestant("torch-fused", f"{_HERE}.pytorch", ("train", "adam"), {"fused": True}, curves=True),
    Contestant("torch-by-hand", f"{_HERE}.pytorch", ("generate",), {"by_hand": True}),
    Contestant("torch-compile", f"{_HERE}.pytorch", ("train",), {"fused": True, "compiled": True}, slow=True),
    Contestant(
        "torch-cuda",
        f"{_HERE}.pytorch",
        ("train", "forward"),
        {"fused": True, "device": "cuda"},
        one_setting=True,
        curves=True,
    ),
    Contestant("jax", f"{_HERE}.jax_scan", curves=True),
    Contestant("floor", f"{_HERE}.floor", ("train", "forward", "generate"), curves=True),
)
