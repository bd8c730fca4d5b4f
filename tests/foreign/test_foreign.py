"""Mistakes in layers written in other people's styles: gradcheck fails on exactly the tensors that are wrong."""

import inspect
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

import numpy_rnn as nr
from tests.foreign.catalogue import SLIPS
from tests.foreign.gradients import backward_gradients
from tests.foreign.points import POINTS, arguments, random_sizes
from tests.foreign.slip import LAYERS, Slip, changed
from tests.foreign.trial import all_right, right_layer, try_slip, wrong_tensors


@pytest.mark.parametrize("slip", SLIPS, ids=str)
def test_gradcheck_fails_on_exactly_the_wrong_tensors(slip):
    outcome = try_slip(slip, lines=False)
    assert outcome.found, f"{slip}: see python -m tests.foreign --show {str(slip)!r}"


SAMPLE = SLIPS[::10]
LINES, EXPLANATIONS = 14, 11  # so many of the sample at least; python -m tests.foreign tries all slips


def test_most_faulty_lines_are_named_and_many_explained():
    outcomes = {str(slip): try_slip(slip) for slip in SAMPLE}
    named = [name for name, outcome in outcomes.items() if outcome.line]
    explained = [name for name, outcome in outcomes.items() if outcome.explained]
    assert len(named) >= LINES, outcomes.keys() - set(named)
    assert len(explained) >= EXPLANATIONS, outcomes.keys() - set(explained)


@pytest.mark.parametrize(
    ("offset", "explanation", "line", "explained"),
    [
        (0, "dL/dh lacks the path through prev_h into the next step", True, True),
        (0, "the sign is wrong", True, False),
        (0, None, True, False),
        (1, "dL/dh lacks the path through prev_h into the next step", False, False),
    ],
)
def test_the_suspect_is_compared_with_the_changed_line(monkeypatch, offset, explanation, line, explained):
    slip = next(slip for slip in SLIPS if str(slip) == "lstm_steps: dh_next is dropped")
    with changed(slip) as (_, number):
        suspect = SimpleNamespace(line=number + offset, explanation=explanation)
    report = SimpleNamespace(ok=False, tensors={}, suspect=suspect)
    monkeypatch.setattr(nr, "gradcheck", lambda *arguments: report)
    outcome = try_slip(slip)
    assert (outcome.found, outcome.line, outcome.explained) == (False, line, explained)


@pytest.mark.parametrize("layer", POINTS)
def test_a_right_layer_passes(layer):
    report = nr.gradcheck(*arguments(layer, right_layer(layer)))
    assert report.ok, str(report)
    assert report.suspect is None
    assert set(report.tensors) == set(backward_gradients(*arguments(layer, right_layer(layer))))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("layer", POINTS)
def test_no_line_of_a_right_layer_is_wrong(layer, seed):
    report = nr.gradcheck(*arguments(layer, right_layer(layer), random_sizes(np.random.default_rng(seed)), seed))
    assert report.suspect is None
    assert all_right(report), report.annotated()


@pytest.mark.parametrize("layer", POINTS)
def test_the_catalogue_lists_the_tensors_that_differ_from_those_of_the_right_file(layer):
    slips = [slip for slip in SLIPS if slip.layer == layer]
    assert {slip.name: wrong_tensors(slip) for slip in slips} == {slip.name: slip.wrong for slip in slips}


def test_there_are_enough_of_them_and_no_two_alike():
    counts = Counter(slip.layer for slip in SLIPS)
    assert len(SLIPS) >= 60
    assert set(counts) == set(POINTS) == {path.stem for path in LAYERS.glob("[!_]*.py")}
    assert len(counts) >= 8
    assert min(counts.values()) >= 5
    assert len(set(map(str, SLIPS))) == len(SLIPS)
    assert len({(slip.layer, slip.old, slip.new) for slip in SLIPS}) == len(SLIPS)


def test_a_changed_layer_is_a_file_whose_source_can_be_read():
    slip = next(slip for slip in SLIPS if slip.layer == "lstm_class")
    with changed(slip) as (module, line):
        assert slip.new in inspect.getsource(module).splitlines()[line - 1]
        assert slip.new in inspect.getsource(module.LSTM)
        assert slip.new in inspect.getsource(module.LSTM.backward)
    assert slip.new not in inspect.getsource(right_layer(slip.layer))


@pytest.mark.parametrize("old", ["no such line", "dx", "= cache\n"])
def test_a_slip_must_be_within_one_line_that_is_there(old):
    slip = Slip("layernorm", "gone", old, "", frozenset())
    with pytest.raises(LookupError, match=r"layernorm: gone: .* expected once, within a line"), changed(slip):
        pass
