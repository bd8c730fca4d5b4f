"""The number of threads: what the command line sets before NumPy is imported, and how a trial chooses."""

import os
import subprocess
import sys

import pytest

import numpy_rnn as nr
from numpy_rnn import blas

threadpoolctl = pytest.importorskip("threadpoolctl")

CHILD = """
import os, sys
from numpy_rnn.cli import main
{before}
try:
    main({argv!r})
except SystemExit:
    pass
from threadpoolctl import threadpool_info
values = [os.environ.get(name, "-") for name in {names!r}]
print(*values, {{x["num_threads"] for x in threadpool_info()}}, file=sys.stderr)
"""


def child(argv, environment=(), before=""):
    """Return what the variables are after a command, and the threads that the BLAS uses."""
    clean = {name: value for name, value in os.environ.items() if name not in blas.VARIABLES}
    code = CHILD.format(argv=argv, before=before, names=blas.VARIABLES)
    done = subprocess.run(
        [sys.executable, "-c", code], env={**clean, **dict(environment)}, capture_output=True, text=True, check=True
    )
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("argv", "environment", "expected"),
    [
        (["tutorial", "--epochs", "1"], {}, "1 1 1 1 1 {1}"),
        (["gradcheck", "--threads", "2", "--help"], {}, "2 2 2 2 2 {2}"),
        (["trace", "--threads=2", "--epochs", "1"], {}, "2 2 2 2 2 {2}"),
        (["generate", "--threads", "auto", "--help"], {}, "1 1 1 1 1 {1}"),
        (["tutorial", "--threads", "none"], {}, "1 1 1 1 1 {1}"),
        (["tutorial", "--threads"], {}, "1 1 1 1 1 {1}"),
        (["tutorial", "--epochs", "1"], {"OPENBLAS_NUM_THREADS": "2"}, "2 - - - - {2}"),
        (["tutorial", "--epochs", "1"], {"OMP_NUM_THREADS": "2"}, "- 2 - - - {2}"),
        (["tutorial", "--epochs", "1", "--threads", "2"], {"OMP_NUM_THREADS": "1"}, "2 2 2 2 2 {2}"),
    ],
)
def test_the_command_line_sets_them_unless_the_user_has(argv, environment, expected):
    assert child(argv, environment) == expected


def test_once_numpy_is_imported_the_option_has_its_effect_and_the_variables_are_left():
    before = "import numpy, numpy_rnn.cli.tutorial as t\nfrom threadpoolctl import threadpool_info\n"
    before += "t.nr.generate = lambda *_: sys.stderr.write(str(threadpool_info()[0]['num_threads'])) and ''"
    line = child(["tutorial", "--epochs", "1", "--threads", "2"], {"OPENBLAS_NUM_THREADS": "1"}, before)
    assert line == "21 - - - - {1}"  # 2 during the command, and 1 after


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5"])
def test_another_number_is_refused(value, capsys):
    from numpy_rnn.cli import main

    with pytest.raises(SystemExit):
        main(["tutorial", "--threads", value])
    assert f"--threads: expected auto or an integer from 1 to 10**9, got '{value}'" in capsys.readouterr().err


def in_use():
    return {library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"}


def test_threads_in_a_block_and_from_then_on():
    before = in_use()
    with nr.threads(3):
        assert in_use() == {3}
        with nr.threads(1):
            assert in_use() == {1}
        assert in_use() == {3}
    assert in_use() == before
    nr.threads(2)
    assert in_use() == {2}
    nr.threads(*before)


@pytest.mark.parametrize(("n", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (None, TypeError)])
def test_threads_is_a_number_from_1(n, error):
    with pytest.raises(error, match="n must be"):
        nr.threads(n)


def test_without_threadpoolctl_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"threadpoolctl is not installed: pip install 'numpy-rnn\[threads\]'"
    ):
        nr.threads(1)


def trial(monkeypatch, cores, seconds):
    """Choose for a work that takes `seconds(threads, number of the call)`; return the choice and the calls."""
    now, calls = [0.0], []

    def work():
        (n,) = in_use()
        calls.append(n)
        now[0] += seconds(n, len(calls))

    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    before = in_use()
    chosen = blas.fastest(work, lambda: now[0])
    assert in_use() == before
    return *chosen, calls


def test_more_threads_are_taken_as_long_as_they_gain(monkeypatch):
    assert trial(monkeypatch, 2, lambda n, i: 1 / n) == (2, "2.00 x as fast as 1", [1] + [1, 2] * 3)
    n, reason, calls = trial(monkeypatch, 8, lambda n, i: 1 / min(n, 4))
    assert (n, reason, set(calls)) == (4, "8 were only 1.00 x as fast", {1, 2, 4, 8})
    assert trial(monkeypatch, 2, lambda n, i: 1 / n**0.21)[0] == 2  # 1.157 x
    assert trial(monkeypatch, 2, lambda n, i: 1 / n**0.19)[:2] == (1, "2 were only 1.14 x as fast")


def test_one_core_needs_no_trial(monkeypatch):
    assert trial(monkeypatch, 1, lambda n, i: 1) == (1, "there is only one core", [])


def test_a_single_comparison_without_a_gain_is_enough_for_one_thread(monkeypatch):
    """As when another program takes a core for a moment: on average, two threads are 1.7 times as fast."""
    n, reason, calls = trial(monkeypatch, 2, lambda n, i: 0.5 + (i == 7) * 0.5 if n == 2 else 1.0)
    assert (n, reason, len(calls)) == (1, "2 were only 1.00 x as fast", 7)
