"""The process of one contestant at one thread setting. It computes only while it handles a request.

Requests and replies are JSON objects, one per line, on standard input and output. A race sends

    {"do": "prepare", "case": {...}, "steps": n}   build the case and take n steps -> answers, seconds, memory
    {"do": "warm", "seconds": s}                   run for a moment                -> how many runs take s seconds
    {"do": "sample", "runs": n}                    n runs                          -> wall and CPU seconds
    {"do": "release"}                              free the case

and the learning race, in which one run is one training step,

    {"do": "begin", "text": path, "options": {...}, "steps": n}   first losses; then start again from the beginning
    {"do": "validate"}                                            -> validation loss

The first line, sent unasked, tells the library versions and thread pools. The process ends at the end of its input.
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

# Variables that select kernels, threads or waiting are removed: each library makes its own choice for this processor.
STEERING = ("OPENBLAS_", "OMP_", "GOMP_", "KMP_", "MKL_", "DNNL_", "ONEDNN_", "XLA_", "JAX_", "NPY_", "TORCH")


def environment(inherited: Mapping[str, str], threads: int, cache: str) -> dict[str, str]:
    """Return the environment of a worker, which must be set before it imports anything.

    Idle threads spin for a while after their work. Switching that off would slow down every parallel section, so a
    worker waits for its threads before it replies instead; see `_settle`. Only OpenBLAS's spinning is shortened, from
    70 ms to 6 ms, which is still longer than any pause within a step (no case was slower with it).
    """
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"]
    # XLA sizes its thread pool by NPROC; its flag xla_cpu_multi_thread_eigen=false was found to do nothing.
    names += ["NPROC", "PJRT_NPROC"]
    fixed = {
        # Caches, so that only the first round compiles; there, that time is measured.
        "TORCHINDUCTOR_CACHE_DIR": f"{cache}/torch",
        "JAX_COMPILATION_CACHE_DIR": f"{cache}/jax",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "OPENBLAS_THREAD_TIMEOUT": "24",
        "JAX_PLATFORMS": "cpu",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONHASHSEED": "0",
    }
    free = {name: value for name, value in inherited.items() if not name.startswith(STEERING)}
    return free | dict.fromkeys(names, str(threads)) | fixed


class Worker:
    """One contestant and its current work. The methods without an underscore are the requests."""

    def __init__(self, module: str, options: Mapping[str, Any], threads: int) -> None:
        import numpy as np  # here, so that the parent can read `environment` without it

        self.module, self.options = importlib.import_module(module), options
        self.versions = {"numpy": np.__version__}
        if hasattr(self.module, "start"):
            self.versions |= self.module.start(threads, **options)
        self.work: Work | None = None
        self.fresh, self.step_seconds = True, 0.0

    def hello(self, threads: int) -> dict[str, Any]:
        """Return versions and thread pools; RuntimeError if the number of threads is not as requested."""
        from threadpoolctl import threadpool_info

        keys = ("user_api", "internal_api", "version", "num_threads", "architecture", "threading_layer")
        pools = [{key: pool.get(key) for key in keys} for pool in threadpool_info()]
        if any(pool["num_threads"] != threads for pool in pools):
            raise RuntimeError(f"{threads} threads were requested, the libraries have {pools}")
        return {"versions": self.versions, "pools": pools}

    def prepare(self, case: Mapping[str, Any], steps: int) -> dict[str, Any]:
        from benchmarks.problem import Problem

        if self.fresh:
            # What a library sets up at its first use must not count as this case's memory or compilation.
            self.fresh = False
            work = self.module.prepare(Problem.draw(Case(2, 2, 2, 2, 1, case["task"], case["cell"])), **self.options)
            work.wait(work.run())
            del work
        problem = Problem.draw(Case(**case))
        if problem.case.task in ("adam", "backward"):
            _ = problem.gradients, problem.dlogits  # drawn now, so that they do not count as the contestant's memory
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
                _trim()  # the first step compiles, which must not count as the memory of a step
        self.step_seconds = seconds[-1]
        most = _status("VmHWM")
        taken = None if before is None or most is None else max(0, most - before)
        return {"answers": answers, "seconds": seconds, "peak_bytes": taken}

    def warm(self, seconds: float) -> dict[str, Any]:
        """Run for a moment; return how many runs take `seconds`."""
        if self.step_seconds > 2 * seconds:
            return {"runs": 1}  # the steps of `prepare` were enough of a warm-up
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

    def begin(self, text: str, options: Mapping[str, Any], steps: int) -> dict[str, Any]:
        from numpy_rnn.text.vocabulary import tokenize
        from numpy_rnn.training.options import Options
        from numpy_rnn.training.trainer import Trainer

        def make() -> Any:
            return self.module.learner(Trainer(*content, Options(**options)), **self.options)

        content = tokenize(Path(text).read_text("utf-8"))
        rehearsal = make()
        losses = [rehearsal.validate(), *(rehearsal.train_step()[0] for _ in range(steps))]
        self.learner = make()
        self.work = Work(self.learner.train_step, answer=None)
        return {"losses": losses}

    def validate(self) -> dict[str, Any]:
        return {"val_loss": self.learner.validate()}

    def _time(self, runs: int) -> tuple[float, float]:
        assert self.work is not None
        run, result = self.work.run, None
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in repeat(None, runs):
            result = run()
        self.work.wait(result)
        return time.perf_counter() - wall, time.process_time() - cpu


def _settle() -> None:
    """Wait until the threads of BLAS and OpenMP have stopped spinning: this process then uses no CPU."""
    for _ in range(100):
        before = time.process_time()
        time.sleep(0.005)
        if time.process_time() - before < 0.001:
            return


def _trim() -> None:
    """Return freed memory to the system and reset the peak of resident memory (only possible on Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        # Free memory left in the heap by the last case would hide what this one allocates.
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")


def _status(field: str) -> int | None:
    """Return a field of this process's status in bytes, such as VmHWM, the peak of resident memory since `_trim`."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":")), None)


def main() -> None:
    """Serve the parent. The arguments are the module, its options as JSON, and the number of threads."""
    # Libraries may print: send their output to standard error, so that it does not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def reply(answer: Mapping[str, Any]) -> None:
        _settle()
        print(json.dumps(answer), file=answers, flush=True)

    module, options, threads = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
    try:
        worker = Worker(module, options, threads)
        hello = worker.hello(threads)
    except (Unavailable, ModuleNotFoundError) as error:
        extra = getattr(error, "name", None)  # the extras torch and jax have the names of their modules
        reply({"unavailable": f"{extra} is not installed: pip install 'numpy-rnn[{extra}]'" if extra else str(error)})
        return
    gc.disable()
    reply(hello)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply(getattr(worker, request.pop("do"))(**request))
        except Exception as error:  # the parent reports whatever went wrong in a contestant
            worker.release()
            reply({"error": f"{type(error).__name__}: {error}".splitlines()[0]})


if __name__ == "__main__":
    main()
