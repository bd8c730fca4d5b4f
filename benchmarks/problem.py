"""The weights and data of one case, the same for every contestant, and what must agree before anything is timed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Case
from numpy_rnn import Vocabulary, textbook

__all__ = ["LR", "Problem", "disagreement"]

Array = NDArray[Any]

LR = 1e-3  # torch's default
# Relative. Rounding in float32 stays below a tenth of these (three steps, every shape of the grid); a missing
# bias gradient or a wrong beta is far above.
TOLERANCES = {"train": 2e-5, "forward": 2e-5, "adam": 1e-3, "generate": 1e-4}


@dataclass(frozen=True)
class Problem:
    """One case with its numbers.

    Attributes
    ----------
    weights : dict of str to ndarray
        float32, under the names of a torch state_dict.
    tokens, targets : ndarray of int, shape (T, B)
    """

    case: Case
    weights: dict[str, Array]
    tokens: Array
    targets: Array

    @classmethod
    def draw(cls, case: Case) -> Problem:
        """Return the problem of `case`: every process draws the same one."""
        rng = np.random.default_rng(0)
        weights = textbook.init(case.V, case.E, case.H, rng)
        tokens, targets = rng.integers(case.V, size=(2, case.T, case.B))
        return cls(case, {name: w.astype(np.float32) for name, w in weights.items()}, tokens, targets)

    @cached_property
    def gradients(self) -> dict[str, Array]:
        """Gradients for Adam alone, by name."""
        rng = np.random.default_rng(1)
        return {name: rng.standard_normal(w.shape, np.float32) for name, w in self.weights.items()}

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """V characters, for generation. (From 0x10000 on there are no surrogates.)"""
        return Vocabulary(map(chr, range(0x10000, 0x10000 + self.case.V)))

    def summary(self, answer: Any) -> list[float]:
        """Reduce what a contestant computed to the few numbers that are compared.

        Parameters
        ----------
        answer : float, ndarray, dict of str to ndarray, or list of int
            The loss of a training step; the logits (T, B, V) of a forward pass; the weights after Adam's step;
            the generated tokens.
        """
        if self.case.task == "train":
            return [float(answer)]
        if self.case.task == "forward":
            return [self._loss(np.asarray(answer, np.float64))]
        if self.case.task == "adam":
            return [self._way(answer)]
        return [self._hesitation(answer), float(len(answer))]

    def _loss(self, logits: Array) -> float:
        logits = logits.reshape(-1, self.case.V)
        logits = logits - logits.max(1, keepdims=True)
        of_target = np.take_along_axis(logits, self.targets.reshape(-1, 1), 1)[:, 0]
        return float((np.log(np.exp(logits).sum(1)) - of_target).mean())

    def _way(self, weights: dict[str, Array]) -> float:
        """How far the weights went down the gradient, as a share of one step of LR against each sign."""
        went = sum(float((self.gradients[n] * (self.weights[n] - weights[n])).sum()) for n in self.weights)
        return went / (LR * sum(float(np.abs(g).sum()) for g in self.gradients.values()))

    def _hesitation(self, tokens: Sequence[int]) -> float:
        """How much more probable a character than the chosen one ever was, in logits: 1 + 0 up to rounding.

        Tokens are not compared with each other: where two characters are equally probable, rounding decides.
        """
        p = {name: w.astype(np.float64) for name, w in self.weights.items()}
        read = np.array(tokens[:-1]).reshape(-1, 1)
        logits = textbook.forward(p, read, np.zeros((1, self.case.H)))[0][:, 0]
        chosen = np.take_along_axis(logits, np.array(tokens[1:]).reshape(-1, 1), 1)[:, 0]
        return 1 + float((logits.max(1) - chosen).max(initial=0))


def disagreement(case: Case, answers: Sequence[Sequence[float]], reference: Sequence[Sequence[float]]) -> str | None:
    """Say where `answers`, one a step, part from `reference`; None where they agree."""
    for step, (ours, theirs) in enumerate(zip(answers, reference, strict=False), 1):
        if not np.allclose(ours, theirs, rtol=TOLERANCES[case.task], atol=0):  # nan does not agree either
            return f"step {step} gives {ours}, expected {list(theirs)} as of the reference in float64"
    return None
