"""docs/training.md: its notebook cell runs, and the names in it exist. (Its other examples are doctests.)"""

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import numpy_rnn as nr
from numpy_rnn.cli import main
from tests.training.test_trainer import TEXT

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "training.md").read_text(encoding="utf-8")


def test_the_cell_that_draws_as_it_goes(tmp_path, monkeypatch, capsys):
    (cell,) = (block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if ">>>" not in block)
    shown = []

    def display(figure, display_id):
        assert display_id
        axes = figure.axes[0]

        def update(same):
            assert same is figure
            low, high = axes.get_xlim()
            shown.append([list(zip(*line.get_data(), strict=True)) for line in axes.lines])
            assert low <= shown[-1][0][-1][0] <= high  # the newest point is visible

        return SimpleNamespace(update=update)

    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    notebook = ModuleType("IPython.display")  # a fake one
    notebook.display = display
    monkeypatch.setitem(sys.modules, "IPython.display", notebook)
    monkeypatch.chdir(tmp_path)
    Path("book.txt").write_text(TEXT * 9)
    exec(cell.replace("hidden_size=256", "hidden_size=8"), {})
    assert not plt.get_fignums()
    metrics = nr.read_metrics("book-run")
    assert len(shown) == len(metrics)
    assert shown[-1] == [
        [(line["step"], line["loss"]) for line in metrics],
        [(line["step"], line["val_loss"]) for line in metrics if "val_loss" in line],
    ]
    assert capsys.readouterr().out.startswith(TEXT[0])


def test_the_options_that_it_names_are_there(capsys):
    commands = set(re.findall(r"numpy-rnn (\w+)", PAGE))
    assert {"train", "generate", "plot", "explain", "export", "import"} <= commands
    for command in commands:
        with pytest.raises(SystemExit):
            main([command, "--help"])
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE))
    assert len(named) > 15
    assert named <= set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out))


def test_the_attributes_and_tests_that_it_names_are_there():
    progress = nr.Progress(*range(1, 10))
    section = PAGE[PAGE.index("Its attributes are") :].split("\n\n")[0]
    names = re.findall(r"`(\w+)`", section)
    assert len(names) > 12
    assert all(hasattr(progress, name) for name in names)
    tests = set(re.findall(r"`(test_\w+\.py)`", PAGE))
    assert len(tests) > 6
    assert tests <= {path.name for path in (DOCS.parent / "tests").rglob("test_*.py")}
