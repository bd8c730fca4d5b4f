"""What gradcheck reports about the lines of backward: the suspect, and the gradient that each line computes."""

from __future__ import annotations

import ast
import linecache
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from numpy_rnn.gradient_checking.experiment import Experiment
from numpy_rnn.gradient_checking.lines.judgement import Judgement
from numpy_rnn.gradient_checking.lines.lines import Line, Place, Suspect
from numpy_rnn.gradient_checking.lines.quantities import Quantity
from numpy_rnn.gradient_checking.lines.recorder import TooLarge
from numpy_rnn.gradient_checking.lines.suspect import find_suspect
from numpy_rnn.gradient_checking.lines.tape import Operation
from numpy_rnn.gradient_checking.lines.trace import CannotFollow, follow
from numpy_rnn.gradient_checking.lines.words import explanation, name_of, step_of
from numpy_rnn.gradient_checking.tensors import TensorReport

__all__ = ["Explained", "explain"]

Functions = list[tuple[str, int, int]]  # file, first line, last line


@dataclass
class Explained:
    suspect: Suspect | None = None
    lines: list[Line] = field(default_factory=list)
    functions: tuple[Functions, Functions] = ([], [])  # of forward and of backward
    note: str | None = None  # why nothing could be found out


def explain(experiment: Experiment, tensors: dict[str, TensorReport]) -> Explained:
    """Follow forward and backward operation by operation, and judge each line of backward."""
    with np.errstate(all="ignore"):
        try:
            j = Judgement(follow(experiment, tensors))
        except CannotFollow as reason:
            return Explained(note=f"no line is named: {reason}")
        except TooLarge:
            return Explained(note="no line is named: following every operation takes too long; use smaller shapes")
        wrong = any(tensor.verdict in ("WRONG", "SHAPE") for tensor in tensors.values())
        suspect = _suspect(j) if wrong else None
        lines = _lines(j, suspect)
        known = [(line.filename, line.line) for line in lines if line.verdict != "not a gradient"]
        functions = _functions(map(j.line, j.trace.forward)), _functions(known)
        return Explained(suspect, lines, functions)


def _suspect(j: Judgement) -> Suspect | None:
    found = find_suspect(j)
    if found is None:
        return None
    filename, line = found.line(j)
    step = step_of(j, found.target) if found.target is not None else None
    return Suspect(filename, line, linecache.getline(filename, line).strip(), step, explanation(j, found))


def _lines(j: Judgement, suspect: Suspect | None) -> list[Line]:
    """Return what every line of backward computes that another line reads, or that is returned."""
    lines = []
    for (number, slot), every in j.by_place.items():
        node = j.trace.nodes[number]
        operations = [o for o in every if j.repair.influences(o)]
        if not operations or number not in j.visible or slot or (operations[0].passes and operations[0].moves):
            continue
        known = [q for o in operations if (q := j.what[id(o)]) is not None]
        done = _completed(j, operations[-1])
        place = (node.filename, node.line)
        verdict = "not a gradient"
        if suspect is not None and place == (suspect.filename, suspect.line):
            verdict = "wrong"
        elif done is not None or len(known) == sum(bool(o.value.any()) for o in operations) > 0:
            verdict = "right"
        elif suspect is not None and any(map(j.is_unknown, operations)):
            verdict = "follows from a wrong one"
        shown = [done] if done is not None else known if verdict in ("right", "wrong") else []
        equals = name_of(j, shown[0], with_step=len(operations) == 1) if shown else None
        equals = f"adds up to {equals}" if done is not None else equals
        steps = {s for q in known if shown and (s := step_of(j, q)) is not None}
        places = dict.fromkeys(p for q in shown for p in _places(j, q))
        source = linecache.getline(*place).strip()
        quantity = _assigned(j, operations[0])
        lines.append(Line(*place, source, quantity, equals, tuple(sorted(steps)), verdict, tuple(places)))
    return sorted(dict.fromkeys(lines), key=lambda line: (line.filename, line.line))


def _completed(j: Judgement, last: Operation) -> Quantity | None:
    """Return the gradient that a `+=` has completed when it is reached for the last time."""
    whole = [q for q in j.quantities.matches(last.value) if q.kind == "total"] if last.part is not None else []
    return next((q for q in whole if q.name in j.repair.reached(last)), whole[0] if whole else None)


def _assigned(j: Judgement, o: Operation) -> str:
    """Return the name that the value of an operation is given on its line, or its expression."""
    text, place = j.trace.nodes[o.node].text, j.line(o)
    for e in j.trace.backward_events:
        named = j.trace.nodes[e.node]
        is_here = e.kind == "note" and e.position > o.index and (named.filename, named.line) == place
        if is_here and np.array_equal(e.ids, o.out):
            text = named.text
            break
    statement = ast.parse(text).body[0]
    return ast.unparse(statement.target) if isinstance(statement, ast.AugAssign) else text


def _places(j: Judgement, q: Quantity) -> list[Place]:
    """Return the places in forward that a gradient belongs to: the expression, or its uses."""
    numbers = [q.node] if q.kind == "total" and q.node >= 0 else q.uses
    if not numbers:
        leaf = j.trace.leaves[q.name][0]
        read = [e for e in j.trace.forward_events if e.ids.size and np.isin(e.ids, leaf).all()]
        numbers = [e.node for e in sorted(read, key=lambda e: e.kind not in ("note", "argument"))][:1]
    nodes = [j.trace.nodes[n] for n in numbers]
    return [Place(n.filename, n.line, n.start, n.end, n.text) for n in nodes]


def _functions(lines: Iterable[tuple[str, int]]) -> Functions:
    """Return where the functions are that have these lines."""
    ran: dict[str, dict[int, None]] = defaultdict(dict)
    for filename, line in lines:
        ran[filename][line] = None
    found: dict[tuple[str, int, int], None] = {}
    for filename, numbers in ran.items():
        tree = ast.parse("".join(linecache.getlines(filename)))
        kinds = ast.FunctionDef | ast.Lambda
        spans = [(n.lineno, n.end_lineno or n.lineno) for n in ast.walk(tree) if isinstance(n, kinds)]
        for line in numbers:
            inside = [span for span in spans if span[0] <= line <= span[1]]
            if inside:
                found[filename, *max(inside)] = None
    return list(found)
