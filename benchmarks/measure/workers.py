"""The parent's side of the worker processes."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
from typing import IO, Any

from benchmarks.contestants import Contestant
from benchmarks.measure.machine import ROOT
from benchmarks.measure.results import Entrant
from benchmarks.measure.worker import environment

__all__ = ["WorkerError", "WorkerProcess"]


class WorkerError(Exception):
    """A worker process failed, or could not do what was requested."""


class WorkerProcess:
    """A `benchmarks.measure.worker` process."""

    def __init__(self, contestant: Contestant, threads: int, cache: str) -> None:
        self.entrant = Entrant(contestant.name, threads)
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        arguments = (contestant.module, json.dumps(dict(contestant.options)), str(threads))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.measure.worker", *arguments],
            cwd=ROOT,
            env=environment(os.environ, threads, cache),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def tell(self, **request: Any) -> None:
        """Send a request; `hear` waits for the answer."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # `hear` raises the reason
            print(json.dumps(request), file=self._process.stdin, flush=True)

    def hear(self, seconds: float) -> dict[str, Any]:
        """Return the next answer; WorkerError if it does not arrive in time, or if it is an error."""
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            line = self._process.stdout.readline() if selector.select(seconds) else None
        if not line:
            words = f"no answer within {seconds:.0f} s" if line is None else self._last_words()
            self.close()
            raise WorkerError(words)
        answer: dict[str, Any] = json.loads(line)
        if "unavailable" in answer:  # and the process has ended
            self.close()
            raise WorkerError(answer["unavailable"])
        if "error" in answer:  # the process goes on
            raise WorkerError(answer["error"])
        return answer

    @property
    def ended(self) -> bool:
        """Whether the process was closed, by its owner or by `hear` after a failure."""
        return self._log.closed

    def close(self) -> None:
        """Kill the process. It has nothing to save."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()
        self._log.close()

    def _last_words(self) -> str:
        status = self._process.wait()  # it has closed its output
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"the process ended with status {status}"
