import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from numpy_rnn.cli import gradcheck_targets as targets
from numpy_rnn.gradient_checking import progress
from tests.cli.user_layers import LAYERS
from tests.training.test_trainer import TEXT


@pytest.fixture(autouse=True)
def _no_progress(monkeypatch):
    """On a busy machine, a check may take long enough to report its progress on standard error."""
    monkeypatch.setattr(progress, "EVERY", math.inf)


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("book.txt").write_text(TEXT)
    return "book.txt"


@pytest.fixture
def trained(book, capsys):
    from tests.cli.test_train_cli import SMALL, run  # here, since pytest rewrites the assertions of test files first

    assert run(capsys, "train", book, "-o", "run", *SMALL)[0] == 0
    return "run"


@pytest.fixture
def layers(tmp_path):
    (tmp_path / "beside.py").write_text("FACTOR = 1.0\n\ndef imported_loss(x): return x\n")
    path = tmp_path / "layers.py"
    path.write_text(LAYERS)
    return path


@pytest.fixture
def calls(monkeypatch):
    """Record how gradcheck is called, instead of calling it."""
    recorded = []

    def record(checked, *inputs, **options):
        recorded.append((checked, inputs, options))
        return SimpleNamespace(ok=True)

    monkeypatch.setattr(targets, "gradcheck", record)
    return recorded
