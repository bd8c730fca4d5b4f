"""Judge one exercise: run the student's functions beside the solution's, and explain the first difference."""

from __future__ import annotations

import contextlib
import copy
import inspect
import linecache
import re
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from numpy_rnn.gradient_checking.check import gradcheck
from numpy_rnn.gradient_checking.report import GradcheckReport
from numpy_rnn.learn.course import Exercise
from numpy_rnn.learn.errors import Problem, TimeUp, describe
from numpy_rnn.learn.values import RTOL, fault, leaves, names_returned, parts, same

__all__ = ["Verdict", "judge"]

SECONDS = 5.0  # for the student's functions of one exercise


@dataclass
class Verdict:
    number: int
    ok: bool = True
    right: dict[str, list[str]] = field(default_factory=dict)  # by function: what it returns and is right
    function: str = ""  # the first one with a problem
    problem: str = ""  # in one line
    explanation: str = ""  # the suspect, and the words of the exercise


def judge(folder: Path, exercise: Exercise, seconds: float = SECONDS) -> Verdict:
    """Run all cases of an exercise; the first function that is wrong is explained."""
    folder = folder.resolve()
    verdict, first = Verdict(exercise.number), None
    right: dict[tuple[str, str], bool] = {}
    broken: set[str] = set()
    with _quiet(), _time_limit(seconds):
        try:
            student = _load(folder / exercise.filename)
            for name, arguments in exercise.module.cases(np.random.default_rng(exercise.number)):
                if name in broken:
                    continue
                trial = Trial(folder, exercise, name, arguments)
                trial.run(student)
                right |= {key: ok and right.get(key, True) for key, ok in trial.right.items()}
                if trial.problem:
                    broken.add(name)
                    first = first or trial
        except BaseException as error:  # of the file itself, or the time limit
            verdict.ok, verdict.problem = False, describe(error, folder)
    for (function, label), ok in right.items():
        if ok and function not in verdict.right:
            verdict.right[function] = []
        if ok:
            verdict.right[function].append(label)
    if first and verdict.ok:
        verdict.ok, verdict.problem, verdict.function = False, first.problem, first.function
        with _quiet():
            verdict.explanation = first.explanation(student)
    return verdict


class Trial:
    """One call of a function, and of its backward pass if it has one, with the same arguments for everyone."""

    def __init__(self, folder: Path, exercise: Exercise, name: str, arguments: tuple[Any, ...]) -> None:
        self.folder, self.exercise, self.name, self.arguments = folder, exercise, name, arguments
        self.solution = exercise.module
        self.has_backward = hasattr(self.solution, f"{name}_backward")
        self.right: dict[tuple[str, str], bool] = {}
        self.results: list[Any] = []  # what the student's functions returned, or the message of the error they raised
        self.function = self.problem = ""

    def run(self, student: ModuleType) -> None:
        """Compare the student's results with the solution's, and stop at the first problem."""
        theirs = self.passes(student)
        for function, expected in self.passes(self.solution):
            self.function = function
            try:
                _, got = next(theirs)
            except (Exception, SystemExit) as error:
                self.problem = describe(error, self.folder)
                self.results.append(str(error))
                return
            self.results += got.values()
            rtol = getattr(self.solution, "RTOL", RTOL)
            faults = {label: fault(value, got.get(label), rtol) for label, value in expected.items()}
            self.right |= {(function, label): not words for label, words in faults.items()}
            for words in dict.fromkeys(filter(None, faults.values())):
                labels = [label for label in faults if faults[label] == words]
                words = words.replace("is ", "are ", 1).replace("has ", "have ", 1) if len(labels) > 1 else words
                self.problem += "; " * bool(self.problem) + f"{', '.join(labels)} {words}"
            if self.problem:
                return
        with contextlib.suppress(StopIteration):
            next(theirs)

    def passes(self, module: ModuleType) -> Iterator[tuple[str, dict[str, Any]]]:
        """Call the function, then its backward pass with random upstream gradients; yield what each returns."""
        value = self.call(module, self.name, copy.deepcopy(self.arguments))
        labels = names_returned(getattr(self.solution, self.name), self.has_backward)
        if not self.has_backward:
            yield self.name, parts(self.name, labels, value)
            return
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise Problem(f"{self.name} must return {labels[0] if len(labels) == 1 else tuple(labels)} and the cache")
        outputs = parts(self.name, labels, value[0])
        yield self.name, outputs
        rng = np.random.default_rng(1)
        upstream = [rng.standard_normal(np.shape(output)) for output in outputs.values() if np.ndim(output)]
        backward = f"{self.name}_backward"
        gradients = self.call(module, backward, (*upstream, value[1]))
        yield backward, parts(backward, names_returned(getattr(self.solution, backward), False), gradients)

    def call(self, module: ModuleType, name: str, arguments: tuple[Any, ...]) -> Any:
        function = getattr(module, name, None)
        if not callable(function):
            raise Problem(f"there is no function {name}: was it renamed or deleted?")
        before = copy.deepcopy(arguments)
        value = function(*arguments)
        labels = inspect.signature(getattr(self.solution, name)).parameters
        for label, old, new in zip(labels, before, arguments, strict=False):
            if not all(map(same, leaves(old), leaves(new))):
                raise Problem(f"{name} changes its argument {label}: work on a copy")
        return value

    def explanation(self, student: ModuleType) -> str:
        """Return the suspect, and the words of the exercise if the results are those of a usual slip."""
        said = []
        if any(not ok for ok in self.right.values()) and self.function != self.name:
            with contextlib.suppress(Exception):
                pair = getattr(student, self.name), getattr(student, self.function)
                report = gradcheck(pair, copy.deepcopy(self.arguments))
                said.append(str(report.suspect) if report.suspect else _diagnosis(report))
        for old, new, words in self.solution.SLIPS:
            slip = ModuleType("slip")
            exec(self.exercise.source.replace(old, new), slip.__dict__)
            results: list[Any] = []
            try:
                for _, got in self.passes(slip):
                    results += got.values()
            except Exception as error:
                results.append(str(error))
            if len(results) >= len(self.results) and all(map(same, self.results, results)):
                said.append(words)
                break
        return "\n\n".join(filter(None, said))


def _diagnosis(report: GradcheckReport) -> str:
    """Return what the numbers of the wrong gradients show, for a report that names no line."""
    return "\n".join(f"d{name}: {t.diagnosis}" for name, t in report.tensors.items() if t.diagnosis)


def _load(path: Path) -> ModuleType:
    """Run a student's file, with the others in its folder to import from."""
    if not path.is_file():
        raise Problem(f"{path.name} is missing: `numpy-rnn learn {path.parent}` writes it again")
    for name in [name for name in sys.modules if re.fullmatch(r"ex\d\d_\w+", name)]:
        del sys.modules[name]
    linecache.checkcache()
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[path.stem] = module = module_from_spec(spec)
    before, sys.path[:0] = sys.path[:], [str(path.parent)]
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path[:] = before
    return module


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeUp in the block after some seconds, on systems that have this signal."""
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise TimeUp(f"{seconds:g}")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
