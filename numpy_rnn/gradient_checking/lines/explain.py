"""What gradcheck reports about the lines of backward: the suspect, and the gradient that each line computes."""

from __future__ import annotations

import ast
import itertools
import linecache
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from numpy_rnn.gradient_checking.experiment import Experiment
from numpy_rnn.gradient_checking.lines.judgement import Judgement
from numpy_rnn.gradient_checking.lines.lines import Line, Place, Suspect
from numpy_rnn.gradient_checking.lines.naming import best_named, chosen, completed_gradients, consequences
from numpy_rnn.gradient_checking.lines.place import Found
from numpy_rnn.gradient_checking.lines.quantities import Quantity
from numpy_rnn.gradient_checking.lines.suspect import find_suspect
from numpy_rnn.gradient_checking.lines.tape import Operation, TooLarge
from numpy_rnn.gradient_checking.lines.trace import CannotFollow, follow
from numpy_rnn.gradient_checking.lines.words import explanation, name_of, step_of
from numpy_rnn.gradient_checking.tensors import TensorReport

__all__ = ["Explained", "explain"]

MOST_PARTS = 5  # of the wrong gradients, if no single line explains them all

Functions = list[tuple[str, int, int]]  # file, first line, last line
Entry = tuple[str, str | None, tuple[int, ...], list[Quantity]]  # verdict, equals, steps, gradients
Orders = dict[tuple[str, int], dict[int, int | None]]  # file, number of steps: the time step of each operation


@dataclass
class Explained:
    suspect: Suspect | None = None
    lines: list[Line] = field(default_factory=list)
    functions: tuple[Functions, Functions] = ([], [])  # of forward and of backward
    note: str | None = None  # why nothing could be found out


def explain(experiment: Experiment, tensors: dict[str, TensorReport]) -> Explained:
    """Follow forward and backward operation by operation, and judge each line of backward."""
    if not all(np.isfinite(t.analytic).all() for t in tensors.values() if t.analytic is not None):
        return Explained(note="no line is named: backward gives numbers that are not finite")
    with np.errstate(all="ignore"):
        try:
            j = Judgement(follow(experiment, tensors))
        except CannotFollow as reason:
            return Explained(note=f"no line is named: {reason}")
        except TooLarge:
            return Explained(note="no line is named: following every operation takes too long; use smaller shapes")
        wrong = any(tensor.verdict in ("WRONG", "SHAPE") for tensor in tensors.values())
        found, all_wrong = find_suspect(j) if wrong else None, j.repair.wrong
        parts = itertools.islice(j.of_one_mistake(), MOST_PARTS) if wrong and found is None else ()
        for part in parts:
            here = find_suspect(part)
            if here and (found is None or here.is_explained):
                j, found = part, here
                if here.is_explained:
                    break
        lines = _lines(j, found)
        known = [(line.filename, line.line) for line in lines if line.verdict != "not a gradient"]
        functions = _functions(map(j.line, j.trace.forward)), _functions(known)
        rest = [name for name in all_wrong if name not in j.repair.wrong]
        return Explained(_suspect(j, found, rest) if found else None, lines, functions)


def _suspect(j: Judgement, found: Found, rest: list[str]) -> Suspect:
    found = replace(found, target=found.target and best_named(j, found.target))
    filename, line = found.line(j)
    step = step_of(j, found.target) if found.target is not None else None
    return Suspect(filename, line, linecache.getline(filename, line).strip(), step, explanation(j, found, rest))


def _lines(j: Judgement, found: Found | None) -> list[Line]:
    """Return what every line of backward computes that another line reads, or that is returned.

    An expression has several entries if it computes different gradients at different times, or right ones first and
    wrong ones later.
    """
    wrong, after = consequences(j, found) if found is not None else (set(), set())
    orders = _orders(j)
    named = {e.ids.tobytes() for e in j.trace.backward_events if e.kind == "note"}
    lines = []
    for (number, slot), every in j.by_place.items():
        node = j.trace.nodes[number]
        operations = [o for o in every if j.repair.influences(o)]
        is_used = bool(operations)
        operations = operations or [o for o in every if o.out.tobytes() in named]
        if not operations or (is_used and number not in j.visible):
            continue
        if slot or (operations[0].passes and operations[0].moves):
            continue
        place, quantity = (node.filename, node.line), _assigned(j, operations[0])
        source = linecache.getline(*place).strip()
        for verdict, equals, steps, qs in _entries(j, operations, wrong, after, orders):
            if not is_used and verdict == "not a gradient":
                continue
            if verdict == "wrong" and found is not None and found.target is not None:
                qs = [best_named(j, found.target)]  # what it should be
            places = dict.fromkeys(p for q in qs for p in _places(j, q))
            lines.append(Line(*place, source, quantity, equals, steps, verdict, tuple(places)))
    if found is not None and not any(line.verdict == "wrong" for line in lines):
        place = found.line(j)
        source = linecache.getline(*place).strip()
        lines.append(Line(*place, source, source, None, (), "wrong", ()))
    return sorted(dict.fromkeys(lines), key=lambda line: (line.filename, line.line))


