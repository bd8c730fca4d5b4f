"""Student's code that breaks: each kind gets one clear line, in a process of its own where that is needed."""

import signal
from pathlib import Path

import pytest

from numpy_rnn.learn import judge as judging
from numpy_rnn.learn.course import course
from numpy_rnn.learn.judge import judge
from numpy_rnn.learn.process import MEMORY, SECONDS, verdicts

LINEAR = course()[0]
DX = "dx = W.T @ dy  # (L2)"


def broken(folder, old, new):
    assert old in LINEAR.solution()
    (folder / LINEAR.filename).write_text(LINEAR.solution().replace(old, new))


FAULTS = [
    (DX, "dx = W.T @ dyy", "NameError: name 'dyy' is not defined (line 24 of ex01_linear.py, `dx = W.T @ dyy`, "),
    (DX, "dx = W @ dy", "do not fit (line 24 of ex01_linear.py, `dx = W @ dy`, where W is (3, 2), dy is (3,))"),
    (DX, "dx = W.T @ dy)", "line 24 of ex01_linear.py, `dx = W.T @ dy)`: unmatched ')'"),
    (DX, "raise SystemExit", "SystemExit"),
    (DX, "raise NotImplementedError", "not written yet: replace line 24 of ex01_linear.py with your code"),
    ("def linear_backward(", "def linear_backwards(", "there is no function linear_backward: was it renamed"),
    ("(dy, cache)", "(dy)", "linear_backward() takes 1 positional argument but 2 were given"),
    ("import numpy as np", "import nunpy as np", "No module named 'nunpy'"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), FAULTS)
def test_an_error_is_one_line(old, new, words, solved):
    broken(solved, old, new)
    verdict = judge(solved, LINEAR)
    assert not verdict.ok
    assert words in verdict.problem
    assert "\n" not in verdict.problem


def test_the_limits_are_those_that_teachers_read():
    page = " ".join((Path(__file__).parents[2] / "docs" / "teaching.md").read_text(encoding="utf-8").split())
    assert f"Each exercise may use {judging.SECONDS:g} seconds and {MEMORY >> 30} GB of memory" in page
    assert f"stopped after {SECONDS:g} seconds" in page


def test_a_file_that_is_missing_or_empty(solved, monkeypatch):
    """The folder is named as the student named it."""
    monkeypatch.chdir(solved.parent)
    (solved / LINEAR.filename).write_text("\n")
    problem = judge(Path("course"), LINEAR).problem
    assert problem == "ex01_linear.py is empty: delete it, and `numpy-rnn learn course` writes it again"
    (solved / LINEAR.filename).unlink()
    assert (
        judge(Path("course"), LINEAR).problem == "ex01_linear.py is missing: `numpy-rnn learn course` writes it again"
    )


def test_a_syntax_error_is_shown_with_a_caret(solved):
    broken(solved, DX, "dx = W.T @ dy)")
    line, caret = judge(solved, LINEAR).explanation.splitlines()
    assert line == "    dx = W.T @ dy)"
    assert caret == " " * line.index(")") + "^"


@pytest.mark.parametrize(
    "loop",
    [
        "while True: pass",
        "for _ in iter(int, 1):\n        try: np.exp(1)\n        except Exception: pass",
        "while True:\n        try: np.exp(1)\n        except BaseException: pass",
        "while True:\n        try:\n            while True: np.exp(1)\n        except BaseException: pass",
        "keep = []\n    while True:\n        try: keep[:100] = [np.ones(10**5)]\n        except: pass",
    ],
)
def test_an_endless_loop_is_stopped_where_it_is(loop, solved):
    broken(solved, DX, loop)
    verdict = judge(solved, LINEAR, seconds=0.2)
    assert verdict.problem.startswith("line 2")
    assert verdict.problem.endswith("stopped after 0.2 seconds; is this an endless loop?")
    assert verdict.right == {"linear": ["y"]} or not verdict.right
    assert LINEAR.hints(verdict.function)


def test_time_is_up_for_the_students_code_only(solved):
    """The alarm, which is repeated while the student's code catches it, does not interrupt the check itself."""
    caught = (
        "n = 0\n    while n < 5:\n        try:\n            while True: pass\n        except BaseException: n += 1"
    )
    broken(solved, DX, f"{caught}\n    {DX}")
    for _ in range(5):
        verdict = judge(solved, LINEAR, seconds=0.1)
        assert verdict.problem.endswith("stopped after 0.1 seconds; is this an endless loop?")
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_the_memory_is_limited_even_if_the_error_is_caught(solved):
    broken(solved, DX, "keep = []\n    while True:\n        try: keep.append(np.ones(10**8))\n        except: pass")
    (verdict,) = verdicts(solved, [LINEAR], explain=False)
    assert "line 2" in verdict.problem
    assert verdict.problem.endswith("stopped after 5 seconds; is this an endless loop?")


def test_limits_of_the_process(solved):
    """One after the other in one run: too much memory, a process that ends, and one that is right all the same."""
    first, second, third = course()[:3]
    broken(solved, DX, "dx = np.ones(10**9)")
    (solved / second.filename).write_text("import os\n\nprint('before the end')\nos._exit(3)\n")
    (solved / third.filename).write_text(third.solution() + "\n\nprint('{}')\n")
    verdict, ended, right = verdicts(solved, [first, second, third], explain=False)
    assert verdict.problem.startswith("line 24 of ex01_linear.py, `dx = np.ones(10**9)`: not enough memory")
    assert ended.problem == "ex02_bias_and_batch.py: it ends the process, with exit status 3"
    assert right.ok


def test_what_cannot_be_interrupted_is_killed(solved):
    broken(
        solved,
        DX,
        "import signal\n    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\n    while True: pass",
    )
    (verdict,) = verdicts(solved, [LINEAR], explain=False, seconds=1)
    assert verdict.problem == "ex01_linear.py: stopped after 1 seconds; is there an endless loop?"
