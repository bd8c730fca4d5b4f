"""The suspect: the line of backward whose correction is the simplest."""

from __future__ import annotations

import ast
import linecache
from dataclasses import dataclass, replace

import numpy as np

from numpy_rnn.gradient_checking.lines.corrections import Correction, Corrections
from numpy_rnn.gradient_checking.lines.judgement import Judgement
from numpy_rnn.gradient_checking.lines.mistakes import Mistake, mistakes, step_count
from numpy_rnn.gradient_checking.lines.quantities import Quantity, close
from numpy_rnn.gradient_checking.lines.tape import Group, Operation

__all__ = ["Found", "candidates", "find_suspect"]

MISTAKE = 1.6  # the cost of a line that computes what forward's tape gives with one mistake
JACOBIAN = 2.1
SPECIAL = 2.5
NOT_FOUND = 3.8  # the cost of a line for which no correction is known, but some value would make everything right
RIGHT = 3.0  # more for a line that computes a gradient already
PASSES = 2.5  # more for a line that only returns or hands on a value


@dataclass
class Found:
    """An operation, what may be wrong with it, and the gradient that it should compute, if these are known."""

    cost: float
    operation: Operation
    correction: Correction | None = None
    target: Quantity | None = None
    is_right: bool = False
    mistake: Mistake | None = None
    place: tuple[str, int] | None = None  # where, if it is not at the operation

    def line(self, j: Judgement) -> tuple[str, int]:
        return self.place or j.line(self.operation)


def find_suspect(j: Judgement) -> Found | None:
    """Return the likeliest operation, with all that is known of its line."""
    found = candidates(j) if j.repair.size else of_another_shape(j)
    if not found:
        return None
    here = [f for f in found if f.line(j) == found[0].line(j) and f.cost < found[0].cost + 2]
    first = next((f for f in here if f.target is not None and f.operation is found[0].operation), found[0])
    reason = next((f.correction for f in here if f.correction and not f.correction.target), None)
    return replace(first, correction=reason, mistake=next((f.mistake for f in here if f.mistake), None), place=found[0].place)


def candidates(j: Judgement) -> list[Found]:
    """Return the operations that may be wrong, the likeliest first."""
    corrections, found = Corrections(j), []
    wrong_passes = mistakes(j.trace, j.quantities, corrections.sizes)
    found += from_mistakes(j, wrong_passes)
    confirmed = confirmed_operations(j)
    for every in j.by_place.values():
        operations = [o for o in every if j.repair.influences(o)]
        if not operations:
            continue
        possible = j.repair.possible(operations)
        if all(map(j.is_gradient_like, operations)) and not possible:
            continue
        is_right = all(id(o) in confirmed for o in operations)
        wrong = [o for o in operations if not is_whole(j, o)] or operations
        reads_right = any(reads_right_values(j, o) for o in wrong if o.value.any() or len(wrong) == 1)
        extra = 0.5 if is_right and operations[0].slot else RIGHT * is_right
        is_return = all(o.passes and not o.slot for o in operations)
        right = corrections.of(operations, every)
        target = next((c.target for c in right if c.target), None)
        for c in right:
            wrong = [k for k, o in enumerate(operations) if not target or not close(o.value, target[k].gradient)]
            o, cost = operations[wrong[0] if wrong else 0], c.cost + extra
            cost += is_return * (0.5 if "path through" in c.words else PASSES)
            if c.target and any(is_part_of(q, t) for p, t in zip(operations, c.target, strict=True) for q in j.quantities.matches(p.value)):
                cost -= 0.8 if c.target[0].kind == "total" else 2
            maker = to_blame(corrections, operations, c, confirmed)
            if maker is not None:
                o, cost = maker, c.cost
            explicit = c.words.endswith(("in place of `+`", "in place of `-`"))
            reads = reads_right_values(j, maker) if maker else reads_right
            if is_right or explicit or reads:
                cost -= 0.6 * (c.becomes is not None and not c.target and reads)
            else:
                cost += 2 if c.target else 1
            found.append(Found(cost, o, c, target[wrong[0] if wrong else 0] if target else None, is_right))
        if not right and possible and j.is_visible(operations[0].node) and operations[0].given:
            unknown = [o for o in operations if j.is_unknown(o)] or [o for o in operations if j.loses(o)]
            if not unknown and not any(map(j.is_gradient_like, operations)):
                unknown = [o for o in operations if (not o.moves or o.where is not None) and not j.is_known_value(o.value)]
            if unknown:
                cost = SPECIAL if all(map(j.repair.is_special, operations)) else NOT_FOUND
                cost = cost if any(map(j.is_gradient_like, operations)) else JACOBIAN
                found.append(Found(cost + extra + PASSES * is_return + (not reads_right), unknown[0], None, None, is_right))
    groups: dict[int, list[Group]] = {}
    for g in j.trace.groups:
        groups.setdefault(g.node, []).append(g)
    for every in groups.values():
        readers = [o for o in j.trace.backward if o.index >= every[0].position]
        for c in corrections.of_reading(every) if readers else ():
            node = j.trace.nodes[every[0].node]
            found.append(Found(c.cost, readers[0], c, place=(node.filename, node.line)))
    return sorted(found, key=lambda f: (f.cost, j.position[id(f.operation)]))


