"""Medians of paired ratios, their bootstrap intervals, and whether a race may be published.

Two contestants are compared sample by sample. The samples of a pair are taken shortly after each other, so that a
slow phase of the machine affects both. The samples of one process have something in common, such as the placement of
its memory, so the bootstrap first draws processes and then samples of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Interval", "bootstrap_median", "noise", "paired_ratios", "unfair"]

_RESAMPLES = 4000
NOISE = 0.05

Key = tuple[int, int]  # round (each has new processes), sweep within the round


@dataclass(frozen=True)
class Interval:
    """A median and its interval."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def paired_ratios(theirs: Mapping[Key, float], ours: Mapping[Key, float]) -> list[list[float]]:
    """Return theirs / ours for each sample that both have, grouped by round."""
    rounds: dict[int, list[float]] = {}
    for key in sorted(theirs.keys() & ours.keys()):
        rounds.setdefault(key[0], []).append(theirs[key] / ours[key])
    return list(rounds.values())


def bootstrap_median(rounds: Sequence[Sequence[float]], level: float = 0.95) -> Interval:
    """Return the median over all rounds' values and its percentile interval by the two-stage bootstrap.

    Parameters
    ----------
    rounds : sequence of sequence of float
        The values of each round.
    level : float, default 0.95
        Intended coverage.

    Returns
    -------
    Interval
    """
    if not any(len(values) for values in rounds):
        raise ValueError("there is no median: no two samples form a pair")
    lengths = np.array([len(values) for values in rounds if len(values)])
    table = np.full((len(lengths), lengths.max()), np.inf)  # (rounds, samples), padded with inf
    for row, values in zip(table, filter(len, rounds), strict=True):
        row[: len(values)] = values

    rng = np.random.default_rng(0)
    drawn = rng.integers(len(lengths), size=(_RESAMPLES, len(lengths), 1))
    sample = (rng.random((_RESAMPLES, *table.shape)) * lengths[drawn]).astype(int)
    resampled = np.where(np.arange(table.shape[1]) < lengths[drawn], table[drawn, sample], np.inf)
    medians = _finite_median(resampled.reshape(_RESAMPLES, -1))
    low, high = np.quantile(medians, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(_finite_median(table.reshape(1, -1))[0]), float(low), float(high))


def _finite_median(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the median of the finite values of each row."""
    ordered, count = np.sort(rows, 1), np.isfinite(rows).sum(1)
    i = np.arange(len(rows))
    return np.asarray((ordered[i, (count - 1) // 2] + ordered[i, count // 2]) / 2)


def unfair(controls: Mapping[str, Sequence[Sequence[float]]]) -> list[str]:
    """Return the reasons why A/A controls, ratios of two processes of the same code, forbid publication.

    Parameters
    ----------
    controls : mapping of str to list of list of float
        For each thread setting, the paired ratios in groups by case and round. All cases are taken together: for a
        single case, all five processes are on the same side of 1 in every sixteenth race, by chance.

    Returns
    -------
    list of str
        One sentence for each control with an interval that excludes 1 (the contestants were not treated alike) or
        with more than a quarter of its pairs more than 5 % apart (the machine was too noisy).
    """
    reasons = []
    for name, groups in controls.items():
        interval = bootstrap_median(groups)
        if 1 not in interval:
            reasons.append(f"the A/A control at {name} excludes 1: {interval}")
        reasons += noise(name, groups)
    return reasons


def noise(name: str, groups: Sequence[Sequence[float]]) -> list[str]:
    """Return the reason if more than a quarter of a control's pairs are more than 5 % apart."""
    apart = np.abs(np.concatenate(groups) - 1)
    if np.quantile(apart, 0.75) <= NOISE:
        return []
    return [f"the A/A control at {name} is noisy: {np.mean(apart > NOISE):.0%} of its pairs differ by 5 %"]
