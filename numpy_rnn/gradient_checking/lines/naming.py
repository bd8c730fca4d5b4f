"""Which of the gradients that a line of backward may compute is named in the report, and what follows from a mistake.

The same numbers may be the gradient of several things: of z and of x @ W in z = x @ W + b, of sigmoid's argument and
of what the caller passes. And the same line may compute different gradients at different times.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Hashable

import numpy as np

from numpy_rnn.gradient_checking.lines.judgement import Judgement
from numpy_rnn.gradient_checking.lines.place import Found
from numpy_rnn.gradient_checking.lines.quantities import Quantity
from numpy_rnn.gradient_checking.lines.tape import Operation

__all__ = ["best_named", "chosen", "completed_gradients", "consequences", "owner", "plain"]


def chosen(j: Judgement, operations: list[Operation]) -> dict[int, Quantity]:
    """Return the gradient that each operation computes: of as few expressions as possible."""
    waiting: dict[int, dict[Hashable, Quantity]] = {}
    for k, o in enumerate(operations):
        matches = [q for q in j.quantities.matches(o.value) if q.name or q.node not in q.uses]
        kind = min((q.kind for q in matches), key=("total", "use", "sum").index, default="")
        waiting[k] = {_key(q): q for q in reversed(matches) if q.kind == kind}
    found: dict[int, Quantity] = {}
    while any(waiting.values()):
        counts = Counter(key for options in waiting.values() for key in options)
        first = {key: q for options in waiting.values() for key, q in options.items()}
        best = max(counts, key=lambda key: (bool(first[key].name), counts[key], _rank(j, first[key])))
        found |= {k: options[best] for k, options in waiting.items() if best in options}
        waiting = {k: options for k, options in waiting.items() if best not in options}
    return dict(sorted(found.items()))


def owner(j: Judgement, q: Quantity) -> Quantity:
    """Return the whole gradient of which q is a part; q itself unless it has only the name of what is returned."""
    if q.kind == "total" or q.node < 0 or not (_is_tuple(j, q) or j.trace.nodes[q.node].text.startswith("return ")):
        return q
    wholes = [p for p in j.quantities.all if p.kind == "total" and p.variable == q.variable]
    return max(wholes, key=lambda p: _rank(j, p), default=q)


def best_named(j: Judgement, q: Quantity) -> Quantity:
    """Return the same gradient under the name that `chosen` prefers."""
    same = [p for p in j.quantities.matches(q.gradient) if (p.kind, p.name) == ("total", "")]
    return max(same, key=lambda p: _rank(j, p), default=q) if q.kind == "total" and not q.name else q


def _key(q: Quantity) -> Hashable:
    return q.kind, q.name or (q.node if q.kind == "total" else -1), tuple(q.uses)


def plain(text: str) -> str:
    """Return the expression of `return ...`."""
    return text.removeprefix("return ").strip()


def _rank(j: Judgement, q: Quantity) -> tuple[bool, bool, int, bool, int]:
    """Prefer tensors, what is not in a function that is called several times, the first name, the last operation.

    What is returned together with other values comes last.
    """
    calls = len(j.quantities.families[q.kind, q.scale, q.node, q.name, q.gradient.ndim]) if q.kind == "total" else 0
    notes = (k for k, e in enumerate(j.trace.forward_events) if e.kind == "note")
    named = [k for k in notes if (j.trace.forward_events[k].node, j.trace.forward_events[k].time) == (q.node, q.time)]
    return bool(q.name), not _is_tuple(j, q), -calls, bool(named), -min(named) if named else q.node


def _is_tuple(j: Judgement, q: Quantity) -> bool:
    text = plain(j.trace.nodes[q.node].text) if q.node >= 0 else ""
    return text.startswith("(") and isinstance(ast.parse(text, mode="eval").body, ast.Tuple)


def completed_gradients(j: Judgement, operations: list[Operation]) -> tuple[list[Quantity], bool]:
    """Return the gradients that `+=` has completed when it is reached for the last time, and whether it adds up."""
    last: dict[int, Operation] = {}
    for o in operations:
        write = _write(j, o)
        last[id(write.where[0]) if write else id(o)] = o
    of_loop = len(last) < len(operations) or any(_continues(j, o, operations) for o in operations)
    if len(operations) > 1 and not of_loop and not _write(j, operations[0]):
        return [], False
    found = []
    for o in last.values():
        write = _write(j, o)
        if not j.trace.nodes[o.node].adds and write is None:
            continue
        value = np.array(write.where[0]) if write else o.value
        is_final = write is None or _is_last_write(write)
        matches = [q for q in j.quantities.matches(value) if q.kind == "total"] if is_final else []
        reached = j.repair.reached(o)
        if write is None and o is not operations[-1]:  # may be a sum of some steps, which happens to be a gradient
            matches = [q for q in matches if q.name in reached]
        if matches:
            found.append(max(matches, key=lambda q: (q.name in reached, _rank(j, q))))
        elif o is operations[-1]:
            return [], of_loop
    return found, of_loop or any(j.trace.nodes[o.node].adds for o in operations)


def _continues(j: Judgement, o: Operation, operations: list[Operation]) -> bool:
    """Whether an operation reads what it, or an operation of the same place, computed before."""
    before = {j.position[id(p)] for p in operations}
    return not before.isdisjoint(j.read_by[j.position[id(o)]])


def _write(j: Judgement, o: Operation) -> Operation | None:
    """Return the assignment of `x[k] += ...`, if o is its addition."""
    writes = (w for w in j.by_place.get((o.node, 1), ()) if w.index > o.index and w.where)
    write = next(writes, None) if not o.slot else None
    return write if write and isinstance(write.where[0], np.ndarray) else None


def _is_last_write(write: Operation) -> bool:
    """Whether the part that was written to has not been changed since then."""
    array, index = write.where
    return np.array_equal(array if array.shape == write.value.shape else array[index], write.value)


def consequences(j: Judgement, found: Found) -> tuple[set[int], set[int]]:
    """Return the operations on the suspect's line that are wrong, and those that read what they compute."""
    first, line = found.operation, found.line(j)
    wrong: set[int] = set()
    after: set[int] = set()
    for o, read in zip(j.trace.backward, j.read_by, strict=True):
        makers = {id(j.trace.backward[k]) for k in read}
        starts = o.node == first.node and o.slot == first.slot and o.index >= first.index
        if (starts or makers & wrong or found.place == line) and j.line(o) == line and o.index >= first.index:
            wrong.add(id(o))
        elif starts or makers & (wrong | after):
            after.add(id(o))
    return wrong, after
