"""The comparison of the three cells: same size, same steps, one table, one picture."""

import json
import re

import pytest

import numpy_rnn as nr
from benchmarks.learning import cells


def test_the_models_have_about_the_same_number_of_parameters():
    sizes = cells.hidden_sizes(65, 64, 192)
    assert sizes["lstm"] == 192
    counts = {cell: nr.CharRNN(65, 64, H, cell=cell, rng=0).parameters().data.size for cell, H in sizes.items()}
    assert counts == {cell: cells.parameters(cell, 65, 64, H) for cell, H in sizes.items()}
    assert max(counts.values()) < 1.01 * min(counts.values())


def test_a_comparison_is_saved_shown_and_drawn(tmp_path, capsys):
    text, saved = tmp_path / "text.txt", tmp_path / "cells.jsonl"
    text.write_text("she sells sea shells by the sea shore. " * 100)
    options = "--hidden-size 4 --steps 4 --seq-len 8 --batch-size 4 --lr 0.01 --seed 0 1 --processes 1"
    assert cells.main([str(text), *options.split(), "--save", str(saved)]) == 0
    table = capsys.readouterr().out
    lines = [json.loads(line) for line in saved.read_text().splitlines()]
    assert {(line["cell"], line["seed"]) for line in lines} == {(c, s) for c in cells.NAMES for s in (0, 1)}
    assert {line["step"] for line in lines} == set(range(5))
    for cell, name in cells.NAMES.items():
        last = [line["val_loss"] for line in lines if line["cell"] == cell and line["step"] == 4]
        columns = re.search(rf"\| {name} \| (.*) \|", table).group(1).split(" | ")
        assert columns[3:5] == [f"{sum(last) / 2:.4f}", f"{abs(last[0] - last[1]):.4f}"]
    pytest.importorskip("matplotlib")
    assert cells.main(["--load", str(saved)]) == 0
    assert capsys.readouterr().out == table
    assert saved.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_one_of_file_and_load_is_required(capsys):
    with pytest.raises(SystemExit):
        cells.main([])
    assert "one of FILE and --load is required" in capsys.readouterr().err
