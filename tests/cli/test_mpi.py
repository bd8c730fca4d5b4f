"""mpiexec -n R numpy-rnn train --mpi: several processes make one run, and what ends one of them ends all."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from numpy_rnn.storage.checkpoint import read_checkpoint
from numpy_rnn.storage.model_file import load_model

SMALL = ("--layers", "1", "--hidden-size", "12", "--batch-size", "5", "--seq-len", "8", "--dtype", "float64")
ENDLESS = (*SMALL, "--steps", "1000000", "--eval-every", "20")
SECONDS = 60  # nobody waits for ever


def start(*arguments: str, ranks: int = 2) -> subprocess.Popen[str]:
    mpiexec = Path(sys.executable).with_name("mpiexec")  # of the mpich wheel
    return subprocess.Popen(
        [str(mpiexec), "-n", str(ranks), sys.executable, "-m", "numpy_rnn", "train", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def train(*arguments: str, ranks: int = 2) -> tuple[int, str, list[str]]:
    return finish(start(*arguments, ranks=ranks))


def finish(process: subprocess.Popen[str]) -> tuple[int, str, list[str]]:
    """Return the exit status, what was printed, and the lines of standard error that are not the MPI library's."""
    try:
        out, err = process.communicate(timeout=SECONDS)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, out, [line for line in err.splitlines() if line.startswith("numpy-rnn")]


def wait_for(path: str) -> None:
    for _ in range(SECONDS * 20):
        if Path(path).exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"there is no {path}")


@pytest.fixture(autouse=True)
def text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("text").write_text("She sells sea shells on the sea shore. " * 80)


def test_the_run_is_that_of_one_process():
    plan = (*SMALL, "--steps", "60", "--eval-every", "20")
    subprocess.run([sys.executable, "-m", "numpy_rnn", "train", "text", "-o", "alone", *plan], check=True)
    status, out, err = train("text", "-o", "together", "--mpi", *plan, ranks=3)
    assert (status, err) == (0, [])
    assert out.count("step 60/60") == 1  # one voice
    alone, together = (read_checkpoint(f"{run}/last.npz")[0] for run in ("alone", "together"))
    assert alone.keys() == together.keys()
    for name, array in alone.items():  # 60 steps of rounding
        np.testing.assert_allclose(together[name], array, rtol=0, atol=1e-10, err_msg=name)


def test_interrupted_it_is_saved_and_goes_on_with_another_number_of_ranks():
    process = start("text", "-o", "run", "--mpi", *ENDLESS)
    wait_for("run/best.npz")
    process.send_signal(signal.SIGINT)
    status, out, err = finish(process)
    assert status == 130
    assert "interrupted: saved after step" in out
    assert len(err) == 1
    step = read_checkpoint("run/last.npz")[1]["training"]["step"]
    assert f"saved after step {step}; resume with: mpiexec -n 2 numpy-rnn train --resume run --mpi" in out
    status, out, err = train("--resume", "run", "--mpi", "--steps", str(step + 200), ranks=3)
    assert (status, err) == (0, [])
    assert f"resumed after step {step}" in out


def test_a_killed_rank_ends_all_and_the_checkpoint_is_good():
    process = start("text", "-o", "run", "--mpi", *ENDLESS)
    wait_for("run/best.npz")
    ranks = running()
    os.kill(ranks[1], signal.SIGKILL)
    assert finish(process)[0] != 0
    load_model("run")
    assert not running()


def running() -> list[int]:
    """Return this test's two ranks, or those of them that are left."""
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if Path(f"/proc/{pid}/cwd").resolve() == Path.cwd() and b"python" in words[0] and b"--mpi" in words:
                found.append(int(pid))
    return found


def test_a_full_disk_ends_all_with_one_line_and_the_checkpoint_is_good():
    process = start("text", "-o", "run", "--mpi", *ENDLESS)
    wait_for("run/best.npz")
    for pid in running():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1000, 1000))  # to a process, a full disk looks like this
    status, _, err = finish(process)
    assert status != 0
    assert len(err) == 1
    assert "run/" in err[0]
    load_model("run/last.npz")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("text", "-o", "run", *SMALL, "--lr", "1e30", "--clip", "1e30"), "is worse than guessing"),
        (("nowhere.txt",), "cannot read 'nowhere.txt'"),
        (("text", "--batch-size", "1"), "--batch-size must be at least 2, a stream for each rank, got 1"),
        (("-",), "--mpi needs a FILE: standard input reaches only one of the processes"),
        ((), "--mpi needs a FILE"),
        (("text", "-o", "."), "is a directory with other files in it"),
    ],
)
def test_what_all_find_out_is_said_once(arguments, words):
    status, _, err = train("--mpi", *arguments)
    assert status == 1
    assert len(err) == 1
    assert words in err[0]
