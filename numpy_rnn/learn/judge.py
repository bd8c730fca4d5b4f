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
from traceback import walk_stack
from types import FrameType, ModuleType
from typing import Any

import numpy as np

from numpy_rnn.display.terminal import quote
from numpy_rnn.gradient_checking.check import gradcheck
from numpy_rnn.learn.course import Exercise
from numpy_rnn.learn.errors import Problem, TimeUp, caret, describe
from numpy_rnn.learn.values import RTOL, fault, leaves, listed, names_returned, parts, same

__all__ = ["Verdict", "judge"]

SECONDS = 5.0  # for the student's functions of one exercise, and again for naming the line


@dataclass
class Verdict:
    number: int
    ok: bool = True
    right: dict[str, list[str]] = field(default_factory=dict)  # by function: what it returns and is right
    function: str = ""  # the first one with a problem
    wrong: list[str] = field(default_factory=list)  # what it returns and is wrong
    problem: str = ""  # in one line
    explanation: str = ""  # the suspect, and the words of the exercise


def judge(folder: Path, exercise: Exercise, explain: bool = True, seconds: float = SECONDS) -> Verdict:
    """Run all cases of an exercise; explain the first function that is wrong, which takes most of the time."""
    given, folder, verdict, trials = folder, folder.resolve(), Verdict(exercise.number), []
    with _quiet(), _time_limit(seconds, folder):
        try:
            student = _load(folder / exercise.filename, given)
            for name, arguments in exercise.module.cases(np.random.default_rng(exercise.number)):
                trials.append(Trial(exercise, name, arguments))
                trials[-1].run(student, folder)
        except BaseException as error:  # the file cannot be run, or the time is up
            verdict.ok, verdict.problem, verdict.explanation = False, describe(error, folder), caret(error)
            verdict.function = trials[-1].function if trials else ""
    results = {key: [t.right[key] for t in trials if key in t.right] for t in trials for key in t.right}
    for function, label in (key for key, rights in results.items() if all(rights)):
        verdict.right.setdefault(function, []).append(label)
    wrong = [trial for trial in trials if trial.problem]
    if wrong and verdict.ok:
        verdict.ok, verdict.problem, verdict.function = False, wrong[0].problem, wrong[0].function
        verdict.wrong = wrong[0].wrong
        with _quiet():
            suspect = wrong[0].suspect(student, seconds, folder) if explain else ""
            words = _words_for_slip(exercise, [t for t in trials if t.name == wrong[0].name]) if explain else ""
        verdict.explanation = "\n\n".join(filter(None, [suspect, words]))
    return verdict


