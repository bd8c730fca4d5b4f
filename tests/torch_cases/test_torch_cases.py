"""PyTorch's own test cases, one test for each, and the table of docs/parity.md."""

from pathlib import Path

import numpy as np
import pytest
import torch

import numpy_rnn as nr
from tests.torch_cases.cases import cases, table

CASES = cases()
COMPARED = [case for case in CASES if case.reason is None]
DIFFERENT = [case for case in CASES if case.reason is not None]


def name(case):
    return f"{case.family} {case.name}"


@pytest.fixture(autouse=True)
def _torchs_generator():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("case", COMPARED, ids=name)
def test_a_case_of_torch_agrees(case):
    case.run()


@pytest.mark.parametrize("case", DIFFERENT, ids=name)
def test_a_case_of_torch_differs_on_purpose_as_documented(case):
    case.run()


def test_the_document_has_the_table_of_these_tests():
    assert table((case, None) for case in CASES) in Path("docs/parity.md").read_text()


def test_a_failed_case_is_in_the_table():
    text = table([(COMPARED[0], AssertionError("off by one")), (COMPARED[1], None), (DIFFERENT[0], None)])
    assert "| all                                    |     3 |      1 |                    1 |      1 |" in text
    assert f"- {COMPARED[0].family}, {COMPARED[0].name}: AssertionError: off by one" in text


def scaled(method, factor):
    """Return `method` with its result and the gradients that it assigns multiplied by `factor`."""

    def wrong(layer, *arguments):
        result = method(layer, *arguments)
        layer.parameters().grad *= factor
        return result * factor if isinstance(result, np.ndarray) else result

    return wrong


@pytest.mark.parametrize(
    ("layer", "families"),
    [
        (nr.RNN, ("nn.RNN, module_db",)),
        (nr.LSTM, ("nn.LSTM, module_db",)),
        (nr.GRU, ("nn.GRU, module_db",)),
        (nr.Linear, ("nn.Linear, module_db", "nn.functional.linear, op_db")),
        (nr.Embedding, ("nn.Embedding, module_db", "nn.functional.embedding, op_db")),
        (nr.CrossEntropyLoss, ("nn.CrossEntropyLoss, module_db", "nn.functional.cross_entropy, op_db")),
        (nr.NLLLoss, ("nn.NLLLoss, module_db", "nn.functional.nll_loss, op_db")),
        (nr.LogSoftmax, ("log_softmax, op_db",)),
    ],
)
def test_a_wrong_gradient_shows_and_a_right_one_does_not(monkeypatch, layer, families):
    right = layer.backward
    found = [case for case in COMPARED if case.family in families]
    assert {case.family for case in found} == set(families)
    failures = {}
    for error in (0.0, 1e-6):
        monkeypatch.setattr(layer, "backward", scaled(right, 1 + error))
        failures[error] = sum(_fails(case) for case in found)
    assert failures[0.0] == 0
    assert failures[1e-6] >= 0.7 * len(found)  # some gradients are all zero: no rows, one class, every row ignored


def _fails(case):
    try:
        case.run()
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("family", ["Adam, optim_db", "AdamW, optim_db"])
def test_a_wrong_step_shows(monkeypatch, family):
    right = nr.Adam.step

    def wrong(optimizer):
        optimizer.lr *= 1 + 1e-6
        right(optimizer)

    monkeypatch.setattr(nr.Adam, "step", wrong)
    found = [case for case in COMPARED if case.family == family]
    assert found
    for case in found:
        with pytest.raises(AssertionError):
            case.run()
