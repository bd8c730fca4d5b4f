"""The suspect: the line of backward that the simplest change makes right, all other lines as they are.

Each line that could be wrong has a cost: that of the simplest change that makes every gradient right, more if the
line computes a gradient already, or reads something that is no gradient (the mistake may be there), less if it then
computes a gradient. The line of least cost is named, and of several the first that runs.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from numpy_rnn.gradient_checking.lines.changes import Correction
from numpy_rnn.gradient_checking.lines.corrections import Corrections, unchanged
from numpy_rnn.gradient_checking.lines.judgement import Judgement
from numpy_rnn.gradient_checking.lines.misplaced import STEP_LEFT_OUT, left_out, loop_around, misplaced
from numpy_rnn.gradient_checking.lines.mistakes import Mistake, mistakes
from numpy_rnn.gradient_checking.lines.quantities import Quantity, close
from numpy_rnn.gradient_checking.lines.tape import Event, Operation

__all__ = ["Found", "candidates", "find_suspect"]

MISTAKE = 2.0  # of a line that computes what forward's tape gives with one mistake
JACOBIAN = 2.1  # of a line for which no change is known: one that computes a derivative of forward,
SPECIAL = 2.8  # one that could not repair other mistakes,
NOT_FOUND = 3.8  # any other
RIGHT = 3.0  # more for a line that computes a gradient already
RIGHT_ARGUMENT = 1.8  # for one that hands over a gradient
READS_WRONG = 1.0  # more for a line that reads what is no gradient
RETURNS = 2.5  # more for a line that only returns a value
SCALES = 0.1  # less for a line that multiplies or divides by a number, if another number is what it takes
SAME_STEP = 0.4  # less if all paths that it has belong to the same step as those that it lacks
SAME_KIND = 0.1  # less if one of them is the same operation, such as a product with another weight
CONTINUED = 0.2  # more if another line goes on with the sum
NAMED = 0.5  # less if it then computes dL/dh, and calls it dh
ZERO_TERM = 0.3  # less for a line that makes zeros where another line adds a term
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
    is_jacobian: bool = False

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
    found += readings(j, corrections)
    for m in misplaced(j, corrections.values):
        found.append(Found(m.cost, m.operation, Correction(m.cost, m.words, unchanged), place=m.place))
    if any(f.cost < NOT_FOUND and f.correction and not j.is_gradient_like(f.operation) for f in found):
        found = [replace(f, cost=f.cost + 1 if f.is_jacobian else f.cost) for f in found]
    return sorted(found, key=lambda f: (f.cost, f.mistake is not None, j.position[id(f.operation)]))


def readings(j: Judgement, corrections: Corrections) -> list[Found]:
    """Return the lines that may read the wrong arrays of forward."""
    groups: dict[int, list[Event]] = defaultdict(list)
    for e in j.trace.groups:
        groups[e.node].append(e)
    made = {number: j.line(o) for o in j.trace.forward for number in o.out.ravel().tolist()}
    places: dict[tuple[str, int], list[list[Event]]] = defaultdict(list)
    for number, read in groups.items():
        place = j.trace.nodes[number].filename, j.trace.nodes[number].line
        if place not in {made.get(n) for _, ids in read[0].items for n in ids.ravel()[:1].tolist()}:
            places[place].append(read)  # otherwise it is a line of forward, in the same function
    found = []
    for place, names in places.items():
        right = [c for read in names for c in corrections.of_reading(read)]
        single = [read for read in names if len(read[0].items) == 1]
        pairs = [(a, b) for a, b in combinations(single, 2) if len(a) == len(b)]
        right += [c for a, b in pairs for c in corrections.of_exchange(a, b)]
        reader = next((o for o in j.trace.backward if o.index >= names[0][0].position), None)
        found += [Found(c.cost, reader, c, place=place) for c in right if reader is not None]
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
    is_argument = operations[0].slot > 0
    extra = (RIGHT_ARGUMENT if is_argument else RIGHT) * is_right
    returns = all(o.passes and not o.slot for o in operations)
    copies = j.line(operations[0]) in j.copying and not operations[0].slot
    found, names, continued = [], j.namesakes(operations[0]), j.is_continued(operations[-1])
    right = corrections.of(operations, every)
    target = next((c.target for c in right if c.target), None)
    wrong = [k for k, o in enumerate(operations) if not target or not close(o.value, target[k].gradient)] or [0]
    for c in right:
        returned = not c.is_part and (returns or (copies and c.target is not None))
        o, cost = operations[wrong[0]], c.cost + (returns * 0.5 if c.is_term else RETURNS * returned)
        cost += 0 if c.is_sum else 0.5 * is_right if is_argument and c.new is not None else extra
        maker = to_blame(corrections, operations, c, confirmed)
        if maker is not None:
            o, cost = maker, c.cost - ZERO_TERM * (c.target is not None)
        reads = j.reads_right_values(maker) if maker else reads_right
        if c.target:
            parts = [(q, t) for o, t in zip(operations, c.target, strict=True) for q in parts_of(j, o, t)]
            cost -= PART[c.target[0].kind] if parts else 0
            cost -= SAME_STEP * any(set(q.times[0]) == lost_times(q, t) for q, t in parts)
            cost -= SAME_KIND * any(j.kinds[q.uses[0]] in lost_kinds(j, q, t) for q, t in parts if q.kind == "use")
            cost += CONTINUED * (bool(parts) and continued)
        becomes = c.target[wrong[0]] if c.target else c.becomes
        if becomes is not None and not continued:
            cost -= NAMED * any(close(becomes.gradient, q.gradient) for q in names)
        is_scaled = c.is_factor and scales(operations[0])
        if reads or is_scaled:
            cost -= CONSISTENT * (c.becomes is not None and not c.target) + SCALES * is_scaled
        elif not (is_right or c.is_operator):
            cost += READS_WRONG * (2 if c.target else 1)
        meant = target[wrong[0]] if target else None
        if meant is not None and meant.kind == "total":
            meant = j.quantities.identify(meant.gradient) or meant
        found.append(Found(cost, o, c, meant))
    if not right and possible and operations[0].node in j.visible and operations[0].given:
        unknown = [o for o in operations if j.is_unknown(o)]
        if not any(uses_gradients):
            unknown = [o for o in operations if not (o.moves and not o.name) and not j.is_known_value(o.value)]
        if unknown:
            cost = SPECIAL if all(map(j.repair.is_special, operations)) else NOT_FOUND
            is_square = unknown[0].value.ndim == 2 and len(set(unknown[0].value.shape)) == 1
            is_jacobian = is_square and not any(uses_gradients)
            cost = cost if any(uses_gradients) else JACOBIAN - is_jacobian
            cost += extra + RETURNS * returns + READS_WRONG * (not reads_right)
            found.append(Found(cost, unknown[0], is_jacobian=is_jacobian))
    return found


def from_mistakes(j: Judgement, wrong_passes: list[Mistake]) -> list[Found]:
    """Return for each mistake the first operation that computes what it should with the mistake."""
    found = []
    for mistake in wrong_passes:
        if mistake.step is not None:
            found += [Found(STEP_LEFT_OUT, o, mistake=mistake, place=loop_around(j, o)) for o in left_out(j)][:1]
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
                or (j.line(o) in j.copying and not o.slot and o.where is None)
            ):
                continue
            every = j.by_place[o.node, o.slot]
            telling = [p for p in every if j.reads_right_values(p)] or every
            if not all(is_right_here(j, p) for p in telling):
                elsewhere = any(p is not o and j.is_whole(p) for p in every)
                cost = MISTAKE + 0.6 * (not j.reads_right_values(o)) + 0.7 * elsewhere
                made = [m for m in j.makers(o) if j.is_gradient_like(m) and can_mend(j, m)]
                if can_mend(j, o) or not made:
                    found.append(Found(cost, o, None, qs[0], mistake))
                else:  # other lines read the same wrong value
                    found.append(Found(cost, made[-1], None, None, mistake))
                break
    return found


def can_mend(j: Judgement, o: Operation) -> bool:
    return j.repair.possible([p for p in j.by_place[o.node, o.slot] if j.repair.influences(p)])


def is_right_here(j: Judgement, o: Operation) -> bool:
    what = j.what[id(o)]
    return what is not None and what.kind == "total" and (o.slot > 0 or not o.moves or j.is_whole(o))


def parts_of(j: Judgement, o: Operation, target: Quantity) -> list[Quantity]:
    """Return what an operation computes, if it lacks some of the uses of a variable that the target has."""
    parts = [q for q in j.quantities.matches(o.value) if q.variable == target.variable and q.kind != "total"]
    return [q for q in parts if set(target.missing) < set(q.missing)]


def lost_times(part: Quantity, target: Quantity) -> set[int]:
    """Return when the uses were reached that a part of a gradient lacks."""
    return {t for node, t in zip(part.missing, part.times[1], strict=True) if node not in target.missing}


def lost_kinds(j: Judgement, part: Quantity, target: Quantity) -> set[str]:
    return {j.kinds[node] for node in part.missing if node not in target.missing}


def to_blame(
    corrections: Corrections, operations: list[Operation], c: Correction, confirmed: set[int]
) -> Operation | None:
    """Return the operation of another line that made what is wrong with an operand, or put its elements in order."""
    j, o = corrections.j, operations[-1]
    if o.passes and not o.slot and c.operand is None:  # what is returned, and another line has written
        makers = [m for m in j.direct_makers(o) if m.given]
        return makers[0] if makers and all(m.where is not None and m.node == makers[0].node for m in makers) else None
    if c.target and o.name in ("add", "iadd"):
        return maker_of_zeros(corrections, operations, c.target)
    if c.operand is None or c.is_part or (c.is_factor and scales(o)):
        return None
    maker = corrections.maker(operations[0], c.operand)
    maker = maker if maker is not None and maker.slot else corrections.maker(o, c.operand)
    if maker is None or j.line(maker) == j.line(o):
        return None
    hands_over_zeros = (bool(maker.slot) or c.cost <= 1.5) and not maker.value.any()
    return maker if hands_over_zeros or (id(maker) not in confirmed and j.depends[maker.out].any()) else None


def maker_of_zeros(corrections: Corrections, operations: list[Operation], target: list[Quantity]) -> Operation | None:
    """Return the operation that made one of two terms, if it is zero whenever their sum is wrong."""
    j, wrong = corrections.j, [o for o, q in zip(operations, target, strict=True) if not close(o.value, q.gradient)]
    for k in range(2):
        makers = [corrections.maker(o, k) for o in wrong]
        maker = makers[0] if wrong and not any(o.given[k].any() for o in wrong) else None
        while maker is not None and maker.moves:
            maker = corrections.maker(maker, 0)
        if maker is not None and len(j.by_place[maker.node, maker.slot]) >= len(wrong):
            return maker
    return None


def scales(o: Operation) -> bool:
    """Whether an operation multiplies or divides by a number."""
    return o.name in ("mul", "truediv", "imul", "itruediv") and any(not np.shape(x) for x in o.given)


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
