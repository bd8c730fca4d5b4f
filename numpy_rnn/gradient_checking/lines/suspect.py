"""The suspect: the line of backward that the simplest change makes right, all other lines as they are.

Each line that could be wrong has a cost: that of the simplest change that makes every gradient right, more if the
line computes a gradient already, or reads something that is no gradient (the mistake may be there), less if it then
computes a gradient. The line of least cost is named, and of several the first that runs.
"""

from __future__ import annotations

import ast
import linecache
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from numpy_rnn.gradient_checking.lines.changes import Correction
from numpy_rnn.gradient_checking.lines.corrections import Corrections, unchanged
from numpy_rnn.gradient_checking.lines.judgement import Judgement
from numpy_rnn.gradient_checking.lines.mistakes import Mistake, mistakes, step_count
from numpy_rnn.gradient_checking.lines.quantities import Quantity, close
from numpy_rnn.gradient_checking.lines.tape import Event, Operation

__all__ = ["Found", "candidates", "find_suspect"]

LEFT_OUT = 0.5  # the cost of a loop that leaves out a step
MISPLACED = 2.3  # of a line that stores the right values in the wrong places
MISTAKE = 2.0  # of a line that computes what forward's tape gives with one mistake
JACOBIAN = 2.1  # of a line for which no change is known: one that computes a derivative of forward,
SPECIAL = 2.8  # one that could not repair other mistakes,
NOT_FOUND = 3.8  # any other
RIGHT = 3.0  # more for a line that computes a gradient already
READS_WRONG = 1.0  # more for a line that reads what is no gradient
RETURNS = 2.5  # more for a line that only returns a value
CONSISTENT = 0.6  # less if the changed line computes a gradient
PART = {"total": 0.8, "use": 2.0, "sum": 2.0}  # less if it computes a part of the gradient that it should


@dataclass
class Found:
    """An operation, what may be wrong with it, and the gradient that it should compute, if these are known."""

    cost: float
    operation: Operation
    correction: Correction | None = None
    target: Quantity | None = None
    mistake: Mistake | None = None
    place: tuple[str, int] | None = None  # where, if it is not at the operation

    def line(self, j: Judgement) -> tuple[str, int]:
        return self.place or j.line(self.operation)


def find_suspect(j: Judgement) -> Found | None:
    """Return the likeliest operation, with all that is known of its line."""
    found = of_another_shape(j) or candidates(j)
    if not found:
        return None
    best = found[0]
    here = [f for f in found if f.line(j) == best.line(j) and f.cost < best.cost + 2]
    first = next((f for f in here if f.target is not None and f.operation is best.operation), best)
    reason = next((f.correction for f in here if f.correction and not f.correction.target), None)
    o = first.operation
    is_once = len(j.by_place[o.node, o.slot]) == 1
    if is_once and reason and reason.becomes and reason.becomes.kind == "total" and reason.cost < 3:
        first = replace(first, target=reason.becomes)
    return replace(
        first, correction=reason, mistake=next((f.mistake for f in here if f.mistake), None), place=best.place
    )


def candidates(j: Judgement) -> list[Found]:
    """Return the operations that may be wrong, the likeliest first."""
    corrections = Corrections(j)
    found = from_mistakes(j, mistakes(j.trace, j.quantities, corrections.values.sizes))
    confirmed = j.confirmed()
    for every in j.by_place.values():
        operations = [o for o in every if j.repair.influences(o)]
        if operations:
            found += at_place(j, corrections, operations, every, confirmed)
    groups: dict[int, list[Event]] = defaultdict(list)
    for g in j.trace.groups:
        groups[g.node].append(g)
    for read in groups.values():
        readers = [o for o in j.trace.backward if o.index >= read[0].position]
        node = j.trace.nodes[read[0].node]
        for c in corrections.of_reading(read) if readers else ():
            found.append(Found(c.cost, readers[0], c, place=(node.filename, node.line)))
    found += misplaced(j)
    return sorted(found, key=lambda f: (f.cost, j.position[id(f.operation)]))


def misplaced(j: Judgement) -> list[Found]:
    """Return the line that writes the right values to the wrong places, or puts them in the wrong order."""
    found = []
    for name, ids in j.trace.finals.items():
        value, true = j.trace.values[name], j.trace.of_tensor(name, j.quantities.g)
        made = np.unique(j.made_by[ids])
        places = {j.trace.backward[k].node for k in made if k >= 0}
        if value.shape != true.shape or len(places) != 1 or close(value, true):
            continue
        for axis in (a for a, n in enumerate(true.shape) if n > 2):
            rows, right = (list(np.moveaxis(a, axis, 0)) for a in (value, true))
            if sum(any(row.any() and close(row, r) for r in right) for row in rows) >= len(rows) - 1:
                words = "the values are right, but in the wrong places: the order of the steps, or an index"
                last = j.trace.backward[made[-1]]
                while last.passes and j.read_by[j.position[id(last)]]:
                    last = j.trace.backward[j.read_by[j.position[id(last)]][-1]]
                found.append(Found(MISPLACED, last, Correction(MISPLACED, words, unchanged)))
                break
    return found


