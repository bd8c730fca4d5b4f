"""Cost curves: the time of a training step as one size grows, and where another contestant is faster."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.cases import CURVES, curve_cases
from benchmarks.contestants import CONTESTANTS
from benchmarks.measure.results import Race

__all__ = ["crossover", "curve"]


def crossover(sizes: Sequence[int], ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Describe the sizes at which the other is faster."""
    faster = [size for size, a, b in zip(sizes, ours, theirs, strict=True) if b < a]
    if not faster:
        return "nowhere"
    behind = sizes[-len(faster) :] == tuple(faster)
    return f"from {faster[0]} on" if behind else "at " + ", ".join(map(str, faster))


def curve(race: Race, axis: str) -> tuple[tuple[int, ...], dict[str, list[float]]]:
    """Return the sizes of one axis of `CURVES` and each contestant's median seconds; empty if not run."""
    wanted = curve_cases(axis)
    if not all(case in race.cases for case in wanted):
        return (), {}
    at = [race.seconds(race.cases.index(case)) for case in wanted]
    names = [c.name for c in CONTESTANTS if all(c.name in point for point in at)]
    return CURVES[axis], {name: [point[name] for point in at] for name in names}
