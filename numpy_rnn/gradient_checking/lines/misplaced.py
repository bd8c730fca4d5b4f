"""Right values in the wrong places: another order, a wrong index, a loop that leaves something out."""

from __future__ import annotations

import ast
import linecache
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.lines.changes import listed
from numpy_rnn.gradient_checking.lines.judgement import Judgement
from numpy_rnn.gradient_checking.lines.mistakes import step_count
from numpy_rnn.gradient_checking.lines.quantities import close
from numpy_rnn.gradient_checking.lines.series import Values
from numpy_rnn.gradient_checking.lines.tape import Operation

__all__ = ["Misplaced", "left_out", "misplaced"]

STEP_LEFT_OUT = 0.5  # the cost of a loop that runs once less than that of forward
EXCHANGED = 1.0  # of a line that returns the gradients in another order
INDEX_LEFT_OUT = 1.5  # of a loop that leaves out an index of what it reads
WRONG_INDEX = 1.5  # of a line that writes to the wrong elements
WRONG_ORDER = 2.3  # of a line that stores the rows of a gradient in another order
OTHER_INTEGER = 1.5  # of a line that computes another index or mask than forward does under its name
TOO_SMALL = 2.5  # of a line that makes too small an array, which broadcasting spreads


@dataclass
class Misplaced:
    cost: float
    words: str
    operation: Operation
    place: tuple[str, int] | None = None  # if it is not the line of the operation


def misplaced(j: Judgement, values: Values) -> Iterator[Misplaced]:
    yield from wrong_order(j)
    yield from wrong_index(j, values.sizes)
    yield from exchanged(j, values)
    yield from index_left_out(j)
    yield from too_small(j)
    yield from other_integers(j)


def wrong_order(j: Judgement) -> Iterator[Misplaced]:
    """Yield the line that writes the rows of a gradient to the wrong places."""
    for name, ids in j.trace.finals.items():
        value, true = j.trace.values[name], j.trace.of_tensor(name, j.quantities.g)
        made = np.unique(j.made_by[ids])
        places = {j.trace.backward[k].node for k in made if k >= 0}
        if value.shape != true.shape or len(places) != 1 or close(value, true):
            continue
        for axis in (a for a, n in enumerate(true.shape) if n > 2):
            rows, right = (list(np.moveaxis(a, axis, 0)) for a in (value, true))
            if sum(any(row.any() and close(row, r) for r in right) for row in rows) >= len(rows) - 1:
                last = j.trace.backward[made[-1]]
                while last.passes and j.direct_makers(last):
                    last = j.direct_makers(last)[-1]
                words = "the values are right, but in the wrong places: the order of the steps, or an index"
                yield Misplaced(WRONG_ORDER, words, last)
                break


def wrong_index(j: Judgement, sizes: list[int]) -> Iterator[Misplaced]:
    """Yield the line that writes the right values to the wrong elements of what is a gradient, or n times one."""
    for o in j.trace.backward:
        if o.where is None or o.overwritten is None or not j.repair.possible([o]):
            continue
        array, index = np.array(o.where[0]), o.where[1]
        before = o.overwritten[0]
        is_whole = before.shape == o.value.shape == array.shape
        array = o.value if is_whole else array
        written = np.zeros_like(array)
        written[index] = array[index] - before[index] if is_whole else array[index]
        for q in (q for q in j.quantities.all if q.kind == "total" and q.gradient.shape == array.shape):
            for n in (1, *sizes):
                wanted = n * q.gradient - (array - written)
                if close(np.sort(wanted, axis=None), np.sort(written, axis=None)) and not close(wanted, written):
                    words = "the values are right, but they belong to other elements of the array: the index is wrong"
                    yield Misplaced(WRONG_INDEX, words, o)


def exchanged(j: Judgement, values: Values) -> Iterator[Misplaced]:
    """Yield the line that returns the right gradients in the wrong order."""
    true = {name: j.trace.of_tensor(name, j.quantities.g) for name in j.trace.finals}
    owners: dict[str, str] = {}  # whose gradient it is that a tensor gets
    for name, gradient in true.items():
        value = j.trace.values[name]
        if value.shape != gradient.shape or not close(value, gradient):
            same = [n for n, t in true.items() if n != name and t.shape == value.shape and close(value, t)]
            if not same:
                return
            owners[name] = same[0]
    for name, owner in list(owners.items())[:1]:
        found = None
        k = int(j.made_by[j.trace.finals[name]].max(initial=-1))
        while k >= 0:
            o = j.trace.backward[k]
            if o.passes and not o.slot:
                found = o
                if owner in values.name(o.inputs[0], o.index):
                    break  # a right name goes to the wrong place
            k = max(j.read_by[k], default=-1)
        if found is not None:
            yield Misplaced(EXCHANGED, f"the gradients of {name} and {owner} are right, but exchanged", found)


