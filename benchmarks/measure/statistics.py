"""Medians of paired ratios, their bootstrap intervals, and whether a race may be published.

Two contestants are compared sample by sample: each pair was taken one soon after the other, so that a slow spell of
the machine hits both. The samples of one process share its luck (where its memory lies, for one), so the bootstrap
draws processes first and their samples second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Interval", "bootstrap_median", "noise", "paired_ratios", "unfair"]

_RESAMPLES = 4000
NOISE = 0.05

Key = tuple[int, int]  # round (a fresh process each), sweep within it


@dataclass(frozen=True)
class Interval:
    """A median and an interval about it."""

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
        Coverage that is aimed at.

    Returns
    -------
    Interval
    """
    if not any(len(values) for values in rounds):
        raise ValueError("there is nothing to take the median of: no two samples form a pair")
    lengths = np.array([len(values) for values in rounds if len(values)])
    table = np.full((len(lengths), lengths.max()), np.inf)  # (rounds, samples), inf where a round has fewer
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
    """Median of each row's finite values."""
    ordered, count = np.sort(rows, 1), np.isfinite(rows).sum(1)
    i = np.arange(len(rows))
    return np.asarray((ordered[i, (count - 1) // 2] + ordered[i, count // 2]) / 2)


def unfair(controls: Mapping[str, Sequence[Sequence[float]]]) -> list[str]:
    """Say which A/A controls forbid publication: two processes of the same code must come out equal.

    Parameters
    ----------
    controls : mapping of str to the paired ratios of two equals, a group per case and round
        By the words that name the control. All cases together: five processes of one case alone lie on the same side
        of 1 in one race of sixteen, by chance, and then no interval of theirs contains it.

    Returns
    -------
    list of str
        One sentence for each control whose interval excludes 1 (the contestants were not treated alike), or where
        more than a quarter of the pairs lie more than 5 % apart (the machine was not quiet).
    """
    reasons = []
    for name, groups in controls.items():
        interval = bootstrap_median(groups)
        if 1 not in interval:
            reasons.append(f"the A/A control at {name} excludes 1: {interval}")
        reasons += noise(name, groups)
    return reasons


def noise(name: str, groups: Sequence[Sequence[float]]) -> list[str]:
    """Say so if more than a quarter of a control's pairs lie more than 5 % apart."""
    apart = np.abs(np.concatenate(groups) - 1)
    if np.quantile(apart, 0.75) <= NOISE:
        return []
    return [f"the A/A control at {name} is noisy: {np.mean(apart > NOISE):.0%} of its pairs differ by 5 %"]
