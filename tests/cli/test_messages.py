"""What the command line says: usage, help and errors, which name options as one types them."""

import re
import shlex
from pathlib import Path

import pytest

import numpy_rnn as nr
from numpy_rnn.cli import _parser, main
from tests.cli.test_train_cli import SMALL
from tests.training.test_trainer import TEXT

COMMANDS = next(a for a in _parser()._actions if a.dest == "==SUPPRESS==" and a.choices).choices


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.txt").write_text(TEXT)


def wrong(capsys, *argv):
    """Return the two lines of wrong usage."""
    with pytest.raises(SystemExit) as exit_:
        main(argv)
    usage, error = capsys.readouterr().err.splitlines()
    assert exit_.value.code == 2
    return usage, error


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_ends_with_examples_that_the_parser_accepts(name, capsys):
    with pytest.raises(SystemExit):
        main([name, "--help"])
    usage, *_, text = re.split(r"\n\n", capsys.readouterr().out)
    assert re.match(rf"usage: numpy-rnn {name} .*\[options\]", usage)
    assert "\n" not in usage
    title, *examples = text.splitlines()
    assert title == "examples:"
    assert len(examples) >= 2
    for example in examples:
        program, *argv = shlex.split(example.partition(">")[0])
        assert program == "numpy-rnn"
        assert argv[0] in COMMANDS
        arguments, unknown = _parser().parse_known_args(argv)
        assert not unknown
        assert callable(arguments.run)


def test_the_help_has_one_style_of_defaults(capsys):
    for name, command in COMMANDS.items():
        for action in command._actions:
            words = command._get_formatter()._expand_help(action)
            assert words.count("default") == words.count("(default: "), (name, words)
            assert "(default: None)" not in words
            assert "(default: False)" not in words


@pytest.mark.parametrize(
    ("argv", "usage", "words"),
    [
        (["generate", "r", "--length", "20"], "generate [options] RUN", "there is no option --length; numpy-rnn gen"),
        (["train", "b", "--hiden-size", "8"], "train [options] [FILE ...]", "did you mean --hidden-size?"),
        (
            ["train", "b", "--hidden_size=8"],
            "train [options] [FILE ...]",
            "no option --hidden_size; did you mean --hidd",
        ),
        (["import", "x"], "import [options] FILE.safetensors -o RUN", "required: -o/--output"),
        (["generate", "-dash-run"], "generate [options] RUN", "begins with a dash as ./-dash-run"),
        (["generate", "r", "--prompt", "-x"], "generate [options] RUN", "as --prompt=VALUE"),
        (["train", "b", "--cell", "lstn"], "train [options] [FILE ...]", "did you mean lstm?"),
        (["train", "-dash.txt"], "train [options] [FILE ...]", "./-dash.txt is a file"),
        (["tutorial", "-"], "tutorial [options]", "unexpected argument '-'"),
        (["tutorial", "a", "\x1b[31m"], "tutorial [options]", "unexpected argument 'a'"),
        (["generat", "x"], "[options] COMMAND ...", "did you mean generate?"),
        (["train", "b", "--\x1b[31m"], "train [options] [FILE ...]", "no option --\\x1b[31m"),
    ],
)
def test_wrong_usage_is_the_commands_own_usage_and_one_line(capsys, argv, usage, words):
    first, error = wrong(capsys, *argv)
    assert first.startswith(f"usage: numpy-rnn {usage}")
    assert words in error


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ("tutorial --lr 1e30 --epochs 20", "(try a smaller --lr)"),
        ("generate run --prompt é", "--prompt has the character 'é' at position 0"),
        ("tutorial --text a", "--text has length 1"),
        ("trace a", "TEXT has length 1"),
        ("trace --plot x", "--plot must name"),
        ("train book.txt --batch-size 32 --val-fraction 0.98", "one less than the 5 characters to train on, got 32"),
        ("train --resume run/best.npz", "'run/best.npz' is a file, expected the directory of a run: --resume run"),
        ("train book.txt -o=", "the name of the RUN is empty: name a directory"),
        ("train book.txt --encoding=", "--encoding must be one that Python knows"),
        ("train book.txt --errors=", "--errors must be one that Python knows"),
        ("train --resume=", "the name of the RUN is empty: name a directory"),
        ("train book.txt --bytes --newline keep", "--bytes reads files as they are: leave out"),
        ("train", "train needs a text: name a FILE, '-' for standard input, or --corpus stdlib"),
        ("learn check \x1b[31m", "there is no folder \\x1b[31m: `numpy-rnn learn $'\\x1b[31m'` writes"),
    ],
)
def test_errors_name_options_as_they_are_typed(capsys, argv, words):
    assert main(["train", "book.txt", "-o", "run", *SMALL]) == 0
    capsys.readouterr()
    assert main(argv.split(" ")) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert "\x1b" not in line


def test_names_in_quotes_are_left_alone(capsys):
    assert main(["generate", "hidden_size"]) == 1
    assert "'hidden_size' does not exist" in capsys.readouterr().err


def test_one_of_a_kind_is_no_plural(capsys):
    Path("two").write_text("ab")
    main(["train", "two", "--steps", "1", "--layers", "1", "--hidden-size", "2"])  # 1: it has not learnt anything
    assert "; 1 step of 1 x 64, " in capsys.readouterr().out


def test_a_run_is_resumed_by_its_last_checkpoint_too(capsys):
    assert main(["train", "book.txt", "-o", "run", *SMALL]) == 0
    assert main(["train", "--resume", "run/last.npz", "--steps", "14"]) == 0
    assert "resumed after step 12" in capsys.readouterr().out


def test_dir_lists_everything_public():
    assert set(nr.__all__) <= set(dir(nr))
    assert "__version__" in dir(nr)