def left_out(j: Judgement) -> Iterator[Operation]:
    """Yield an operation of a loop of backward that runs once less than that of forward."""
    steps = step_count(j.trace) - 1
    yield from (each[0] for each in j.by_place.values() if len(each) == steps and loop_around(j, each[0]))


def loop_around(j: Judgement, o: Operation) -> tuple[str, int] | None:
    node = j.trace.nodes[o.node]
    loops = node.loops()
    return (node.filename, loops[-1].lineno) if loops else None


def index_left_out(j: Judgement) -> Iterator[Misplaced]:
    """Yield the loop that leaves out an index of an array, unless another line reads just that."""
    nodes, events = j.trace.nodes, j.trace.backward_events
    arrays = {(nodes[e.node].function, nodes[e.node].text): e.ids for e in events}
    read: dict[int, list[Array]] = defaultdict(list)
    for e in events:
        if e.kind == "read" and j.depends[e.ids].any():
            read[e.node].append(e.ids.ravel())
    for number, parts in read.items():
        node = nodes[number]
        ids = arrays.get((node.function, node.text.partition("[")[0]))
        if ids is None:
            continue
        for axis, name in enumerate(index_names(node.text)[: ids.ndim]):
            rows = [np.moveaxis(np.isin(ids, np.concatenate(p)), axis, 0) for p in (parts, *read.values())]
            mine, *others = (np.asarray(r.reshape(len(r), -1).any(axis=1)) for r in rows)
            loops = [loop for loop in node.loops() if ast.unparse(loop.target) == name]
            left = [k for k in np.flatnonzero(~mine).tolist() if all(r.all() for r in others if r[k])]
            if loops and mine.any() and left:
                missing = listed(tuple(left))
                words = f"the loop leaves out an index: `{node.text}` is never read with {name} = {missing}"
                reader = next(o for o in j.trace.backward if np.isin(o.columns, parts[0]).any())
                yield Misplaced(INDEX_LEFT_OUT, words, reader, (node.filename, loops[-1].lineno))
                return


def index_names(text: str) -> list[str]:
    """Return the source of each index in `x[i, j]`."""
    statement = ast.parse(text).body[0]
    node = statement.value if isinstance(statement, ast.Expr) else None
    index = node.slice if isinstance(node, ast.Subscript) else ast.Tuple([])
    return [ast.unparse(e) for e in (index.elts if isinstance(index, ast.Tuple) else [index])]


def too_small(j: Judgement) -> Iterator[Misplaced]:
    """Yield the lines that made what `+=` adds, if it has too small a shape."""
    for o in j.trace.backward:
        part = o.given[-1] if j.trace.nodes[o.node].adds and o.name == "add" else o.value
        if np.size(part) < o.value.size and j.repair.possible([o]):
            words = f"it has shape {np.shape(part)}, and is spread over {o.value.shape}"
            for maker in j.direct_makers(o):
                if maker.value.shape == np.shape(part) and j.line(maker) != j.line(o):
                    yield Misplaced(TOO_SMALL, words, maker)


def other_integers(j: Judgement) -> Iterator[Misplaced]:
    """Yield the lines that give an integer or a mask other values than the line of forward with the same name."""
    nodes, (forward, backward) = j.trace.nodes, j.trace.integers
    for number, values in backward.items():
        node = nodes[number]
        is_loop = any(loop.lineno == node.line for loop in node.loops())
        same = [k for k in forward if nodes[k].text == node.text and k != number]
        if len(same) != 1 or nodes[same[0]].line == node.line or is_loop or node.text == "_":
            continue
        source = linecache.getline(nodes[same[0]].filename, nodes[same[0]].line).strip()
        if source == linecache.getline(node.filename, node.line).strip():
            continue  # a loop around it is to blame
        here, there = ({v.tobytes() for v in vs} for vs in (values, forward[same[0]]))
        reader = next((o for o in j.trace.backward if nodes[o.node].function == node.function), None)
        if here != there and reader is not None:
            words = f"`{node.text}` has other values here than in forward: `{source}` (line {nodes[same[0]].line})"
            yield Misplaced(OTHER_INTEGER, words, reader, (node.filename, node.line))
