"""The commands train, generate, plot, export and import, as a person calls them."""

import json
import os
import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from numpy_rnn.cli import main
from numpy_rnn.storage.model_file import load_model
from numpy_rnn.storage.safetensors import save_safetensors
from numpy_rnn.training.metrics import read_metrics
from tests.training.test_run import content
from tests.training.test_trainer import TEXT

OPTIONS = (
    "--seq-len 7 --batch-size 3 --layers 2 --hidden-size 8 --embedding-dim 5 --dropout 0.3 --lr 0.01 "
    "--warmup-steps 4 --clip 0.5 --steps 12 --val-fraction 0.2 --eval-every 4 --seed 3"
)
SMALL = OPTIONS.split()


def run(capsys, *argv):
    status = main([str(argument) for argument in argv])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_from_a_file_to_text(book, capsys):
    status, out, err = run(capsys, "train", book, *SMALL)
    assert (status, err) == (0, "")
    first, *lines = out.splitlines()
    assert first.startswith("193 characters, 48 for validation, 9 distinct; 390 parameters; 12 steps of 3 x 7, ")
    assert first.endswith("RUN book-run")
    steps = [line for line in lines if line.startswith("step ")]
    pattern = (
        r"step +(\d+)/12  epoch \d\.\d\d  loss \d\.\d{4} \(\d\.\d{3} bits/char\)  norm \d\.\d\d  lr 0\.\d+  "
        r"[\d,]+ chars/s  \d+:\d\d left"
    )
    assert [int(re.fullmatch(pattern, line)[1]) for line in steps] == list(range(1, 13))
    assert len([line for line in lines if re.match(r"  validation: loss \d\.\d{4}, \d\.\d{3} bits/char", line)]) == 3
    assert f"  | {TEXT[0]}" in out
    assert lines[-1] == "done; try: numpy-rnn generate book-run --temperature 0.8"
    status, out, err = run(capsys, "generate", "book-run", "--prompt", "ab", "-n", 40)
    assert (status, err, len(out)) == (0, "", 2 + 40 + 1)
    assert out.startswith("ab")


def test_a_run_has_a_new_name_each_time(book, capsys):
    for name in ("book-run", "book-run-2", "book-run-3"):
        run(capsys, "train", book, *SMALL)
        assert os.path.isdir(name)


def test_the_library_of_this_python_is_a_text(book, capsys):
    out = run(capsys, "train", "--corpus", "stdlib", "--max-chars", 3000, "--hidden-size", 4, "--steps", 2)[1]
    assert "2,850 characters, 150 for validation" in out
    assert run(capsys, "train", "--resume", "stdlib-run")[0] == 0


def test_standard_input_is_a_text(book, capsys, monkeypatch):
    with open(book) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert run(capsys, "train", "-", *SMALL)[0] == 0
    assert os.path.isdir("stdin-run")


CHANGES = (
    "--seq-len 6, --batch-size 2, --layers 3, --hidden-size 9, --embedding-dim 4, --dropout 0, --lr 0.02, "
    "--warmup-steps 3, --clip 0.1, --val-fraction 0.3, --seed 4, --schedule constant, --max-chars 200, "
    "--dtype float64, --steps 11, --eval-every 3"
)


def test_each_option_reaches_the_training(trained, capsys):
    unchanged = content(Path(trained))
    for change in CHANGES.split(", "):
        assert run(capsys, "train", "book.txt", "-o", change.strip("-"), *SMALL, *change.split())[0] == 0
        assert content(Path(change.strip("-"))) != unchanged, change


def test_resumed_is_as_never_stopped(trained, capsys, monkeypatch):
    run(capsys, "train", "book.txt", "-o", "stopped", *SMALL, "--minutes", 1e-9)
    assert not os.path.exists("stopped/metrics.jsonl")
    out = run(capsys, "train", "--resume", "stopped", "--minutes", 1e-9)[1]
    assert "\nresumed after step 0: no later step had been saved\n" in out
    assert "time is up: saved after step 0; resume with: numpy-rnn train --resume stopped\n" in out
    os.mkdir("elsewhere")
    os.rename("book.txt", "elsewhere/moved.txt")
    assert run(capsys, "train", "--resume", "stopped")[2].startswith("numpy-rnn: error: cannot read 'book.txt'")
    status, out, _ = run(capsys, "train", "elsewhere/moved.txt", "--resume", "stopped")
    assert status == 0
    a, b = content(Path(trained)), content(Path("stopped"))
    for _, header in (*a[1].values(), *b[1].values()):
        del header["source"]["files"]
    assert a == b
    status, out, _ = run(capsys, "train", "elsewhere/moved.txt", "--resume", "stopped", "--steps", 14)
    assert "\nresumed after step 12\nthe schedule now runs over 14 steps instead of 12\nstep 13/14 " in out
    out = run(capsys, "train", "elsewhere/moved.txt", "--resume", "stopped")[1]
    assert out.count("step ") == 1  # resumed after
    assert "\nthe run was complete; to continue: numpy-rnn train --resume stopped --steps 28\ndone; try: " in out


@pytest.mark.parametrize(
    "options", [["--clip", "1"], ["--encoding", "latin-1"], ["--corpus", "stdlib"], ["--max-chars", "9"]]
)
def test_resumed_with_other_options_is_told(trained, capsys, options):
    status, _, err = run(capsys, "train", "--resume", trained, *options)
    assert status == 1
    assert re.fullmatch(r"numpy-rnn: error: --resume can change only --lr, .*--epochs, .*: leave out .*\n", err)
    assert err.endswith(f": leave out {options[0]}\n")


