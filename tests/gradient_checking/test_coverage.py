"""How much is checked, in how many forward passes, and the line of progress of a check that takes long."""

import itertools
import re

import numpy as np
import pytest

import numpy_rnn as nr
from numpy_rnn.gradient_checking import progress
from tests.gradient_checking.samples import product, product_back

rng = np.random.default_rng(0)
small, large = rng.standard_normal((5, 40)), rng.standard_normal((40, 30))
calls = []


def counted(x, w, keep=calls.append):
    keep(1)
    return product(x, w)


def wrong_in_one_element(d, cache):
    dx, dw = product_back(d, cache)
    dw[7, 3] += 10
    return dx, dw


def check(backward=product_back, **options):
    """Return the report and the number of forward passes."""
    calls.clear()
    report = nr.gradcheck((counted, backward), small, large, **options)
    return report, len(calls)


def coverage(report):
    return re.search(r"coverage: (.*)", str(report))[1]


@pytest.fixture
def clock(monkeypatch):
    """Replace the clock: every forward pass takes `clock.step` seconds."""

    class Clock:
        now, step = 0.0, 0.0

        def monotonic(self):
            self.now += self.step
            return self.now

    clock = Clock()
    monkeypatch.setattr(progress.time, "monotonic", clock.monotonic)
    return clock


def test_large_tensors_are_checked_along_directions_unless_full(clock):
    clock.step = 1e-6
    report, few = check()
    assert coverage(report) == "w along random directions; every element of the others"
    assert report.tensors["w"].coordinates is None
    assert report.tensors["w"].checked_numeric.size == 4
    full, many = check(full=True)
    assert coverage(full) == "every element"
    assert full.tensors["w"].checked_numeric.size == large.size
    assert large.size - 4 <= many - few <= large.size  # one more along a direction, to look for ties
    none, fewest = check(full=False)
    assert coverage(none) == "x, w along random directions"
    assert small.size - 4 <= few - fewest <= small.size


@pytest.mark.parametrize("directions", [1, 2, 9])
def test_the_number_of_directions_is_that_of_the_forward_passes(directions):
    report, count = check(full=False, directions=directions)
    assert {tensor.checked_numeric.size for tensor in report.tensors.values()} == {directions}
    assert count - check(full=False, directions=1)[1] == 2 * (directions - 1)


@pytest.mark.parametrize("full", [True, False, None])
def test_one_wrong_element_of_many_is_found(full):
    report, _ = check(wrong_in_one_element, full=full)
    assert report.tensors["x"].ok
    assert report.tensors["w"].verdict == "WRONG"
    if full:
        assert report.tensors["w"].worst_index == (7, 3)


def test_a_slow_forward_has_fewer_passes(clock):
    counts = []
    for step in (1e-6, 0.004, 0.1, 2):
        clock.step = step
        report, count = check()
        assert report.ok
        counts.append(count)
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[2]
    clock.step = 2
    assert coverage(check()[0]) == "x, w along random directions"
    assert coverage(check(full=True)[0]) == "every element"


def test_a_slow_check_tells_how_far_it_is_every_two_seconds(clock, capsys):
    clock.step = 0.3
    _, count = check(full=True)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    told = [int(re.match(r"gradcheck of counted: (\d+) forward passes", line)[1]) for line in lines]
    assert told == sorted(told)
    # The clock advances whenever it is read, at most twice in a forward pass.
    assert all(3 <= later - earlier <= 7 for earlier, later in itertools.pairwise(told))
    assert told[0] <= 7
    assert count - told[-1] <= 20
    assert any(re.search(r", about \d+ to go \(\d+ s\)$", line) for line in lines)


def test_a_quick_check_says_nothing(clock, capsys):
    clock.step = 1e-6
    check(full=True)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("directions", [0, -1, 2.0, "4", None, True])
def test_directions_are_a_positive_integer(directions):
    with pytest.raises(ValueError, match="directions must be a positive integer, got"):
        check(directions=directions)


@pytest.mark.parametrize("full", [2, "yes", 0.5])
def test_full_is_true_false_or_none(full):
    with pytest.raises(ValueError, match="full must be True, False or None, got"):
        check(full=full)