class Trial:
    """One call of a function, and of its backward pass if it has one, with the same arguments for everyone."""

    def __init__(self, exercise: Exercise, name: str, arguments: tuple[Any, ...]) -> None:
        self.exercise, self.solution, self.name, self.arguments = exercise, exercise.module, name, arguments
        self.has_backward = hasattr(self.solution, f"{name}_backward")
        self.right: dict[tuple[str, str], bool] = {}  # by function and by what it returns
        self.results: list[Any] = []  # what the student's functions returned, or the message of the error they raised
        self.function, self.problem, self.wrong = name, "", list[str]()

    def run(self, student: ModuleType, folder: Path) -> None:
        """Compare the student's results with the solution's, and stop at the first problem."""
        theirs, rtol = self.passes(student), getattr(self.solution, "RTOL", RTOL)
        for function, expected in self.passes(self.solution):
            self.function = function
            try:
                _, got = next(theirs)
            except (Exception, SystemExit) as error:
                self.problem = describe(error, folder)
                self.results.append(str(error))
                return
            self.results += got.values()
            faults: dict[str, list[str]] = {}
            for label, value in expected.items():
                words = fault(value, got.get(label), rtol)
                self.right[self.function, label] = not words
                faults.setdefault(words, []).append(label)
                self.wrong += [label] * bool(words)
            self.problem = "; ".join(
                f"{listed(labels)} {'are' if len(labels) > 1 else 'is'} {words}"
                for words, labels in faults.items()
                if words
            )
            if self.problem:
                return

    def passes(self, module: ModuleType) -> Iterator[tuple[str, dict[str, Any]]]:
        """Call the function, then its backward pass with random upstream gradients; yield what each returns."""
        value = self.call(module, self.name, copy.deepcopy(self.arguments))
        labels = names_returned(getattr(self.solution, self.name), self.has_backward)
        if not self.has_backward:
            yield self.name, parts(self.name, labels, value)
            return
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise Problem(f"{self.name} must return two things: {listed(labels)}, and the cache")
        outputs = parts(self.name, labels, value[0])
        yield self.name, outputs
        rng, backward = np.random.default_rng(1), f"{self.name}_backward"
        upstream = [rng.standard_normal(np.shape(output)) for output in outputs.values() if np.ndim(output)]
        gradients = self.call(module, backward, (*upstream, value[1]))
        yield backward, parts(backward, names_returned(getattr(self.solution, backward)), gradients)

    def call(self, module: ModuleType, name: str, arguments: tuple[Any, ...]) -> Any:
        function = getattr(module, name, None)
        if not callable(function):
            raise Problem(f"there is no function {name}: was it renamed or deleted?")
        before = copy.deepcopy(arguments)
        value = function(*arguments)
        for label, old, new in zip(inspect.signature(function).parameters, before, arguments, strict=False):
            if not all(map(same, leaves(old), leaves(new))):
                raise Problem(f"{name} changes its argument {label}: work on a copy")
        return value

    def suspect(self, student: ModuleType, seconds: float, folder: Path) -> str:
        """Return the report on the wrong line, if gradcheck can name one in the student's file for this exercise."""
        is_loss = next(iter(self.right), ("", ""))[1] == "loss"
        if (self.function == self.name and not is_loss) or isinstance(self.results[-1], str):
            return ""
        functions = [getattr(student, name) for name in dict.fromkeys((self.name, self.function))]
        checked = tuple(functions) if self.has_backward else functions[0]
        # gradcheck calls the functions hundreds of times: what they print is discarded
        with contextlib.suppress(Exception, TimeUp), contextlib.redirect_stdout(None), _time_limit(seconds, folder):
            suspect = gradcheck(checked, *copy.deepcopy(self.arguments)).suspect
            return str(suspect) if suspect and Path(suspect.filename).name == self.exercise.filename else ""
        return ""


def _words_for_slip(exercise: Exercise, trials: list[Trial]) -> str:
    """Return the words for the usual slip whose results are the student's, in every trial."""
    for old, new, words in exercise.module.SLIPS:
        slip = ModuleType("slip")
        exec(exercise.source.replace(old, new), slip.__dict__)
        for trial in trials:
            results: list[Any] = []
            try:
                for _, got in trial.passes(slip):
                    results += got.values()
            except Exception as error:
                results.append(str(error))
            if len(results) < len(trial.results) or not all(map(same, trial.results, results)):
                break
        else:
            return str(words)
    return ""


def _load(path: Path, given: Path) -> ModuleType:
    """Run a student's file, with the others in its folder to import from."""
    if not path.is_file():
        raise Problem(f"{path.name} is missing: `numpy-rnn learn {quote(str(given))}` writes it again")
    if not path.read_bytes().strip():
        raise Problem(f"{path.name} is empty: delete it, and `numpy-rnn learn {quote(str(given))}` writes it again")
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
def _time_limit(seconds: float, folder: Path) -> Iterator[None]:
    """Raise TimeUp in the block after some seconds, and again if code of this folder catches it (not on Windows)."""
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return
    stopped = False

    def stop(_number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        frames = (place for place, _ in walk_stack(frame))
        if not stopped or any(Path(place.f_code.co_filename).parent == folder for place in frames):
            stopped = True
            signal.setitimer(signal.ITIMER_REAL, 1e-4)  # soon enough to find the loop outside of its `try`
            raise TimeUp(f"{seconds:g}")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
