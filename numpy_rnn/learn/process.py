"""Judge a student's files in a process of its own, with limits on time and memory.

The limits stop endless loops and mistakes in sizes. They are no protection from code that means harm.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from numpy_rnn.learn.course import Exercise, course
from numpy_rnn.learn.judge import Verdict, judge

__all__ = ["verdicts"]

MEMORY = 2 << 30  # bytes
SECONDS = 30.0  # for an exercise and its explanation; judge stops the student's functions earlier, and says where


def verdicts(
    folder: Path, exercises: list[Exercise], explain: bool = True, seconds: float = SECONDS
) -> Iterator[Verdict]:
    """Yield a verdict for each exercise, as soon as it is known.

    If the process ends or is stopped, the exercise that it was working on has failed, and another process continues.
    Without `explain`, this is faster, and what the student's code prints is discarded.
    """
    left = list(exercises)
    while left:
        command = [
            sys.executable,
            "-m",
            "numpy_rnn.learn.process",
            str(folder),
            str(explain),
            *(str(e.number) for e in left),
        ]
        one = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # threads reserve memory
        error = None if explain else subprocess.DEVNULL
        pipe, none = subprocess.PIPE, subprocess.DEVNULL
        with subprocess.Popen(command, stdin=none, stdout=pipe, stderr=error, env=os.environ | one) as child:
            try:
                while left:
                    timer = threading.Timer(seconds, child.kill)
                    timer.start()
                    assert child.stdout
                    line = child.stdout.readline()
                    in_time = timer.is_alive()
                    timer.cancel()
                    exercise = left.pop(0)
                    if not line:
                        words = f"stopped after {seconds:g} seconds; is there an endless loop?"
                        words = f"it ends the process, with exit status {child.wait()}" if in_time else words
                        yield Verdict(exercise.number, False, problem=f"{exercise.filename}: {words}")
                        break
                    yield Verdict(**json.loads(line))
            finally:
                child.kill()


def main(folder: str, explain: str, *numbers: str) -> None:
    """Judge in this process, and print a line of JSON for each exercise. What the student prints goes to stderr."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        sys.dont_write_bytecode = True
        with contextlib.suppress(ImportError, ValueError):  # not on Windows; or a lower limit is set already
            import resource

            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        exercises = {e.number: e for e in course()}
        for number in map(int, numbers):
            print(
                json.dumps(asdict(judge(Path(folder), exercises[number], explain == str(True)))), file=out, flush=True
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
