"""A training step of the reader's own: `python -m benchmarks --mine FILE.py:FUNCTION`.

The function is called as `loss = step(weights, tokens, targets)`, once per training step. It updates the weights in
place with Adam (lr = 0.001, as in torch), and returns the loss before that. The model is that of the case: the tanh
RNN unless --cell names another. `weights` is a dictionary of float32 arrays under the names of a torch state_dict,
the same one at every call; `tokens` and `targets` are (T, B). What the function keeps between the steps, such as
Adam's averages, may be in variables of the file, which is run anew for each case.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.contestants import Contestant, Unavailable, Work
from benchmarks.problem import Problem

__all__ = ["contestant", "prepare"]


def contestant(spec: str) -> Contestant:
    """Return the contestant for FILE.py:FUNCTION; Unavailable if there is no such function."""
    file, _, function = spec.rpartition(":")
    if not file.endswith(".py") or not function.isidentifier():
        raise Unavailable(f"--mine must be FILE.py:FUNCTION, such as mine.py:step, got {spec!r}")
    load(file, function)
    return Contestant(
        "mine", __name__, ("train",), options={"file": str(Path(file).absolute()), "function": function}
    )


def load(file: str, function: str) -> Callable[..., Any]:
    try:
        step: Callable[..., Any] | None = runpy.run_path(file).get(function)
    except OSError as error:
        raise Unavailable(f"--mine: cannot read {file}: {error.strerror}") from None
    except Exception as error:
        raise Unavailable(f"--mine: {file} cannot be run: {type(error).__name__}: {error}") from None
    if step is None or not callable(step):
        raise Unavailable(f"--mine: {file} has no function {function!r}")
    return step


def prepare(problem: Problem, file: str, function: str) -> Work:
    step = load(file, function)
    weights, tokens, targets = (
        {name: w.copy() for name, w in problem.weights.items()},
        problem.tokens,
        problem.targets,
    )
    return Work(lambda: step(weights, tokens, targets), float)
