"""PyTorch's own test cases, one test each, and the table of docs/parity.md."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
import torch

import numpy_rnn as nr
from tests.torch_cases import run_case, torch_cases

CASES = torch_cases.cases()


@pytest.fixture(autouse=True)
def _torchs_generator():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.family} {case.name}")
def test_torchs_own_case(case):
    with contextlib.suppress(run_case.Different):  # counted, with their reasons, in the table
        case.run()


def test_the_table_of_the_document_is_what_the_command_prints():
    text, ok = torch_cases.table()
    assert ok, text
    assert text in Path("docs/parity.md").read_text()


def slightly_wrong(method):
    """Return `method` with what it returns, and the gradients that it assigns, off by a millionth."""

    def wrong(layer, *arguments):
        result = method(layer, *arguments)
        layer.parameters().grad *= 1 + 1e-6
        return result * (1 + 1e-6) if isinstance(result, np.ndarray) else result

    return wrong


@pytest.mark.parametrize(
    ("families", "layer"),
    [
        ("nn.RNN, module_db", nr.RNN),
        ("nn.Linear, module_db nn.functional.linear, op_db", nr.Linear),
        ("nn.Embedding, module_db nn.functional.embedding, op_db", nr.Embedding),
        ("nn.CrossEntropyLoss, module_db nn.functional.cross_entropy, op_db", nr.CrossEntropyLoss),
        ("nn.NLLLoss, module_db nn.functional.nll_loss, op_db", nr.NLLLoss),
        ("log_softmax, op_db", nr.LogSoftmax),
    ],
)
def test_a_wrong_gradient_shows(monkeypatch, families, layer):
    monkeypatch.setattr(layer, "backward", slightly_wrong(layer.backward))
    cases, failures = 0, 0
    for case in CASES:
        if case.family in families:
            try:
                case.run()
            except run_case.Different:
                continue
            except AssertionError:
                failures += 1
            cases += 1
    assert failures >= 0.7 * cases  # not where nothing is left: no rows, one class, every row ignored


def test_a_wrong_step_shows(monkeypatch):
    right = nr.Adam.step

    def wrong(optimizer):
        optimizer.lr *= 1 + 1e-6
        right(optimizer)

    monkeypatch.setattr(nr.Adam, "step", wrong)
    for case in CASES:
        if case.family in ("Adam, optim_db", "AdamW, optim_db"):
            with pytest.raises(AssertionError):
                case.run()
