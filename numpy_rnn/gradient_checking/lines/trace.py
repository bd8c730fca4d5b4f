"""One forward and one backward, followed operation by operation, and the true gradient of everything in forward."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.experiment import Experiment, copies
from numpy_rnn.gradient_checking.lines.instrument import functions_of, instrumented
from numpy_rnn.gradient_checking.lines.probe import Probe
from numpy_rnn.gradient_checking.lines.tape import Event, Operation
from numpy_rnn.gradient_checking.tensors import TensorReport

__all__ = ["CannotFollow", "Trace", "follow"]

Point = tuple[int, int]  # numbers of operations and of events so far


class CannotFollow(Exception):
    """Why forward or backward cannot be followed, in words."""


def follow(experiment: Experiment, tensors: dict[str, TensorReport]) -> Trace:
    """Run forward and backward once with the probe.

    Raises
    ------
    CannotFollow
        The source is missing, or the followed operations do not give the true gradients.
    """
    tensors = {name: t for name, t in tensors.items() if name in experiment.point}
    functions = functions_of(lambda: experiment.backward(experiment.upstream))
    for copy_names in (True, False):  # a copy misses what is written to the array under its other name
        probe, session = Probe(), experiment.subject.start(np.float64)
        with instrumented(functions, probe):
            probe.copies = copy_names and experiment.subject.backward_callable is None
            outputs = session.forward(copies(experiment.point))
            start = len(probe.tape.operations), len(probe.tape.events)
            probe.copies = copy_names
            gradients = session.backward([u.copy() for u in experiment.upstream])
        known = {n: t.analytic for n, t in tensors.items() if n in gradients and t.verdict != "SHAPE"}
        if all(a is None or np.array_equal(gradients[n], a) for n, a in known.items()):
            return Trace(experiment, tensors, probe, outputs, gradients, start)
    raise CannotFollow("the instrumented backward returns other gradients")


class Trace:
    """
    Attributes
    ----------
    forward, backward : list of Operation
    forward_events, backward_events : list of Event
    integers : list of two dicts
        By place: the integers and masks that get a name in forward, and in backward.
    groups : list of Event
        What backward reads, and could read wrongly.
    seeds : list of (array, array)
        Numbers of the outputs, and their upstream gradients.
    upstream : list of arrays
        Numbers of the arrays that backward was given.
    leaves, finals : dict
        By tensor: its numbers, in one or more arrays; those of the gradient that backward returned, 0 for constants.
    values, shapes, kinks : dict
        By tensor: that gradient, the shape of the tensor, and where forward is not differentiable.
    ignored : set of str
        Tensors whose gradients are not looked at.
    g : array
        dL/d(number) for every number.
    """

    def __init__(
        self, experiment: Experiment, tensors: dict[str, TensorReport], probe: Probe, outputs: list[Array],
        gradients: dict[str, Array], start: Point,
    ) -> None:  # fmt: skip
        tape, events = probe.tape.operations, probe.tape.events
        if not tape:
            raise CannotFollow("the source of forward and backward is not available")
        self.nodes, self.shadow, self.values = probe.nodes, probe.shadow, gradients
        self.shapes = {n: t.shape for n, t in tensors.items()}
        self.ignored: set[str] = set()
        self.kinks = {n: t.spread(t.kinks) == 1 for n, t in tensors.items()}
        before, after = events[: start[1]], events[start[1] :]
        pairs = zip(outputs, experiment.upstream, strict=True)
        self.seeds = [(_output(y, before, events), u) for y, u in pairs if y.dtype.kind == "f" and u.any()]
        self.forward, self.backward, position = tape[: start[0]], tape[start[0] :], start[0]
        if not self.backward:  # forward and backward in one body: what leads to the loss is forward
            leads = self._leads(tape)
            self.forward = [o for o in tape if leads[o.out].any()]
            self.backward = [o for o in tape if not leads[o.out].any()]
            if not self.backward:
                raise CannotFollow("the source of backward is not available")
            before, after, position = [e for e in events if leads[e.ids].any()], events, self.backward[0].index + 1
        self.forward_events, self.backward_events = (
            [e for e in part if e.kind != "members"] for part in (before, after)
        )
        self.groups = [e for e in events if e.is_choice and e.position >= position]
        self.integers: list[dict[int, list[Array]]] = [defaultdict(list), defaultdict(list)]
        for node, when, value in probe.tape.integers:
            self.integers[when >= position][node].append(value)
        arrays = [u for u in experiment.upstream if u.ndim]
        self.upstream = [ids for u in arrays for ids in self.shadow.places(u, at_first=True)]
        self.finals = self._finals([n for n in tensors if n in gradients])
        self.count = self.shadow.count
        self.g = np.zeros(self.count)
        for ids, u in self.seeds:
            np.add.at(self.g, ids.ravel(), u.ravel())
        for o in reversed(self.forward):
            np.add.at(self.g, o.columns, o.values * self.g[o.rows])
        self.leaves = {n: self._leaf(experiment.point[n], t) for n, t in tensors.items()}

    def of_tensor(self, name: str, g: Array) -> Array:
        """Return the gradient of a tensor."""
        return np.asarray(sum((g[ids] for ids in self.leaves[name]), np.zeros(self.shapes[name])))

    def _leads(self, tape: list[Operation]) -> Array:
        """Return for every number whether the outputs depend on it."""
        leads = np.zeros(self.shadow.count, bool)
        for ids, _ in self.seeds:
            leads[ids] = True
        for o in reversed(tape):
            leads[o.columns[leads[o.rows]]] = True
        leads[0] = False
        return leads

    def _leaf(self, x: Array, tensor: TensorReport) -> list[Array]:
        """Return the numbers of a tensor: the array with its values that forward read, and that has its gradient."""
        wanted = tensor.numeric
        known = ~np.isnan(wanted)
        size = float(np.abs(wanted[known]).max(initial=0))
        found = list(self.shadow.places(x, at_first=True))
        for places in [*([ids] for ids in found if size), found]:
            gradient = sum((self.g[ids] for ids in places), np.zeros(x.shape))
            if np.abs((gradient - wanted)[known]).max(initial=0) <= 1e-5 * size + 1e-9:
                return places
        raise CannotFollow(f"the operations that could be followed do not give the gradient of {tensor.name}")

    def _finals(self, names: list[str]) -> dict[str, Array]:
        """Find the numbers of the gradients that backward returned, by their values: from the last event on."""
        found, waiting = {}, self.backward_events[::-1]
        for name in reversed(names):
            gradient = self.values[name]
            own = [e for e in waiting if name.rpartition(".")[2] in self.nodes[e.node].text]
            for event in [*own, *waiting]:
                now = event.array if isinstance(event.array, np.ndarray) else event.value
                if now.shape == gradient.shape and np.array_equal(now, gradient, equal_nan=True):
                    found[name] = self.shadow.ids(event.array).copy() if now is event.array else event.ids
                    waiting.remove(event)
                    break
            else:
                for ids in self.shadow.places(gradient, at_first=False) if gradient.any() else ():
                    found.setdefault(name, ids.copy())
        return found


def _output(y: Array, before: list[Event], events: list[Event]) -> Array:
    """Return the numbers of an output of forward."""
    returned = [e for e in before if e.kind == "return"]
    for event in [*reversed(returned), *reversed(events)]:
        if event.value.shape == y.shape and np.array_equal(event.value, y):
            return event.ids
    raise CannotFollow("what forward returns is not made by operations that can be followed")
