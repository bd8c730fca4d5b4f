"""The catalogue of mistakes: all are caught by the tests, and by gradcheck, which names the cause of most."""

import linecache
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

import numpy_rnn as nr
from tests.mistakes.catalogue import SLIPS
from tests.mistakes.pieces import TESTS, red_test, subject
from tests.mistakes.slip import Slip, applied, changed_lines, wrong_functions
from tests.mistakes.trial import try_slip

# gradcheck does not name the cause of these.
UNNAMED = {
    "repeated tokens are averaged",
    "the first token is skipped",
    "tokens shifted by one place",
    "p (1 - p), the softmax's diagonal",
    "the loop over time runs forwards",
    "the sigmoid's h (1 - h)",
    "W_hh is forgotten on the way back",
    "dW_hh without the first step",
    "dW_hh of the last step only",
    "dh_0 is dz_1",
    # LSTM
    "the forget gate is missing on the way back",
    "tanh' for the input gate",
    # GRU
    "sigma' for the candidate n",
    "the reset gate is missing in du",
    "db_hh equal to db_ih",
}


# `python -m tests.mistakes` tries all. Of the recurrent layers, which take seconds each, a part is enough to notice
# a change.
EVERY = {"RNN": 4, "LSTM": 10, "GRU": 10}
TRIED = [slip for k, slip in enumerate(SLIPS) if k % EVERY.get(slip.piece, 1) == 0]


@pytest.mark.parametrize("slip", TRIED, ids=lambda slip: f"{slip.piece}: {slip.name}")
def test_a_slip_is_caught_and_named(slip):
    outcome = try_slip(slip)
    assert outcome.red, "the tests of this piece stay green"
    assert outcome.found is not False, outcome.report
    assert outcome.named in (None, slip.name not in UNNAMED), outcome.report


def test_every_slip_in_a_backward_pass_has_words_for_its_cause():
    assert all(slip.words for slip in SLIPS if subject(slip.piece))


@pytest.mark.parametrize("piece", TESTS)
def test_without_a_slip_all_is_right(piece):
    """Otherwise a slip might be caught because of another difference."""
    with applied(Slip("nothing", piece, ""), nr):
        assert "," in piece or red_test(piece) is None  # "Linear, square" has the tests of Linear
        arguments = subject(piece)
        assert arguments is None or nr.gradcheck(*arguments).ok


def test_there_are_enough_of_them_and_no_two_alike():
    assert len(SLIPS) >= 60
    assert len({(slip.piece, slip.name) for slip in SLIPS}) == len(SLIPS)
    assert len({(slip.piece, slip.old, slip.new) for slip in SLIPS}) == len(SLIPS)


def test_the_document_counts_them():
    rows = [line.strip("| ").split("|") for line in Path("docs/gradcheck.md").read_text().splitlines()]
    printed = {row[0].strip(): int(row[1]) for row in rows if len(row) >= 4 and row[1].strip().isdigit()}
    counted = Counter(slip.piece.partition(",")[0] for slip in SLIPS)
    assert printed == {**counted, "all": len(SLIPS)}


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("dx twice", ["return 2 * dy @ W"]),
        ("db averaged over N", ["db_ih[...] = db_hh[...] = dz.sum(axis=0) / max(1, len(dz))"]),
        ("doutput is not added", ["pass", "dz[t] = dh * (1 - h[t + 1] ** 2)"]),
    ],
)
def test_the_changed_lines_are_those_of_the_changed_source(name, lines):
    slip = next(slip for slip in SLIPS if slip.name == name)
    wrong_functions(slip)
    assert [linecache.getline(slip.filename, number).strip() for number in changed_lines(slip)] == lines


def test_an_explanation_counts_only_on_the_right_line(monkeypatch):
    slip = next(slip for slip in SLIPS if slip.name == "db averaged over the rows")
    (line,) = changed_lines(slip)
    for number, words, expected in [(line, slip.words, True), (line + 1, slip.words, False), (line, "sum", False)]:
        suspect = SimpleNamespace(filename=slip.filename, line=number, explanation=words.replace("\\", ""))
        tensor = SimpleNamespace(ok=False, diagnosis=None)
        report = SimpleNamespace(ok=False, tensors={"bias": tensor}, suspect=suspect, faults=[])
        monkeypatch.setattr(nr, "gradcheck", lambda *arguments, report=report: report)
        outcome = try_slip(slip)
        assert (outcome.line, outcome.named) == (number == line, expected)


def test_a_slip_is_taken_back():
    before = nr.Linear.backward, nr.Linear.forward
    slip = next(slip for slip in SLIPS if slip.name == "dx twice")
    with applied(slip, nr):
        assert nr.Linear.backward is not before[0]
    assert (nr.Linear.backward, nr.Linear.forward) == before


def test_a_slip_whose_line_is_gone_is_an_error():
    with pytest.raises(LookupError, match="gone: linear contains 'no such line' 0 times"):
        wrong_functions(Slip("gone", "Linear", "linear", "no such line"))