def _entries(
    j: Judgement, operations: list[Operation], wrong: set[int], after: set[int], orders: Orders
) -> Iterator[Entry]:
    """Yield the verdicts on one expression, each with the steps to which it applies."""
    completed, adds_up = completed_gradients(j, operations)
    if completed:
        names = ", ".join(dict.fromkeys(name_of(j, q, with_step=False) for q in completed))
        steps = () if adds_up else _steps(step_of(j, q) for q in completed)
        yield "right", "adds up to " * adds_up + names, steps, completed
        if any(id(o) in after for o in operations):  # in a loop over several arrays
            yield "follows from a wrong one", None, (), []
        return
    known = {k: q for k, q in chosen(j, operations).items() if id(operations[k]) not in wrong}
    nonzero = {k for k, o in enumerate(operations) if o.value.any()}
    if known and not adds_up and (wrong or after or nonzero <= known.keys()):
        named: dict[str, list[Quantity]] = defaultdict(list)
        for q in known.values():
            named[name_of(j, q, with_step=len(operations) == 1)].append(q)
        for name, qs in named.items():
            yield "right", name, _steps(step_of(j, q) for q in qs), qs
    else:
        known = {}
    at = _all_steps(j, known, len(operations)) or orders.get((j.line(operations[0])[0], len(operations)), {})
    for verdict, which in (("wrong", wrong), ("follows from a wrong one", after)):
        if ks := [k for k, o in enumerate(operations) if id(o) in which and k not in known]:
            yield verdict, None, _steps(at.get(k) for k in ks), list(known.values())
            return
    if not known:
        yield "not a gradient", None, (), []


def _steps(steps: Iterable[int | None]) -> tuple[int, ...]:
    return tuple(sorted({step for step in steps if step is not None}))


def _all_steps(j: Judgement, known: dict[int, Quantity], count: int) -> dict[int, int | None]:
    """Return the time step of each of `count` operations, if the known ones agree with a loop in either direction."""
    at = {k: s for k, q in known.items() if (s := step_of(j, q)) is not None}
    for steps in (range(count, 0, -1), range(1, count + 1)):
        for offset in (0, -1, 1):
            if at and all(steps[k] + offset == s for k, s in at.items()):
                return {k: s + offset if s + offset > 0 else None for k, s in enumerate(steps)}
    return {}


def _orders(j: Judgement) -> Orders:
    """Return the time steps of the operations in each loop, from a line whose gradients are known."""
    orders: Orders = {}
    for (number, slot), operations in j.by_place.items():
        known = {k: q for k, o in enumerate(operations) for q in j.quantities.matches(o.value)[:1]}
        place = j.trace.nodes[number].filename, len(operations)
        are_whole = not slot and all(q.kind == "total" and not q.name for q in known.values())
        if are_whole and place not in orders and (steps := _all_steps(j, known, len(operations))):
            orders[place] = steps
    return orders


def _assigned(j: Judgement, o: Operation) -> str:
    """Return the name that the value of an operation is given on its line, or its expression."""
    text = j.assigned(o) or j.trace.nodes[o.node].text
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
    ends = [n.start + len(n.text) if n.text.isidentifier() else n.end for n in nodes]  # an argument without its type
    return [Place(n.filename, n.line, n.start, end, n.text) for n, end in zip(nodes, ends, strict=True)]


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
    return [f for f in found if not any(f != g and f[0] == g[0] and g[1] <= f[1] and f[2] <= g[2] for g in found)]
