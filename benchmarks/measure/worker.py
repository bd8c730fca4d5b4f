"""The process of one contestant at one thread setting. It computes when told to, and only then.

The parent writes one JSON object a line to standard input, and reads one per request from standard output:

    {"do": "prepare", "case": {...}, "steps": n}  build the case, take n steps: their answers and seconds, memory
    {"do": "warm", "seconds": s}                  run for a while, thrown away: how many runs a sample of s takes
    {"do": "sample", "runs": n}                   n runs: wall and CPU seconds
    {"do": "release"}                             let go of the case

The end of its input ends it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import math
import os
import sys
import time
from collections.abc import Mapping
from itertools import repeat
from pathlib import Path
from typing import Any

from benchmarks.cases import Case
from benchmarks.contestants import Unavailable, Work

__all__ = ["Worker", "environment", "main"]

_WARM_SECONDS = 0.03


# What a shell says of kernels, threads and waiting is dropped: each library chooses for this processor by itself.
STEERING = ("OPENBLAS_", "OMP_", "GOMP_", "KMP_", "MKL_", "DNNL_", "ONEDNN_", "XLA_", "JAX_", "NPY_", "TORCH")


def environment(inherited: Mapping[str, str], threads: int, cache: str) -> dict[str, str]:
    """Return the environment of a worker, set before it imports anything.

    Idle threads wait as their library has them wait, for passive waiting would slow every fork and join; a worker is
    quiet before its answer goes out instead, see `_settle`. Only OpenBLAS's spinning, 70 ms by default, is cut to
    6 ms, which still outlasts any pause within a step (no case was found slower by it).
    """
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"]
    # XLA sizes its thread pool by NPROC; its flag xla_cpu_multi_thread_eigen=false was found to do nothing.
    names += ["NPROC", "PJRT_NPROC"]
    caches = {
        # Compiled in the first round, where the time is taken; loaded in later ones.
        "TORCHINDUCTOR_CACHE_DIR": f"{cache}/torch",
        "JAX_COMPILATION_CACHE_DIR": f"{cache}/jax",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    platform = {
        "OPENBLAS_THREAD_TIMEOUT": "24",
        "JAX_PLATFORMS": "cpu",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONHASHSEED": "0",
    }
    free = {name: value for name, value in inherited.items() if not name.startswith(STEERING)}
    return free | dict.fromkeys(names, str(threads)) | caches | platform


class Worker:
    """One contestant and, between `prepare` and `release`, its work."""

    def __init__(self, module: str, options: Mapping[str, Any], threads: int) -> None:
        import numpy as np  # here, so that the parent can read `environment` without it

        self.module, self.options = importlib.import_module(module), options
        self.versions = {"numpy": np.__version__}
        if hasattr(self.module, "start"):
            self.versions |= self.module.start(threads, **options)
        self.work: Work | None = None
        self.fresh = True

    def hello(self, threads: int) -> dict[str, Any]:
        """Return versions, and the thread pools as they came out."""
        from threadpoolctl import threadpool_info

        keys = ("user_api", "internal_api", "version", "num_threads", "architecture", "threading_layer")
        pools = [{key: pool.get(key) for key in keys} for pool in threadpool_info()]
        if any(pool["num_threads"] != threads for pool in pools):
            raise RuntimeError(f"{threads} threads were asked for, the libraries have {pools}")
        return {"versions": self.versions, "pools": pools}

    def prepare(self, case: Mapping[str, Any], steps: int) -> dict[str, Any]:
        from benchmarks.problem import Problem

        if self.fresh:
            # What a library sets up at its first use is neither this case's memory nor its compilation.
            self.fresh = False
            work = self.module.prepare(Problem.draw(Case(2, 2, 2, 2, 1, case["task"])), **self.options)
            work.wait(work.run())
            del work
        problem = Problem.draw(Case(**case))
        if problem.case.task == "adam":
            _ = problem.gradients  # drawn now: the data is not the contestant's memory
        self.release()
        _trim()
        before = _status("VmRSS")
        self.work = work = self.module.prepare(problem, **self.options)
        answers, seconds = [], []
        for _ in range(steps):
            started = time.perf_counter()
            result = work.run()
            work.wait(result)
            seconds.append(time.perf_counter() - started)
            if work.answer is not None:
                answers.append(problem.summary(work.answer(result)))
            if len(seconds) == 1:
                _trim()  # from here on counts: the first step compiles, and that memory is not a step's
        most = _status("VmHWM")
        taken = None if before is None or most is None else max(0, most - before)
        return {"answers": answers, "seconds": seconds, "peak_bytes": taken}

    def warm(self, seconds: float) -> dict[str, Any]:
        """Run at least once and for a moment; return how many runs make a sample of `seconds`."""
        runs, wall = 0, 0.0
        while wall < _WARM_SECONDS:
            runs = max(1, 2 * runs)
            wall = self._time(runs)[0]
        return {"runs": math.ceil(1.1 * seconds / (wall / runs)) if wall / runs < seconds else 1}

    def sample(self, runs: int) -> dict[str, Any]:
        wall, cpu = self._time(runs)
        return {"seconds": wall / runs, "cpu_seconds": cpu / runs}

    def release(self) -> dict[str, Any]:
        self.work = None
        gc.collect()
        return {}

    def _time(self, runs: int) -> tuple[float, float]:
        assert self.work is not None
        run, result = self.work.run, None
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in repeat(None, runs):
            result = run()
        self.work.wait(result)
        return time.perf_counter() - wall, time.process_time() - cpu


def _settle() -> None:
    """Return once this process uses no CPU: the threads of BLAS and OpenMP spin on for a while after their work."""
    for _ in range(100):
        before = time.process_time()
        time.sleep(0.005)
        if time.process_time() - before < 0.001:
            return


def _trim() -> None:
    """Give freed memory back, and forget the peak of resident memory: Linux alone can."""
    with contextlib.suppress(OSError, AttributeError):
        # What the last case left in the heap would hide what this one takes.
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")


def _status(field: str) -> int | None:
    """Return a field of this process's status in bytes, such as VmHWM, the most that was resident since `_trim`."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":")), None)


def main(kind: type[Worker] = Worker) -> None:
    """Serve the parent: arguments are the module, its options as JSON, and the number of threads."""
    # What a library prints must not get between the answers: it goes to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def reply(answer: Mapping[str, Any]) -> None:
        _settle()
        print(json.dumps(answer), file=answers, flush=True)

    module, options, threads = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
    try:
        worker = kind(module, options, threads)
        hello = worker.hello(threads)
    except Unavailable as error:
        reply({"unavailable": str(error)})
        return
    gc.disable()
    reply(hello)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply(getattr(worker, request.pop("do"))(**request))
        except Exception as error:  # whatever went wrong in a contestant is the parent's to report
            worker.release()
            reply({"error": f"{type(error).__name__}: {error}".splitlines()[0]})


if __name__ == "__main__":
    main()
