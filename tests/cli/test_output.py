"""Standard output of any encoding, closed, full, or with a reader that leaves; and files that are written whole."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from numpy_rnn.cli import main
from tests.cli.test_train_cli import SMALL
from tests.training.test_trainer import TEXT

ROOT = Path(__file__).parents[2]
LATIN = {"PYTHONIOENCODING": "cp1252"}
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
GREEK = "αβγ αβγ "


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("book.txt").write_text(TEXT)


def shell(command, **environment):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = command.replace("numpy-rnn", f"{sys.executable} -m numpy_rnn")
    return subprocess.run(["bash", "-c", command], env=environment, capture_output=True, check=False)


@pytest.mark.parametrize("environment", [LATIN, C_LOCALE], ids=["cp1252", "C"])
def test_no_command_dies_of_an_encoding(environment):
    Path("αβγ.txt").write_text(GREEK * 60, encoding="utf-8")
    commands = [
        "trace",
        f"trace '{GREEK}' --epochs 2",
        f"tutorial --text '{GREEK}' --epochs 2",
        f"train αβγ.txt {' '.join(SMALL)}",
        "generate αβγ-run --temperature 1 -n 9 --color",
        "generate αβγ-run --prompt β --temperature 1 --samples 2",
        f"explain '{GREEK}' -o ε.html --epochs 2",
        "learn ε",
        "learn check ε",
        "gradcheck ε/ex01_linear.py:δ",
        "train --help",
    ]
    for command in commands:
        done = shell(f"numpy-rnn {command}", **environment)
        assert done.returncode == (2 if "gradcheck" in command else 1 if "check" in command else 0), command
        assert b"Traceback" not in done.stderr + done.stdout
        assert b"codec" not in done.stderr


def test_whoever_captures_standard_output_can_read_what_is_no_text(monkeypatch):
    """As pytest does: with the error handler that the program has set, and afterwards the text must be encodable."""
    with open("captured", "w+", encoding="utf-8", errors="replace") as captured:
        monkeypatch.setattr(sys, "stdout", captured)
        assert main(["train", "book.txt", *SMALL]) == 0
        captured.flush()
        captured.buffer.write(b"\xc7\xff")
        captured.seek(0)
        assert captured.read().encode().endswith("\N{REPLACEMENT CHARACTER}".encode() * 2)


def test_the_text_of_an_argument_is_the_same_in_the_c_locale():
    """In it, Python reads each byte of a Greek letter as a lone surrogate."""
    done = shell(f"numpy-rnn tutorial --text '{GREEK}' --epochs 300 --seed 1", **C_LOCALE)
    assert b"Generated text: \\u03b1\\u03b2\\u03b3 \\u03b1" in done.stdout


@pytest.mark.parametrize("command", ["tutorial --epochs 10", "train --help", "--version", "trace", "explain"])
def test_a_full_disk_under_the_output_is_one_line(command):
    done = shell(f"numpy-rnn {command} > /dev/full")
    assert done.returncode == 1
    assert done.stderr == b"numpy-rnn: error: standard output cannot be written: No space left on device\n"


@pytest.mark.parametrize("command", ["tutorial --epochs 2000", "train --help", "trace", "gradcheck --full"])
def test_a_reader_that_leaves_ends_it_quietly(command):
    done = shell(f"numpy-rnn {command} | head -c 0; echo ${{PIPESTATUS[0]}}")
    assert done.stdout == b"0\n"
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr


def test_closed_streams_do_no_harm():
    for closed in (">&-", "2>&-", "<&-", ">&- 2>&- <&-"):
        done = shell(f"numpy-rnn tutorial --epochs 10 {closed}")
        assert (done.returncode, done.stderr) == (0, b""), closed


def test_an_old_file_survives_a_full_disk(capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    assert main(["train", "book.txt", "-o", "run", *SMALL]) == 0

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for flag, *argv in (
        ["-o", "plot", "run"],
        ["-o", "explain", "ab", "--epochs", "1"],
        ["--plot", "trace", "abab", "--epochs", "1"],
    ):
        Path("old.png").write_text("old picture")
        assert main([*argv, flag, "old.png"]) == 1
        words = f"numpy-rnn: error: {flag} 'old.png' cannot be written: No space left on device; its previous content"
        assert capsys.readouterr().err.startswith(words)
        assert Path("old.png").read_text() == "old picture"
        assert [name for name in os.listdir() if name.startswith(".")] == []


def test_a_picture_says_which_characters_no_font_has(capsys):
    pytest.importorskip("matplotlib")
    name = "run-\U0001fae8"  # an emoji
    assert main(["train", "book.txt", "-o", name, *SMALL]) == 0
    capsys.readouterr()
    assert main(["plot", name, "-o", "x.png"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("(drawn in x.png)\n(no installed font has \U0001fae8: drawn as boxes; ")


def test_the_runs_of_a_picture_can_be_told_apart(tmp_path):
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import to_hex

    from numpy_rnn.training.plot import draw

    lines = [{"step": 1, "loss": 1.0, "grad_norm": 1.0, "lr": 0.1}]
    for count in (2, 9, 30):
        figure = draw({f"e{i}/run": lines for i in range(count)})
        texts = [text.get_text() for text in figure.legends[0].get_texts()]
        assert texts == [f"e{i}/run: training" for i in range(count)]
        assert len({to_hex(line.get_color()) for line in figure.axes[0].lines}) == count
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw(renderer)
        legend = figure.legends[0].get_window_extent(renderer)
        assert all(legend.y1 <= axes.get_tightbbox(renderer).y0 for axes in figure.axes)
        assert legend.y0 >= 0
    assert [t.get_text() for t in draw({"a": lines, "./a": lines}).legends[0].get_texts()] == [
        "a: training",
        "./a: training",
    ]
