"""The command `numpy-rnn trace`."""

import re
import sys

import pytest

from numpy_rnn.cli import main


def run(capsys, *argv):
    status = main(argv)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_without_matplotlib_the_error_prints_the_pip_line(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, out, err = run(capsys, "trace", "--plot", str(tmp_path / "x.png"))
    assert (status, out, err) == (1, "", "numpy-rnn: error: matplotlib is not installed: pip install matplotlib\n")


def test_the_command_prints_before_and_after(capsys, monkeypatch, tmp_path):
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("COLUMNS", "100")
    picture = tmp_path / "trace.png"
    status, out, err = run(capsys, "trace", "$a b$ a", "--epochs", "12", "--plot", str(picture))
    assert (status, err) == (0, "")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"(drawn in {picture})" in out
    assert max(map(len, out.splitlines()[:-1])) <= 100

    # The losses before the first update and after 12 of them: the tutorial prints those of epochs 1 and 13.
    losses = re.search(r"before training, loss (\S+) +after training, loss (\S+)", out).groups()
    for epoch, loss in zip((1, 13), losses, strict=True):
        printed = run(capsys, "tutorial", "--text", "$a b$ a", "--epochs", str(epoch))[1]
        assert f"Epoch [{epoch}/{epoch}], Loss: {loss}\n" in printed


def test_options_reach_the_training(capsys):
    base = run(capsys, "trace", "abcab", "--epochs", "5")[1]
    assert base == run(capsys, "trace", "abcab", "--epochs", "5")[1]
    for change in ["--lr 0.02", "--hidden-size 6", "--seed 1", "--epochs 6"]:
        assert run(capsys, "trace", "abcab", "--epochs", "5", *change.split())[1] != base, change


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["a"], "TEXT has length 1, expected at least 2"),
        (["", "--epochs", "3"], "TEXT is empty"),
        (["ab" * 6000], "reduce T (a shorter text)"),
        (["--lr", "1e30"], "at epoch 2: training stopped"),
        (["--plot", "/dev/null/trace.png"], "--plot names the directory '/dev/null'"),
        (["--plot", ""], "--plot must name a file that ends in .png, .svg or .pdf, got ''"),
        (["--plot", "/tmp"], "--plot must name a file that ends in .png, .svg or .pdf, got '/tmp'"),
        (
            ["--plot", "trace.nonsense"],
            "--plot must name a file that ends in .png, .svg or .pdf, got 'trace.nonsense'",
        ),
    ],
)
def test_an_error_is_one_line(capsys, argv, words):
    status, _, err = run(capsys, "trace", *argv)
    assert status == 1
    assert err.startswith("numpy-rnn: error: ")
    assert words in err
    assert err.count("\n") == 1
