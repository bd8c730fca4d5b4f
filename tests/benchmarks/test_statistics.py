"""Statistics on made-up samples."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.measure.statistics import bootstrap_median, paired_ratios, unfair


def test_the_ratio_is_of_pairs_so_that_a_slow_machine_cancels() -> None:
    pace = {(r, s): 10.0 ** (r + s) for r in range(3) for s in range(2)}
    theirs = {key: 3 * value for key, value in pace.items()} | {(7, 0): 1.0}  # a sample without a partner
    ratios = paired_ratios(theirs, pace)
    assert ratios == [pytest.approx([3.0, 3.0])] * 3
    interval = bootstrap_median(ratios)
    assert (interval.low, interval.median, interval.high) == pytest.approx((3, 3, 3))


@pytest.mark.parametrize("lengths", [(1, 1, 1, 1, 1), (3, 1, 4, 2, 2), (4, 4, 4, 4, 4), (1, 0, 2)])
def test_the_median_is_numpys(lengths: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    rounds = [rng.random(n).tolist() for n in lengths]
    interval = bootstrap_median(rounds)
    assert interval.median == pytest.approx(np.median(np.concatenate(rounds)))
    assert interval.low <= interval.median <= interval.high


def test_processes_with_fewer_samples_are_drawn_as_often_as_the_others() -> None:
    rounds = [[1.0], [5.0, 6.0, 7.0, 8.0], [2.0, 3.0], [9.0]]
    rng = np.random.default_rng(1)
    drawn = [[rounds[i] for i in rng.integers(4, size=4)] for _ in range(4000)]
    medians = [np.median(np.concatenate([rng.choice(values, len(values)) for values in draw])) for draw in drawn]
    for level in (0.5, 0.8, 0.95):
        interval = bootstrap_median(rounds, level)
        expected = np.quantile(medians, [(1 - level) / 2, (1 + level) / 2])
        assert [interval.low, interval.high] == pytest.approx(expected, abs=0.5)


def test_the_interval_contains_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    races = [
        # Processes vary, and so do the samples of one process.
        [list(2 * np.exp(rng.normal(0, 0.03) + rng.normal(0, 0.02, 4))) for _ in range(8)]
        for _ in range(100)
    ]
    intervals = [bootstrap_median(rounds) for rounds in races]
    assert 0.88 <= np.mean([2 in interval for interval in intervals]) <= 0.99
    wider = [bootstrap_median(rounds, 0.5) for rounds in races]
    assert 0.35 <= np.mean([2 in interval for interval in wider]) <= 0.65


def test_no_pairs_is_an_error() -> None:
    with pytest.raises(ValueError, match="no two samples"):
        bootstrap_median([[], []])


def control(bias: float, noise: float, seed: int) -> list[list[float]]:
    """Return ratios of two contestants with ten cases and five processes, which differ by a factor and at random."""
    rng = np.random.default_rng(seed)
    return [list(bias * np.exp(noise * (rng.normal() + rng.normal(size=2)))) for _ in range(50)]


def test_the_control_passes_equals_and_names_what_is_not() -> None:
    passed = [unfair({"1 thread": control(1.0, 0.015, seed)}) == [] for seed in range(30)]
    assert np.mean(passed) >= 0.88
    for bias in (0.97, 1.03):
        (reason,) = unfair({"1 thread": control(1.0, 0.01, 0), "2 threads": control(bias, 0.01, 0)})
        assert reason.startswith("the A/A control at 2 threads excludes 1: ")
    (reason,) = unfair({"1 thread": control(1.0, 0.1, 0)})
    assert reason.startswith("the A/A control at 1 thread is noisy: ")
