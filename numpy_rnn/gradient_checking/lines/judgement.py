"""What each operation of backward computes: which gradient, or a value of forward, and from what."""

from __future__ import annotations

import ast
import copy
import re
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.lines.quantities import Quantities, Quantity, close
from numpy_rnn.gradient_checking.lines.repair import Repair
from numpy_rnn.gradient_checking.lines.tape import Event, Operation
from numpy_rnn.gradient_checking.lines.trace import Trace

__all__ = ["Judgement"]


PREFIX = re.compile("^(d_?|grad_?|g_|delta_?)(?=.)")


class Judgement:
    """
    Attributes
    ----------
    what : dict of int to Quantity or None
        For each operation, by its id, the gradient that it computes.
    by_place : dict
        The operations of each place in the source, in the order in which they ran.
    read_by : list of list of int
        For each operation the positions of those that made what it reads.
    visible : set of int
        The places whose values are read by another line, or are gradients.
    depends, passed_on : arrays of bool
        For each number, whether it depends on the upstream gradient (or a gradient), or is an element of it.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace, self.quantities = trace, Quantities(trace)
        self.repair = Repair(trace)
        self.what = {id(o): self.quantities.identify(o.value) for o in trace.backward}
        self.position = {id(o): k for k, o in enumerate(trace.backward)}
        self.by_place: dict[tuple[int, int], list[Operation]] = defaultdict(list)
        self.made_by = np.full(trace.count, -1)  # the position of the operation that made a number
        self.read_by: list[list[int]] = []
        self.visible: set[int] = set()
        for k, o in enumerate(trace.backward):
            self.by_place[o.node, o.slot].append(o)
            self.read_by.append([p for p in np.unique(self.made_by[o.columns]).tolist() if p >= 0])
            makers = (trace.backward[p] for p in self.read_by[k])
            self.visible |= {maker.node for maker in makers if self.line(maker) != self.line(o)}
            self.made_by[o.out] = k
        self.kinds = {o.node: o.name for o in trace.forward}
        self.negated = np.zeros(trace.count, bool)  # the numbers of -z
        for o in trace.forward:
            self.negated[o.out] = o.name == "neg"
        self.ends = {k for k in np.unique(self.made_by[self.repair.ids]).tolist() if k >= 0}  # these make gradients
        self.visible |= {trace.backward[k].node for k in self.ends}
        self.known_values = self._known_values()
        self.has_upstream = bool(trace.upstream)
        self.depends, self.passed_on = np.zeros((2, trace.count), bool)
        for ids in trace.upstream:
            self.depends[ids] = self.passed_on[ids] = True
        for o in trace.backward:
            self.depends[o.rows[self.depends[o.columns]]] = True
            if not self.has_upstream and self.what[id(o)] is not None:
                self.depends[o.out] = True
            if o.moves:
                self.passed_on[o.rows[self.passed_on[o.columns]]] = True
        self.notes: dict[tuple[str, int], list[Event]] = defaultdict(list)
        for e in (e for e in trace.backward_events if e.kind == "note"):
            self.notes[trace.nodes[e.node].filename, trace.nodes[e.node].line].append(e)
        self.by_name: dict[str, list[Quantity]] = defaultdict(list)  # the gradients of what has a name in forward
        for q in (q for q in self.quantities.all if q.kind == "total" and q.is_named and q.node >= 0):
            self.by_name[last_name(trace.nodes[q.node].text)].append(q)
        self.copying = {self.line(o) for o in trace.backward}  # lines that only give an array another name or place
        self.copying -= {self.line(o) for o in trace.backward if not o.is_copy}

    def of_one_mistake(self) -> Iterator[Judgement]:
        """Yield what can be said without some of the wrong gradients: of as many as one line can explain first."""
        places = [[o for o in every if self.repair.influences(o)] for every in self.by_place.values()]
        explained = dict.fromkeys(frozenset(self.repair.explained(each)) for each in places if each)
        for names in sorted(explained, key=len, reverse=True):
            trace = copy.copy(self.trace)
            trace.ignored = set(self.repair.wrong) - names
            trace.finals = {n: ids for n, ids in trace.finals.items() if n not in trace.ignored}
            yield Judgement(trace)

    def line(self, o: Operation) -> tuple[str, int]:
        node = self.trace.nodes[o.node]
        return node.filename, node.line

    def assigned(self, o: Operation) -> str:
        """Return the name that the value of an operation is given on its line; empty if it has none."""
        for e in self.notes[self.line(o)]:
            if e.position > o.index and np.array_equal(e.ids, o.out):
                statement = ast.parse(self.trace.nodes[e.node].text).body[0]
                return ast.unparse(statement.target if isinstance(statement, ast.AugAssign) else statement)
        return ""

    def is_continued(self, o: Operation) -> bool:
        """Whether another line goes on with what an operation computes, under the same name."""
        position, name = self.position[id(o)], self.assigned(o)
        after = zip(self.trace.backward[position:], self.read_by[position:], strict=True)
        readers = (p for p, read in after if position in read and self.line(p) != self.line(o))
        return bool(name) and any(self.assigned(p) == name for p in readers)

    def namesakes(self, o: Operation) -> list[Quantity]:
        """Return the gradients of h if an operation computes what is called dh, d_h or grad_h."""
        name = PREFIX.sub("", last_name(self.assigned(o)))
        return [q for q in self.by_name.get(name, ()) if q.gradient.shape == o.value.shape]

    def is_gradient_like(self, o: Operation) -> bool:
        """Whether an operation computes with gradients: it depends on one, or it is no value of forward."""
        if self.depends[o.out].any():
            return True
        has_effect = not self.has_upstream and bool(o.given) and self.repair.influences(o)
        return has_effect and not self.is_known_value(o.value)

    def is_unknown(self, o: Operation) -> bool:
        """Whether a value is neither a gradient nor one times a value of forward."""
        is_known = self.what[id(o)] is not None or not o.value.any() or self.is_multiple_of_known(o.value)
        return self.is_gradient_like(o) and not is_known

    def is_double(self, o: Operation) -> bool:
        """Whether another operation computes the same, and not only because it passes this value on."""
        for p in self.trace.backward:
            is_other = p.node != o.node and not (p.moves or o.moves) and p.value.shape == o.value.shape
            if self.line(p) == self.line(o) and len(self.by_place[o.node, o.slot]) == 1:
                continue
            if is_other and close(p.value, o.value):
                adds_to_nothing = self.trace.nodes[p.node].adds and close(p.given[-1], o.value)
                is_sum = len(np.unique(p.of_input)) > 1 and not adds_to_nothing
                if is_sum or not np.isin(p.columns, o.out).any():
                    return True
        return False

    def is_whole(self, o: Operation) -> bool:
        """Whether an operation computes a whole gradient, and does not only give another name to one."""
        what = self.what[id(o)]
        if what is None or what.kind != "total" or self.passed_on[o.out].all() or self.is_double(o):
            return False
        if what.ids is not None and self.negated[what.ids].all():
            return False  # as likely as not the gradient of z itself, with the wrong sign
        if (named := self.namesakes(o)) and not any(close(o.value, q.gradient) for q in named):
            return False  # the gradient of something else than its name says
        if o.slot and o.passes:
            return True
        if o.moves:
            return any(self.line(m) == self.line(o) and self.is_whole(m) for m in self.direct_makers(o))
        return not (len(o.given) == 1 and np.array_equal(o.given[0], o.value))

    def reads_right_values(self, o: Operation) -> bool:
        """Whether the gradients that the line of an operation reads are right."""
        return all(self._is_known(m) for m in self.makers(o) if self.is_gradient_like(m))

    def _is_known(self, o: Operation) -> bool:
        """Whether a value is a gradient, or is written to an array that becomes one."""
        if self.what[id(o)] is not None or not o.value.any():
            return True
        return o.where is not None and self.quantities.identify(np.array(o.where[0])) is not None

    def _known_values(self) -> dict[tuple[int, ...], Array]:
        """Return the values of forward, and the slopes of its elementwise operations, by shape."""
        found: dict[tuple[int, ...], list[Array]] = defaultdict(list)
        for o in self.trace.forward:
            for value in (o.value, *(self.slopes(o) if o.out.ndim else ())):
                found[value.shape].append(value.ravel())
        return {shape: np.array(values) for shape, values in found.items() if shape}

    def slopes(self, o: Operation) -> Iterator[Array]:
        """Yield the derivatives of an elementwise operation by each of its inputs, in the shape of its output."""
        for k in range(len(o.inputs)):
            mine = o.of_input == k
            if mine.sum() == o.out.size and len(np.unique(o.rows[mine])) == o.out.size:
                slope = np.zeros(o.out.size)
                slope[o.rows[mine] - o.out.min()] = o.values[mine]
                yield slope.reshape(o.out.shape)

    def is_known_value(self, value: Array) -> bool:
        known = self.known_values.get(value.shape, np.zeros((0, value.size)))
        error = np.abs(known - value.ravel()).max(axis=1, initial=0)
        return bool((error <= 1e-9 * np.abs(value).max(initial=0)).any())

    def is_multiple_of_known(self, value: Array) -> bool:
        """Whether a value is a gradient times a value of forward (or divided by one), up to a number."""
        known, own = self.known_values.get(value.shape), self.quantities.by_shape.get(value.shape)
        if known is None or own is None or value.size < 3 or not value.all():
            return False
        with np.errstate(all="ignore"):
            for gradient in np.unique(own[0], axis=0):
                ratio = value.ravel() / gradient
                factors = np.concatenate([ratio / known, ratio * known])
                is_number = np.ptp(factors, axis=1) <= 1e-8 * np.abs(factors).max(axis=1)
                if np.ptp(ratio) > 1e-9 * np.abs(ratio).max() and is_number.any():
                    return True
        return False

    def direct_makers(self, o: Operation) -> list[Operation]:
        return [self.trace.backward[k] for k in self.read_by[self.position[id(o)]]]

    def source_of_error(self, o: Operation, gradient: Array) -> tuple[Operation, Quantity | None] | None:
        """Return the operation that made all elements of what o moves that differ from a gradient, and its part."""
        wrong = o.out[np.abs(o.value - gradient) > 1e-7 * np.abs(gradient).max(initial=0)]
        made = np.unique(self.made_by[o.columns[np.isin(o.rows, wrong)]])
        if len(made) != 1 or made[0] < 0:
            return None
        maker, g = self.trace.backward[made[0]], np.zeros(self.trace.count)
        g[o.columns] = gradient.ravel()[o.rows - o.out.min()]
        return maker, self.quantities.identify(g[maker.out])

    def makers(self, o: Operation) -> list[Operation]:
        """Return the operations of other lines that made what an operation, or its line before it, reads."""
        found, waiting = {}, [self.position[id(o)]]
        while waiting:
            for k in self.read_by[waiting.pop()]:
                if k not in found:
                    found[k] = self.trace.backward[k]
                    waiting += [k] * (self.line(found[k]) == self.line(o))
        return [maker for maker in found.values() if self.line(maker) != self.line(o)]

    def confirmed(self) -> set[int]:
        """Return the operations that are right: each time a whole gradient, or of use only for such.

        Those that read something wrong do not count.
        """
        confirmed: set[int] = set()
        for every in self.by_place.values():
            operations = [o for o in every if self.repair.influences(o)]
            telling = [o for o in operations if self.reads_right_values(o)]
            if any(map(self.is_whole, telling)) and all(self.is_whole(o) or not o.value.any() for o in telling):
                confirmed |= {id(o) for o in operations}
        is_read, serves = np.zeros(len(self.read_by), bool), np.ones(len(self.read_by), bool)
        for k, o in reversed([*enumerate(self.trace.backward)]):
            if is_read[k] and serves[k] and k not in self.ends:
                confirmed.add(id(o))
            elif not (self.is_whole(o) and o.node in self.visible):
                serves[self.read_by[k]] = False
            is_read[self.read_by[k]] = True
        return confirmed


def last_name(text: str) -> str:
    """Return `h` for `h`, `self.h` and `h[t]`."""
    return text.partition("[")[0].rpartition(".")[2].strip()
