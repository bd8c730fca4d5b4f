"""One forward and one backward, followed operation by operation, and the true gradient of everything in forward."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import FunctionType

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.experiment import Experiment, copies
from numpy_rnn.gradient_checking.lines.instrument import functions_of, instrumented
from numpy_rnn.gradient_checking.lines.probe import Probe
from numpy_rnn.gradient_checking.lines.rewrite import Node
from numpy_rnn.gradient_checking.lines.shadow import Shadow
from numpy_rnn.gradient_checking.lines.tape import Event, Operation
from numpy_rnn.gradient_checking.tensors import TensorReport

__all__ = ["CannotFollow", "Trace", "follow"]

Gradients = dict[str, Array]


class CannotFollow(Exception):
    """Why forward or backward cannot be followed, in words."""


@dataclass
class Trace:
    nodes: list[Node]
    forward: list[Operation]
    backward: list[Operation]
    forward_events: list[Event]
    backward_events: list[Event]
    groups: list[Event]  # what backward reads, and could read wrongly
    count: int  # of numbers
    seeds: list[tuple[Array, Array]]  # numbers of the outputs, their upstream gradients
    values: Gradients  # what backward returned,
    finals: dict[str, Array]  # and its numbers, 0 where it is a constant
    shapes: dict[str, tuple[int, ...]]  # of the tensors
    kinks: dict[str, Array]  # where forward is not differentiable
    upstream: list[Array]  # numbers of the arrays that backward was given
    leaves: dict[str, list[Array]]  # numbers of each tensor

    @cached_property
    def g(self) -> Array:
        """dL/d(number) for every number: one sweep back over the forward tape."""
        g = np.zeros(self.count)
        for ids, u in self.seeds:
            np.add.at(g, ids.ravel(), u.ravel())
        for o in reversed(self.forward):
            np.add.at(g, o.columns, o.values * g[o.rows])
        return g

    def of_tensor(self, name: str, g: Array) -> Array:
        found = [g[ids] for ids in self.leaves[name]]
        return np.asarray(sum(found)) if found else np.zeros(self.shapes[name])


def follow(experiment: Experiment, tensors: dict[str, TensorReport]) -> Trace:
    """Run forward and backward once with the probe.

    Raises
    ------
    CannotFollow
        The source is missing, or the followed operations do not give the true gradients.
    """
    functions = functions_of(lambda: experiment.backward(experiment.upstream))
    for copy_names in (True, False):  # a copy may miss what is written to the array under its other name
        probe = Probe()
        outputs, gradients, start = _run(experiment, functions, probe, copy_names)
        known = {n: t.analytic for n, t in tensors.items() if n in gradients and t.verdict != "SHAPE"}
        if all(a is None or np.array_equal(gradients[n], a) for n, a in known.items()):
            return _trace(experiment, tensors, probe, outputs, gradients, start)
    raise CannotFollow("the instrumented backward returns other gradients")


def _run(
    experiment: Experiment, functions: list[FunctionType], probe: Probe, copy_names: bool
) -> tuple[list[Array], Gradients, tuple[int, int]]:
    """Return the outputs, the gradients, and how many operations and events there were before backward."""
    session, upstream = experiment.subject.start(np.float64), experiment.upstream
    with instrumented(functions, probe):
        probe.copies = copy_names and experiment.subject.backward_callable is None
        outputs = session.forward(copies(experiment.point))
        start = len(probe.tape.operations), len(probe.tape.events)
        probe.copies = copy_names
        for u in (u for u in upstream if u.size == 1 and u.item() != 1):
            probe.shadow.constants[u.item()] = int(probe.shadow.fresh((1,))[0])
        return outputs, session.backward([u.copy() for u in upstream]), start


def _trace(
    experiment: Experiment, tensors: dict[str, TensorReport], probe: Probe, outputs: list[Array],
    gradients: Gradients, start: tuple[int, int],
) -> Trace:  # fmt: skip
    shadow, tape, events = probe.shadow, probe.tape.operations, probe.tape.events
    before, after = events[: start[1]], events[start[1] :]
    if not tape:
        raise CannotFollow("the source of forward and backward is not available")
    pairs = zip(outputs, experiment.upstream, strict=True)
    seeds = [(_output(shadow, y, before, events), u) for y, u in pairs if y.dtype.kind == "f" and u.any()]
    forward, backward, position = tape[: start[0]], tape[start[0] :], start[0]
    if not backward:  # forward and backward in one body: what leads to the loss is forward
        leads = _leads_to(tape, [ids for ids, _ in seeds], shadow.count)
        forward, backward = [o for o in tape if leads[o.out].any()], [o for o in tape if not leads[o.out].any()]
        before, after = [e for e in events if leads[e.ids].any()], events
        position = backward[0].index + 1 if backward else 0
    if not backward:
        raise CannotFollow("the source of backward is not available")
    before, after = ([e for e in part if e.kind != "members"] for part in (before, after))
    groups = [e for e in events if e.is_choice and e.position >= position]
    places = [ids for u in experiment.upstream if u.ndim for ids in shadow.places(u, at_first=True)]
    trace = Trace(
        probe.nodes, forward, backward, before, after, groups, shadow.count, seeds, gradients,
        _finals(shadow, after, {n: gradients[n] for n in reversed(tensors) if n in gradients}),
        {n: t.shape for n, t in tensors.items()}, {n: t.spread(t.kinks) == 1 for n, t in tensors.items()},
        places + [np.array([n]) for n in shadow.constants.values()], {},
    )  # fmt: skip
    trace.leaves = {n: _leaf(shadow, experiment.point[n], t, trace.g) for n, t in tensors.items()}
    return trace


def _leads_to(tape: list[Operation], outputs: list[Array], count: int) -> Array:
    """Return for every number whether the outputs depend on it."""
    leads = np.zeros(count, bool)
    for ids in outputs:
        leads[ids] = True
    for o in reversed(tape):
        leads[o.columns[leads[o.rows]]] = True
    leads[0] = False
    return leads


def _output(shadow: Shadow, y: Array, before: list[Event], events: list[Event]) -> Array:
    """Return the numbers of an output of forward."""
    returned = [e for e in before if e.kind == "return"]
    for event in [*reversed(returned), *reversed(events)]:
        if event.value.shape == y.shape and np.array_equal(event.value, y):
            return event.ids
    raise CannotFollow("what forward returns is not made by operations that can be followed")


def _leaf(shadow: Shadow, x: Array, tensor: TensorReport, g: Array) -> list[Array]:
    """Return the numbers of a tensor: the array with its values that forward read, and that has its gradient."""
    wanted = tensor.numeric
    known = ~np.isnan(wanted)
    size = float(np.abs(wanted[known]).max(initial=0))

    def agrees(gradient: Array) -> bool:
        return bool(np.abs((gradient - wanted)[known]).max(initial=0) <= 1e-5 * size + 1e-9)

    found = list(shadow.places(x, at_first=True))
    for ids in found if size else ():
        if agrees(g[ids]):
            return [ids]
    if agrees(np.asarray(sum(g[ids] for ids in found)) if found else np.zeros(x.shape)):
        return found
    raise CannotFollow(f"the operations that could be followed do not give the gradient of {tensor.name}")


def _finals(shadow: Shadow, events: list[Event], gradients: Gradients) -> dict[str, Array]:
    """Find the numbers of the gradients that backward returned, by their values: from the last event on."""
    found = {}
    waiting = events[::-1]
    for name, gradient in gradients.items():
        for event in waiting:
            now = event.array if isinstance(event.array, np.ndarray) else event.value
            if now.shape == gradient.shape and np.array_equal(now, gradient, equal_nan=True):
                found[name] = shadow.ids(event.array).copy() if now is event.array else event.ids
                waiting.remove(event)
                break
        else:
            ids = next(shadow.places(gradient, at_first=False), None) if gradient.any() else None
            if ids is not None:
                found[name] = ids.copy()
    return found
