"""The suspect: the line of backward that the simplest change makes right, all other lines as they are.

Each line that could be wrong has a cost: that of the simplest change that makes every gradient right, more if the
line computes a gradient already, or reads something that is no gradient (the mistake may be there), less if it then
computes a gradient. The line of least cost is named, and of several the first that runs.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import combinations

from numpy_rnn.gradient_checking.lines.changes import Correction
from numpy_rnn.gradient_checking.lines.corrections import Corrections, unchanged
from numpy_rnn.gradient_checking.lines.judgement import Judgement
from numpy_rnn.gradient_checking.lines.misplaced import STEP_LEFT_OUT, left_out, loop_around, misplaced
from numpy_rnn.gradient_checking.lines.mistakes import Mistake, mistakes
from numpy_rnn.gradient_checking.lines.place import NOT_FOUND, Found, Place
from numpy_rnn.gradient_checking.lines.quantities import Quantity, close
from numpy_rnn.gradient_checking.lines.tape import Event, Operation

__all__ = ["Found", "candidates", "find_suspect"]

MISTAKE = 2.0  # the cost of a line that computes what forward's tape gives with one mistake
UNSURE = 0.6  # more if it reads what is no gradient
ELSEWHERE = 0.7  # more if it computes a gradient at other times


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
            found += Place(corrections, operations, every, confirmed).found()
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
                or (j.line(o) in j.copying and o.where is None)
            ):
                continue
            every = j.by_place[o.node, o.slot]
            telling = [p for p in every if j.reads_right_values(p)] or every
            if not all(is_right_here(j, p) for p in telling):
                elsewhere = any(p is not o and j.is_whole(p) for p in every)
                cost = MISTAKE + UNSURE * (not j.reads_right_values(o)) + ELSEWHERE * elsewhere
                made = [m for m in j.makers(o) if j.is_gradient_like(m) and can_mend(j, m)]
                if o.moves and (source := j.source_of_error(o, qs[0].gradient)) is not None:
                    found.append(Found(cost, source[0], None, source[1], mistake))
                elif can_mend(j, o) or not made:
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
