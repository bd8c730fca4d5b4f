import re
import subprocess
import sys

import pytest

from numpy_rnn.cli import main
from numpy_rnn.cli.arguments import TUTORIAL_TEXT


def run(capsys, *argv):
    status = main(argv)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize("options", [[], ["--carry-hidden"], ["--dtype", "float64"], ["--seed", "7"]])
def test_the_tutorial_prints_ten_losses_and_the_text(capsys, options):
    status, out, err = run(capsys, "tutorial", *options)
    assert (status, err) == (0, "")
    epochs, losses = zip(*re.findall(r"^Epoch \[(\d+)/100\], Loss: (\d\.\d{4})$", out, re.M), strict=True)
    assert list(map(int, epochs)) == list(range(10, 101, 10))
    assert sorted(map(float, losses), reverse=True) == list(map(float, losses))
    assert f"Generated text: {TUTORIAL_TEXT}\n" in out


def test_options_reach_the_training(capsys):
    base = ["tutorial", "--text", "abcabc", "--epochs", "30", "--hidden-size", "5", "--lr", "0.05"]
    lines = run(capsys, *base)[1].splitlines()
    assert lines[2].startswith("Epoch [30/30]")
    assert lines[3] == "Generated text: abcabc"
    assert lines[:-1] == run(capsys, *base)[1].splitlines()[:-1]  # all but the time
    for change in ["--lr 0.04", "--hidden-size 6", "--seed 1", "--carry-hidden", "--text abcabd", "--dtype float64"]:
        changed = run(capsys, *base, *change.split())[1].splitlines()
        assert (changed[:3] != lines[:3]) == (change != "--dtype float64"), change  # equal to the printed digits


@pytest.mark.parametrize("options", [[], ["--carry-hidden"]])
def test_side_by_side_with_torch(capsys, options):
    pytest.importorskip("torch")
    status, out, err = run(capsys, "tutorial", "--torch", "--dtype", "float64", *options)
    assert (status, err) == (0, "")
    rows = re.findall(r"^ *(\d+) +(\d\.\d{4}) +(\d\.\d{4}) +(\d\.\de-\d\d)$", out, re.M)
    assert [int(row[0]) for row in rows] == list(range(10, 101, 10))
    assert all(ours == theirs for _, ours, theirs, _ in rows)
    assert all(float(difference) < 1e-12 for *_, difference in rows)
    assert f"NumPy generates:   {TUTORIAL_TEXT}\n" in out
    assert f"PyTorch generates: {TUTORIAL_TEXT}\n" in out
    assert re.search(r"median epoch: NumPy \d+ us, PyTorch \d+ us", out)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--text", ""], "--text is empty"),
        (["--text", "a"], "--text has length 1, expected at least 2"),
        (["--lr", "1e30"], "at epoch 2: training stopped"),
        (["--torch", "--lr", "1e30"], "at epoch 2: training stopped"),
    ],
)
def test_an_error_is_one_line(capsys, argv, words):
    if "--torch" in argv:
        pytest.importorskip("torch")
    status, _, err = run(capsys, "tutorial", *argv)
    assert status == 1
    assert err.startswith("numpy-rnn: error: ")
    assert words in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "required: COMMAND"),
        (["tutoriel"], "invalid choice: 'tutoriel'"),
        (
            ["tutorial", "--epochs", "0"],
            "argument --epochs: expected an integer from 1 to 10**9, got '0'",
        ),
        (
            ["tutorial", "--epochs", "ten"],
            "argument --epochs: expected an integer from 1 to 10**9, got 'ten'",
        ),
        (
            ["tutorial", "--hidden-size", "-1"],
            "argument --hidden-size: expected an integer from 1 to 10**9, got '-1'",
        ),
        (["tutorial", "--lr", "nan"], "argument --lr: expected a number above 0 and at most 1e30, got 'nan'"),
        (["tutorial", "--seed", "-1"], "argument --seed: expected an integer of at least 0, got '-1'"),
        (["tutorial", "--dtype", "float16"], "argument --dtype: invalid choice: 'float16'"),
    ],
)
def test_wrong_usage_exits_with_two(capsys, argv, words):
    with pytest.raises(SystemExit) as exit_:
        main(argv)
    assert exit_.value.code == 2
    assert words in capsys.readouterr().err


def test_without_torch_the_error_names_the_extra(capsys, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "torch_reference"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)  # an import of torch now fails
    status, _, err = run(capsys, "tutorial", "--torch")
    assert status == 1
    assert err == "numpy-rnn: error: PyTorch is not installed: pip install 'numpy-rnn[torch]'\n"


def test_the_last_epoch_is_printed_too(capsys):
    assert re.findall(r"Epoch \[(\d+)/13\]", run(capsys, "tutorial", "--epochs", "13")[1]) == ["10", "13"]


def test_a_reader_that_has_had_enough_is_no_error():
    command = f"{sys.executable} -u -m numpy_rnn tutorial --epochs 2000 | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Epoch [10/2000]")
    assert done.stderr == ""


def test_a_full_disk_is_one_line():
    command = f"{sys.executable} -m numpy_rnn tutorial --epochs 10 > /dev/full"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (
        done.stderr.splitlines()[0] == "numpy-rnn: error: standard output cannot be written: No space left on device"
    )
    assert "Traceback" not in done.stderr


def test_a_closed_stderr_does_no_harm():
    command = f"{sys.executable} -m numpy_rnn tutorial --epochs 10 2>&-"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert "Epoch [10/10]" in done.stdout


def test_too_large_a_model_is_one_line(capsys, monkeypatch):
    def refuse(*arguments, **options):
        raise MemoryError("Unable to allocate")

    monkeypatch.setattr("numpy_rnn.char_rnn.CharRNN.__init__", refuse)
    status, _, err = run(capsys, "tutorial")
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith("numpy-rnn: error: not enough memory: ")


def test_an_interrupt_ends_quietly(capsys, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("numpy_rnn.cli.tutorial.train_epochs", interrupt)
    assert run(capsys, "tutorial") == (130, "", "numpy-rnn: interrupted\n")


def test_a_terminal_gets_a_progress_line(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    _, out, err = run(capsys, "tutorial", "--epochs", "20")
    assert "epoch 13/20  loss " in err
    assert err.endswith("\r\033[K")
    assert "\033" not in out


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "numpy_rnn", "tutorial", "--epochs", "10"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Epoch [10/10]" in done.stdout
    assert done.stderr == ""