def from_mistakes(j: Judgement, wrong_passes: list[Mistake]) -> list[Found]:
    """Return for each mistake the first operation that computes what it should with the mistake."""
    found = []
    for mistake in wrong_passes:
        if mistake.step is not None:
            found += left_out(j, mistake)
            continue
        changed = [q for q in j.quantities.all if q.ids is not None and not close(q.gradient, mistake.gradient[q.ids])]
        for o in j.trace.backward:
            is_right = all(is_right_here(j, p) for p in j.by_place[o.node, o.slot])
            if j.repair.influences(o) and j.is_visible(o.node) and not (o.passes and not o.slot) and not is_right:
                q = next((q for q in changed if q.gradient.shape == o.value.shape and close(o.value, mistake.gradient[q.ids])), None)
                if q is not None:
                    others = [p for p in j.by_place[o.node, o.slot] if p is not o and is_whole(j, p)]
                    extra = 0.6 * (not reads_right_values(j, o)) + 0.7 * bool(others)
                    found.append(Found(MISTAKE + extra, o, None, q, mistake=mistake))
                    break
    return found


def is_right_here(j: Judgement, o: Operation) -> bool:
    what = j.what[id(o)]
    return what is not None and what.kind == "total" and (o.slot > 0 or not o.moves or is_whole(j, o))


def left_out(j: Judgement, mistake: Mistake) -> list[Found]:
    """Return the loop that leaves out a step: around operations of backward that run once less than forward's."""
    steps = step_count(j.trace) - 1
    for (number, _), operations in j.by_place.items():
        node = j.trace.nodes[number]
        if len(operations) == steps:
            tree = ast.parse("".join(linecache.getlines(node.filename)))
            loops = [n for n in ast.walk(tree) if isinstance(n, ast.For) and n.lineno <= node.line <= (n.end_lineno or 0)]
            if loops:
                return [Found(0.5, operations[0], mistake=mistake, place=(node.filename, max(n.lineno for n in loops)))]
    return []


def is_part_of(q: Quantity, target: Quantity) -> bool:
    """Whether a gradient lacks some of the uses of a variable that another one has."""
    return q.variable == target.variable and q.kind != "total" and set(target.missing) < set(q.missing)


def to_blame(corrections: Corrections, operations: list[Operation], c: Correction, confirmed: set[int]) -> Operation | None:
    """Return the operation of another line that made what is wrong with an operand, or put its elements in order."""
    j, o = corrections.j, operations[-1]
    if c.is_order and o.passes:
        makers = [j.trace.backward[k] for k in np.unique(j.made_by[o.columns]) if k >= 0]
        return makers[0] if makers and all(m.where is not None and m.node == makers[0].node for m in makers) else None
    if c.operand is None:
        return None
    maker = corrections._maker(operations[0], c.operand)
    maker = maker if maker is not None and maker.slot else corrections._maker(o, c.operand)
    if maker is None or j.line(maker) == j.line(o):
        return None
    if maker.slot and not maker.value.any():  # zeros are handed over
        return maker
    if id(maker) in confirmed or not j.is_gradient_like(maker):
        return None
    return maker


def confirmed_operations(j: Judgement) -> set[int]:
    """Return the operations that are right: they compute a whole gradient every time, or serve those only that do.

    Those that read something wrong do not count.
    """
    confirmed: set[int] = set()
    for every in j.by_place.values():
        operations = [o for o in every if j.repair.influences(o)]
        telling = [o for o in operations if reads_right_values(j, o)]
        if any(is_whole(j, o) for o in telling) and all(is_whole(j, o) or not o.value.any() for o in telling):
            confirmed |= {id(o) for o in operations}
    readers: dict[int, list[int]] = {}
    for k, made in enumerate(j.read_by):
        for maker in made:
            readers.setdefault(maker, []).append(k)
    whole = [is_whole(j, o) and j.is_visible(o.node) for o in j.trace.backward]
    ends = set(np.unique(j.made_by[j.repair.ids]).tolist())
    for k in range(len(whole) - 1, -1, -1):
        if k in readers and k not in ends and all(whole[r] for r in readers[k]):
            whole[k] = True
            confirmed.add(id(j.trace.backward[k]))
    return confirmed


def is_whole(j: Judgement, o: Operation) -> bool:
    """Whether an operation computes a whole gradient, and does not only give another name to one."""
    what = j.what[id(o)]
    if what is None or what.kind != "total" or j.passed_on[o.out].all() or j.is_double(o):
        return False
    if o.slot and o.passes:
        return True
    if o.moves:
        makers = j.read_by[j.position[id(o)]]
        return any(j.line(m) == j.line(o) and is_whole(j, m) for m in (j.trace.backward[k] for k in makers))
    return not any(x.shape == o.value.shape and np.array_equal(x, o.value) for x in o.given)


def reads_right_values(j: Judgement, o: Operation) -> bool:
    """Whether the gradients that the line of an operation reads are right."""
    return all(j.what[id(m)] is not None or not m.value.any() for m in j.makers(o) if j.is_gradient_like(m))


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
