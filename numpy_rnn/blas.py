"""How many threads NumPy's matrix products use.

NumPy leaves products to a BLAS library (OpenBLAS, MKL, ...), which by default uses a thread for every core. The
products of a small recurrent network gain nothing from that, and two programs that do so at once slow each other down
by up to thirty times. The library reads environment variables when NumPy is imported, so the command line sets them
before that, and this file must not import NumPy.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

__all__ = ["fastest", "set_variables", "threads"]

VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
GAIN = 1.15  # doubling the threads must make it at least this much faster


def set_variables(argv: Sequence[str]) -> bool:
    """Set the environment variables as `--threads` says, by default to 1; return whether they were set.

    Without a number in `--threads`, variables that the user has set are respected. Once NumPy is imported, setting
    them would have no effect.
    """
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--threads", nargs="?")
    asked = parser.parse_known_args(argv)[0].threads or "auto"
    is_number = asked.isdecimal() and int(asked) > 0  # the command reports anything else
    if "numpy" in sys.modules or (not is_number and any(name in os.environ for name in VARIABLES)):
        return False
    os.environ.update(dict.fromkeys(VARIABLES, asked if is_number else "1"))
    return True


def threads(n: int) -> AbstractContextManager[Any]:
    """Let NumPy's matrix products use `n` threads: in a `with` block or, called without one, from then on.

        with nr.threads(1):
            for progress in nr.train(model, text):
                print(progress)

    The number of threads can change the last digits of results. Needs threadpoolctl.

    Raises
    ------
    ModuleNotFoundError
        threadpoolctl is not installed.
    """
    from numpy_rnn.checks import as_size

    n = as_size("n", n)
    try:
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError:
        raise ModuleNotFoundError("threadpoolctl is not installed: pip install 'numpy-rnn[threads]'") from None
    limits: AbstractContextManager[Any] = threadpool_limits(n, user_api="blas")
    return limits


def fastest(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> tuple[int, str]:
    """Return the best number of threads for `work`, and the reason. With two cores, it calls `work` seven times.

    The number is doubled as long as each of three comparisons shows a gain. While other programs use the cores, more
    threads do not gain anything, so the result is 1.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def seconds(n: int) -> float:
        with threads(n):
            started = clock()
            work()
            return clock() - started

    best, reason = 1, "there is only one core"
    if cores > 1:
        seconds(1)  # the first call also allocates memory
    while 2 * best <= cores:
        gains: list[float] = []
        while len(gains) < 3:
            gains.append(seconds(best) / max(seconds(2 * best), 1e-9))
            if gains[-1] < GAIN:
                return best, f"{2 * best} were only {gains[-1]:.2f} x as fast"
        best, reason = 2 * best, f"{min(gains):.2f} x as fast as {best}"
    return best, reason
