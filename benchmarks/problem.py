"""The weights and data of a case, the same for all contestants, and the check that their answers agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Case
from numpy_rnn import CharRNN, Vocabulary

__all__ = ["LR", "Problem", "disagreement"]

Array = NDArray[Any]

LR = 1e-3  # torch's default
# Relative tolerances. Rounding in float32 is below a tenth of them (three steps, all shapes of the grid); a missing
# bias gradient or a wrong beta is far above.
TOLERANCES = {"train": 2e-5, "forward": 2e-5, "backward": 2e-4, "adam": 1e-3, "generate": 1e-4}


@dataclass(frozen=True)
class Problem:
    """A case with its weights and data.

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
        """Return the problem of `case`, the same in every process."""
        rng = np.random.default_rng(0)
        weights = CharRNN(case.V, case.E, case.H, cell=case.cell, dtype="float64", rng=rng).state_dict()
        tokens, targets = rng.integers(case.V, size=(2, case.T, case.B))
        return cls(case, {name: w.astype(np.float32) for name, w in weights.items()}, tokens, targets)

    @cached_property
    def gradients(self) -> dict[str, Array]:
        """Gradients for Adam alone, by name."""
        rng = np.random.default_rng(1)
        return {name: rng.standard_normal(w.shape, np.float32) for name, w in self.weights.items()}

    @cached_property
    def dlogits(self) -> Array:
        """The gradient from which backward alone starts, (T, B, V)."""
        return np.random.default_rng(1).standard_normal((*self.tokens.shape, self.case.V), np.float32)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """V characters, for generation. There are no surrogates from 0x10000 on."""
        return Vocabulary(map(chr, range(0x10000, 0x10000 + self.case.V)))

    def summary(self, answer: Any) -> list[float]:
        """Reduce the answer of a contestant to a few numbers, which are compared.

        Parameters
        ----------
        answer : float, ndarray, dict of str to ndarray, or list of int
            By task: the loss of a training step, the logits (T, B, V) of a forward pass, the gradients of a backward
            pass, the weights after a step of Adam, or the generated tokens.
        """
        if self.case.task == "train":
            return [float(answer)]
        if self.case.task == "forward":
            return [self._loss(np.asarray(answer, np.float64))]
        if self.case.task == "backward":
            return [self._weighted_sum(np.asarray(answer[name], np.float64)) for name in self.weights]
        if self.case.task == "adam":
            return [self._progress(answer)]
        return [self._greediness(answer), float(len(answer))]

    def _loss(self, logits: Array) -> float:
        logits = logits.reshape(-1, self.case.V)
        logits = logits - logits.max(1, keepdims=True)
        of_target = np.take_along_axis(logits, self.targets.reshape(-1, 1), 1)[:, 0]
        return float((np.log(np.exp(logits).sum(1)) - of_target).mean())

    def _weighted_sum(self, gradient: Array) -> float:
        """Return a sum that depends on the size, sign and place of each element, and in which nothing cancels."""
        weights = np.random.default_rng(2).random(gradient.shape)
        return float((weights * (2 * np.abs(gradient) + gradient)).sum())

    def _progress(self, weights: dict[str, Array]) -> float:
        """Return the change of the weights along the gradient, relative to a change of LR in each weight."""
        went = sum(float((self.gradients[n] * (self.weights[n] - weights[n])).sum()) for n in self.weights)
        return went / (LR * sum(float(np.abs(g).sum()) for g in self.gradients.values()))

    def _greediness(self, tokens: Sequence[int]) -> float:
        """Return 1 plus the largest difference between the highest logit and that of the chosen character.

        Tokens are not compared directly, because rounding decides between two equally probable characters.
        """
        model = CharRNN(self.case.V, self.case.E, self.case.H, cell=self.case.cell, dtype="float64")
        model.load_state_dict(self.weights)
        logits = model.forward(np.array(tokens[:-1]).reshape(-1, 1))[0][:, 0]
        chosen = np.take_along_axis(logits, np.array(tokens[1:]).reshape(-1, 1), 1)[:, 0]
        return 1 + float((logits.max(1) - chosen).max(initial=0))


def disagreement(case: Case, answers: Sequence[Sequence[float]], reference: Sequence[Sequence[float]]) -> str | None:
    """Return where `answers`, one per step, differ from `reference`, in words; None if they agree."""
    for step, (ours, theirs) in enumerate(zip(answers, reference, strict=False), 1):
        if not np.allclose(ours, theirs, rtol=TOLERANCES[case.task], atol=0):  # false for nan
            return f"step {step} gives {ours}, expected {list(theirs)} (reference in float64)"
    return None