def at_place(
    j: Judgement, corrections: Corrections, operations: list[Operation], every: list[Operation], confirmed: set[int]
) -> list[Found]:
    """Return what may be wrong with the operations of one place in the source."""
    possible, uses_gradients = j.repair.possible(operations), [j.is_gradient_like(o) for o in operations]
    if all(uses_gradients) and not possible:
        return []
    is_right = all(id(o) in confirmed for o in operations)
    suspicious = [o for o in operations if not j.is_whole(o)] or operations
    reads_right = any(j.reads_right_values(o) for o in suspicious if o.value.any() or len(suspicious) == 1)
    extra = 0.5 if is_right and operations[0].slot else RIGHT * is_right
    returns = all(o.passes and not o.slot for o in operations)
    found = []
    right = corrections.of(operations, every)
    target = next((c.target for c in right if c.target), None)
    wrong = [k for k, o in enumerate(operations) if not target or not close(o.value, target[k].gradient)] or [0]
    for c in right:
        o, cost = operations[wrong[0]], c.cost + extra + returns * (0.5 if c.is_term else RETURNS)
        maker = to_blame(corrections, operations, c, confirmed)
        if maker is not None:
            o, cost = maker, c.cost
        reads = j.reads_right_values(maker) if maker else reads_right
        if c.target and any(map(lambda p, t: is_part(j, p, t), operations, c.target)):
            cost -= PART[c.target[0].kind]
        if reads:
            cost -= CONSISTENT * (c.becomes is not None and not c.target)
        elif not (is_right or c.is_operator):
            cost += READS_WRONG * (2 if c.target else 1)
        meant = target[wrong[0]] if target else None
        if meant is not None and meant.kind == "total":
            meant = j.quantities.identify(meant.gradient) or meant
        found.append(Found(cost, o, c, meant))
    if not right and possible and operations[0].node in j.visible and operations[0].given:
        unknown = [o for o in operations if j.is_unknown(o)]
        if not any(uses_gradients):
            unknown = [o for o in operations if not (o.moves and o.where is None) and not j.is_known_value(o.value)]
        if unknown:
            cost = SPECIAL if all(map(j.repair.is_special, operations)) else NOT_FOUND
            cost = cost if any(uses_gradients) else JACOBIAN
            found.append(Found(cost + extra + RETURNS * returns + READS_WRONG * (not reads_right), unknown[0]))
    return found


def from_mistakes(j: Judgement, wrong_passes: list[Mistake]) -> list[Found]:
    """Return for each mistake the first operation that computes what it should with the mistake."""
    found = []
    for mistake in wrong_passes:
        if mistake.step is not None:
            found += left_out(j, mistake)
            continue
        changed: dict[tuple[int, ...], list[Quantity]] = defaultdict(list)
        for q in j.quantities.all:
            if q.ids is not None and not close(q.gradient, mistake.gradient[q.ids]):
                changed[q.gradient.shape].append(q)
        for o in j.trace.backward:
            qs = [q for q in changed[o.value.shape] if close(o.value, mistake.gradient[q.ids])]
            if (
                not qs
                or not o.value.any()
                or not j.repair.influences(o)
                or o.node not in j.visible
                or (o.passes and not o.slot)
            ):
                continue
            every = j.by_place[o.node, o.slot]
            telling = [p for p in every if j.reads_right_values(p)] or every
            if not all(is_right_here(j, p) for p in telling):
                elsewhere = any(p is not o and j.is_whole(p) for p in every)
                cost = MISTAKE + 0.6 * (not j.reads_right_values(o)) + 0.7 * elsewhere
                found.append(Found(cost, o, None, qs[0], mistake))
                break
    return found


def is_right_here(j: Judgement, o: Operation) -> bool:
    what = j.what[id(o)]
    return what is not None and what.kind == "total" and (o.slot > 0 or not o.moves or j.is_whole(o))


def left_out(j: Judgement, mistake: Mistake) -> list[Found]:
    """Return the loop that leaves out a step: around operations of backward that run once less than forward's."""
    steps = step_count(j.trace) - 1
    for (number, _), operations in j.by_place.items():
        node = j.trace.nodes[number]
        if len(operations) == steps:
            tree = ast.parse("".join(linecache.getlines(node.filename)))
            loops = [
                n for n in ast.walk(tree) if isinstance(n, ast.For) and n.lineno <= node.line <= (n.end_lineno or 0)
            ]
            if loops:
                place = node.filename, max(n.lineno for n in loops)
                return [Found(LEFT_OUT, operations[0], mistake=mistake, place=place)]
    return []


def is_part(j: Judgement, o: Operation, target: Quantity) -> bool:
    """Whether an operation computes a gradient that lacks some of the uses of a variable that the target has."""
    parts = [q for q in j.quantities.matches(o.value) if q.variable == target.variable and q.kind != "total"]
    return any(set(target.missing) < set(q.missing) for q in parts)


def to_blame(
    corrections: Corrections, operations: list[Operation], c: Correction, confirmed: set[int]
) -> Operation | None:
    """Return the operation of another line that made what is wrong with an operand, or put its elements in order."""
    j, o = corrections.j, operations[-1]
    if c.is_order and o.passes:
        makers = [j.trace.backward[k] for k in j.read_by[j.position[id(o)]]]
        return makers[0] if makers and all(m.where is not None and m.node == makers[0].node for m in makers) else None
    if c.operand is None:
        return None
    maker = corrections.maker(operations[0], c.operand)
    maker = maker if maker is not None and maker.slot else corrections.maker(o, c.operand)
    if maker is None or j.line(maker) == j.line(o):
        return None
    hands_over_zeros = bool(maker.slot) and not maker.value.any()
    return maker if hands_over_zeros or (id(maker) not in confirmed and j.is_gradient_like(maker)) else None


def of_another_shape(j: Judgement) -> list[Found]:
    """Return the line that made a gradient of a wrong shape."""
    for name, ids in j.trace.finals.items():
        k = int(j.made_by[ids].max(initial=-1))
        if ids.shape != j.trace.shapes[name] and k >= 0:
            o = j.trace.backward[k]
            while o.passes and int(j.made_by[o.columns].max(initial=-1)) >= 0:
                o = j.trace.backward[int(j.made_by[o.columns].max())]
            return [Found(0, o, None, next((q for q in j.quantities.all if q.name == name), None))]
    return []
