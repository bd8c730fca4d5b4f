"""Training with an LSTM or a GRU: resumed bit for bit, in step with torch, and from files that name no cell."""

import dataclasses
import re

import numpy as np
import pytest

import numpy_rnn as nr
from numpy_rnn.cli import main
from numpy_rnn.storage.checkpoint import read_checkpoint, write_checkpoint
from numpy_rnn.storage.files import CheckpointError
from numpy_rnn.storage.model_file import load_model
from numpy_rnn.training.trainer import Trainer
from tests.training.test_run import OPTIONS, begin, content, resume
from tests.training.test_trainer import TEXT, TOKENS

GATED = ["lstm", "gru"]


def with_cell(cell, **changes):
    return dataclasses.replace(OPTIONS, cell=cell, **changes)


@pytest.mark.parametrize("cell", GATED)
def test_stopped_at_any_step_and_resumed(tmp_path, cell):
    begin(tmp_path / "a", options=with_cell(cell))
    begin(tmp_path / "b", 0, with_cell(cell))
    for at in (1, 4, 6, 11, None):
        resume(tmp_path / "b", at)
    assert content(tmp_path / "a") == content(tmp_path / "b")
    model, _, header = load_model(tmp_path / "a")
    assert model.cell == header["model"]["cell"] == cell
    arrays, _ = read_checkpoint(tmp_path / "a" / "last.npz")
    assert {"hidden", "cell_state"} & set(arrays) == ({"hidden", "cell_state"} if cell == "lstm" else {"hidden"})


def test_a_file_from_before_there_were_other_cells(tmp_path):
    begin(tmp_path / "a")
    begin(tmp_path / "b", 6)
    for name in ("last.npz", "best.npz"):
        arrays, header = read_checkpoint(tmp_path / "b" / name)
        del header["model"]["cell"], header["training"]["options"]["cell"]
        write_checkpoint(tmp_path / "b" / name, arrays, header)
    assert load_model(tmp_path / "b")[0].cell == "rnn"
    resume(tmp_path / "b", 8)
    model = nr.CharRNN(len(TOKENS[1]), 5, 4, 2, dropout=0.3)
    nr.train(model, TEXT, run=tmp_path / "b", resume=True).close()  # accepts a model of the same kind
    resume(tmp_path / "b")
    (lines, files), (expected_lines, expected_files) = content(tmp_path / "b"), content(tmp_path / "a")
    assert lines == expected_lines
    assert files["last.npz"] == expected_files["last.npz"]


@pytest.mark.parametrize("cell", GATED)
def test_a_checkpoint_of_another_cell_is_refused(tmp_path, cell):
    begin(tmp_path / "run", 2, with_cell(cell))
    path = tmp_path / "run" / "last.npz"
    arrays, header = read_checkpoint(path)
    for wrong in ("rnn", "lstm" if cell == "gru" else "gru", "elman", None, ["gru"]):
        header["model"]["cell"] = wrong
        write_checkpoint(path, arrays, header)
        with pytest.raises(CheckpointError, match=r"describes its model as .*, but its arrays have .*" + cell):
            load_model(path)
    header["model"]["cell"] = cell
    write_checkpoint(path, arrays, header)
    model = nr.CharRNN(len(TOKENS[1]), 5, 4, 2, dropout=0.3)
    with pytest.raises(ValueError, match="expected that of the run"):
        nr.train(model, TEXT, run=tmp_path / "run", resume=True)


def test_a_checkpoint_without_its_cell_state_is_refused(tmp_path):
    begin(tmp_path / "run", 2, with_cell("lstm"))
    arrays, header = read_checkpoint(tmp_path / "run" / "last.npz")
    del arrays["cell_state"]
    write_checkpoint(tmp_path / "run" / "last.npz", arrays, header)
    with pytest.raises(CheckpointError, match="the checkpoint is inconsistent: cell_state"):
        resume(tmp_path / "run")


@pytest.mark.parametrize("cell", GATED)
def test_the_steps_are_those_of_torch(cell):
    torch_reference = pytest.importorskip("torch_reference")
    trainer = Trainer(*TOKENS, with_cell(cell, dropout=0.0, dtype="float64", steps=40))
    mirror = torch_reference.TorchTrainer(trainer)
    ours, theirs = (np.array([one.train_step() for _ in range(25)]) for one in (trainer, mirror))
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)  # the state is carried from window to window
    assert trainer.validate() == pytest.approx(mirror.validate(), rel=1e-9)


@pytest.mark.parametrize("cell", GATED)
def test_a_model_that_does_not_fit_in_memory_is_refused(cell, monkeypatch):
    monkeypatch.setattr("numpy_rnn.training.memory._available", lambda: 1e4)
    size = nr.CharRNN(len(TOKENS[1]), 5, 4, 2, cell=cell).parameters().data.size
    with pytest.raises(ValueError, match=rf"a model of {size:,} parameters"):
        Trainer(*TOKENS, with_cell(cell))


@pytest.mark.parametrize("cell", GATED)
def test_from_the_command_line_to_text_and_to_other_programs(cell, tmp_path, monkeypatch, capsys):
    pytest.importorskip("safetensors")
    torch, torch_reference = pytest.importorskip("torch"), pytest.importorskip("torch_reference")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.txt").write_text(TEXT)
    small = ["--seq-len", "7", "--layers", "2", "--hidden-size", "8", "--embedding-dim", "5", "--steps", "3"]
    assert main(["train", "book.txt", "-o", "run", "--cell", cell, *small]) == 0
    assert main(["export", "run", "model.safetensors"]) == 0
    assert main(["import", "model.safetensors", "-o", "imported"]) == 0
    capsys.readouterr()
    texts = []
    for name in ("run", "imported"):
        assert main(["generate", name, "-n", "40", "--seed", "0"]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    model, vocabulary, _ = load_model("imported")
    assert model.cell == cell
    mirror, _ = torch_reference.load_run("run")
    tokens = vocabulary.encode(TEXT[:20]).reshape(-1, 1)
    with torch.inference_mode():
        logits, _ = mirror(torch.from_numpy(tokens))
    torch.testing.assert_close(torch.from_numpy(model.eval().forward(tokens)[0]), logits)
    assert main(["explain", "--run", "run", "-o", "page.html"]) == 1
    assert re.search(rf"'run' has cell '{cell}', but the page can show only a tanh RNN", capsys.readouterr().err)


@pytest.mark.parametrize("cell", GATED)
def test_the_tutorial_with_another_cell(cell, capsys):
    pytest.importorskip("torch")
    assert main(["tutorial", "--cell", cell, "--torch", "--dtype", "float64", "--carry-hidden"]) == 0
    out = capsys.readouterr().out
    assert "NumPy generates:   Hello, how are you?" in out
    assert "PyTorch generates: Hello, how are you?" in out
    assert main(["tutorial", "--cell", cell]) == 0
    assert "Generated text: Hello, how are you?" in capsys.readouterr().out