@pytest.mark.parametrize("tqdm", [True, False])
def test_a_terminal_gets_a_bar_where_tqdm_is_installed(book, capsys, monkeypatch, tqdm):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    if tqdm:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    status, out, err = run(capsys, "train", book, *SMALL)
    assert status == 0
    assert ("12/12" in err) == tqdm
    assert ("\nstep  1/12" in out) != tqdm
    assert len(re.findall("validation: loss", out)) == 3


def test_plot_draws_what_is_there(trained, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    run(capsys, "train", "book.txt", "-o", "other", *SMALL, "--lr", 0.1, "--val-fraction", 0)
    assert run(capsys, "plot", trained, "other")[1] == "(drawn in training.png)\n"
    for path, words in [
        ("x.nonsense", "must name a file that ends in .png, .svg or .pdf"),
        ("no/x.png", "names the"),
    ]:
        status, _, err = run(capsys, "plot", trained, "-o", path)
        assert status == 1
        assert err.startswith(f"numpy-rnn: error: -o {words}")
    assert Path("training.png").read_bytes().startswith(b"\x89PNG")

    from numpy_rnn.training.plot import draw

    figure = draw({name: read_metrics(name) for name in (trained, "other")})
    loss, norm, lr = figure.axes
    lines = read_metrics(trained), read_metrics("other")
    assert [len(axes.lines) for axes in (loss, norm, lr)] == [3, 2, 2]
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), [line["loss"] for line in lines[0]])
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), [x["val_loss"] for x in lines[0] if "val_loss" in x])
    np.testing.assert_array_equal(loss.lines[1].get_xdata(), [4, 8, 12])
    np.testing.assert_array_equal(norm.lines[1].get_ydata(), [line["grad_norm"] for line in lines[1]])
    np.testing.assert_array_equal(lr.lines[0].get_ydata(), [line["lr"] for line in lines[0]])
    first, second = (text.get_text() for text in figure.legends[0].get_texts())
    assert re.fullmatch(r"run: best validation \d\.\d{3} nats, \d\.\d{3} bits, at step \d+", first)
    assert second == "other: training"


def test_plot_says_what_is_missing(trained, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    assert run(capsys, "plot", "nowhere")[2] == (
        "numpy-rnn: error: 'nowhere' has no metrics.jsonl: it is not a RUN, or it was stopped before its first line\n"
    )
    Path("run/metrics.jsonl").write_text("")
    assert "'run' has no metrics yet" in run(capsys, "plot", "run")[2]
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "matplotlib is not installed: pip install matplotlib" in run(capsys, "plot", "run")[2]


def test_a_model_goes_out_and_comes_back(trained, capsys):
    pytest.importorskip("safetensors")
    assert run(capsys, "export", trained, "model.safetensors")[0] == 0
    assert run(capsys, "import", "model.safetensors", "-o", "imported")[0] == 0
    assert run(capsys, "generate", "imported", "--seed", 1)[1] == run(capsys, "generate", trained, "--seed", 1)[1]
    ours, theirs = load_model(trained), load_model("imported")
    np.testing.assert_array_equal(ours[0].parameters().data, theirs[0].parameters().data)
    assert ours[1] == theirs[1]
    assert theirs[0].rnn.dropout == 0.3
    assert "has only a model" in run(capsys, "train", "--resume", "imported")[2]
    assert "already has a run" in run(capsys, "import", "model.safetensors", "-o", "imported")[2]


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({}, "has no 'model' in its metadata, expected what numpy-rnn export writes"),
        ({"model": "{", "vocabulary": "[]", "prompt": '""'}, "metadata that is not JSON"),
        ({"model": "{}", "vocabulary": "[]", "prompt": '""'}, "does not contain a model: embedding.weight"),
    ],
)
def test_a_foreign_safetensors_file_is_told(book, capsys, metadata, words):
    pytest.importorskip("safetensors")
    save_safetensors("x.safetensors", {"a": np.zeros(2)}, metadata)
    status, _, err = run(capsys, "import", "x.safetensors", "-o", "imported")
    assert (status, err.count("\n")) == (1, 1)
    assert words in err
    assert not os.path.exists("imported")


def test_a_run_in_torch(trained):
    torch, torch_reference = pytest.importorskip("torch"), pytest.importorskip("torch_reference")
    mirror, vocabulary = torch_reference.load_run(trained)
    model, ours, _ = load_model(trained)
    assert vocabulary == ours
    assert not mirror.training
    tokens = vocabulary.encode(TEXT[:20]).reshape(-1, 1)
    with torch.inference_mode():
        logits, _ = mirror(torch.from_numpy(tokens))
    torch.testing.assert_close(torch.from_numpy(model.eval().forward(tokens)[0]), logits)


def test_metrics_have_what_is_printed(trained):
    line = json.loads(Path("run/metrics.jsonl").read_text().splitlines()[3])
    assert {"step", "epoch", "loss", "bits_per_char", "grad_norm", "lr", "chars_per_second", "seconds"} < line.keys()
    assert {"val_loss", "val_bits_per_char", "val_perplexity", "sample"} < line.keys()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_handler_of_a_signal_is_put_back(number, book):
    def mine(number, frame):
        pass

    before = signal.signal(number, mine)
    try:
        main(["train", book, *SMALL])
        assert signal.getsignal(number) is mine
    finally:
        signal.signal(number, before)
