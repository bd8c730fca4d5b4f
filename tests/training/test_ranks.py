"""Several processes under mpiexec train like one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from numpy_rnn.layers import CELLS


def mpiexec(n: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("mpiexec"))  # of the mpich wheel
    return subprocess.run(
        [program, "-n", str(n), sys.executable, *arguments], capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("n", [2, 3])
def test_ranks_are_one_process_with_the_whole_batch(n: int) -> None:
    done = mpiexec(n, "-m", "tests.training.ranks_program")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("size") == n
    assert found.pop("steps") > 16  # with the last, shorter window of an epoch
    # Seven streams do not divide evenly. Only the order of the sums differs: rounding is 1e-15 after 16 steps.
    for what, differences in found.items():
        assert max(differences) < (1e-300 if "bit for bit" in what else 1e-10), what
    assert len(found) == 4 * (len(CELLS) + 1)
