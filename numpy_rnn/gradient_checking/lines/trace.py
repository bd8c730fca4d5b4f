"""One forward and one backward, followed operation by operation, and the true gradient of everything in forward."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.experiment import Experiment, copies
from numpy_rnn.gradient_checking.lines.instrument import instrumented
from numpy_rnn.gradient_checking.lines.probe import Probe
from numpy_rnn.gradient_checking.lines.reach import reached_functions
from numpy_rnn.gradient_checking.lines.rewrite import Node
from numpy_rnn.gradient_checking.lines.shadow import in_memory
from numpy_rnn.gradient_checking.lines.tape import Event, Group, Operation
from numpy_rnn.gradient_checking.tensors import TensorReport

__all__ = ["CannotFollow", "Trace", "callables", "follow"]


class CannotFollow(Exception):
    """Why forward or backward cannot be followed, in words."""


@dataclass
class Trace:
    nodes: list[Node]
    forward: list[Operation]
    backward: list[Operation]
    forward_events: list[Event]
    backward_events: list[Event]
    groups: list[Group]  # what backward reads
    count: int  # of numbers
    seeds: list[tuple[Array, Array]]  # numbers of the outputs, their upstream gradients
    leaves: dict[str, list[Array]]  # numbers of each tensor
    finals: dict[str, Array]  # numbers of the gradient that backward returned, 0 where it is a constant
    values: dict[str, Array]  # that gradient
    final_events: dict[str, Event]
    shapes: dict[str, tuple[int, ...]]  # of the tensors
    kinks: dict[str, Array]  # where forward is not differentiable
    upstream: list[Array]  # numbers of the arrays that backward was given

    def gradient(self, tape: list[Operation] | None = None) -> Array:
        """Return dL/d(number) for every number: one sweep back over the forward tape."""
        g = np.zeros(self.count)
        for ids, u in self.seeds:
            np.add.at(g, ids.ravel(), u.ravel())
        for o in reversed(self.forward if tape is None else tape):
            np.add.at(g, o.columns, o.values * g[o.rows])
        return g

    def of_tensor(self, name: str, g: Array) -> Array:
        found = [g[ids] for ids in self.leaves[name]]
        return np.asarray(sum(found)) if found else np.zeros(self.shapes[name])


def callables(subject: Any) -> list[Any]:
    """Return forward and backward as the user wrote them."""
    return [f for f in (subject.forward_callable, subject.backward_callable) if f is not None]


def follow(experiment: Experiment, tensors: dict[str, TensorReport]) -> Trace:
    """Run forward and backward once with the probe.

    Raises
    ------
    CannotFollow
        The source is missing, or the followed operations do not give the true gradients.
    """
    for copy_names in (2, 1, 0):
        trace, same = _run(experiment, tensors, copy_names)
        if same:
            return trace
    raise CannotFollow("the instrumented backward returns other gradients")


def _run(
    experiment: Experiment, tensors: dict[str, TensorReport], copy_names: int, one_body: bool = False
) -> tuple[Trace, bool]:
    probe = Probe()
    functions = reached_functions(callables(experiment.subject))
    session = experiment.subject.start(np.float64)
    with instrumented(functions, probe) as without_source:
        probe.copies = copy_names if one_body else 0
        outputs = session.forward(copies(experiment.point))
        probe.copies = copy_names
        after_forward, events_after_forward = len(probe.tape), len(probe.events)
        for u in experiment.upstream:
            if u.size == 1 and u.item() != 1:
                probe.shadow.constants[u.item()] = int(probe.shadow.fresh((1,))[0])
        gradients = session.backward([u.copy() for u in experiment.upstream])
    if len(probe.tape) == after_forward and copy_names and not one_body:
        return _run(experiment, tensors, copy_names, one_body=True)
    if not probe.tape:
        names = ", ".join(without_source) or "forward and backward"
        raise CannotFollow(f"the source of {names} is not available")
    seeds = _seeds(probe, outputs, experiment.upstream, probe.events[:events_after_forward], probe.events)
    forward, backward = probe.tape[:after_forward], probe.tape[after_forward:]
    forward_events, backward_events = probe.events[:events_after_forward], probe.events[events_after_forward:]
    if not backward:  # forward and backward in one body: what leads to the loss is forward
        leads = _leads_to(probe, seeds)
        forward = [o for o in probe.tape if leads[o.out].any()]
        backward = [o for o in probe.tape if not leads[o.out].any()]
        forward_events = [e for e in probe.events if leads[e.ids].any()]
        backward_events = probe.events
    if not backward:
        names = ", ".join(without_source) or "backward"
        raise CannotFollow(f"the source of {names} is not available")
    trace = Trace(
        probe.nodes, forward, backward, forward_events, backward_events,
        [r for r in probe.groups if r.position > backward[0].index or len(probe.tape) > after_forward <= r.position],
        probe.shadow.count, seeds, {}, {}, gradients, {},
        {n: t.shape for n, t in tensors.items()}, {n: t.spread(t.kinks) == 1 for n, t in tensors.items()},
        [ids for u in experiment.upstream if u.ndim for ids in _places(probe, u)]
        + [np.array([n]) for n in probe.shadow.constants.values()],
    )  # fmt: skip
    g = trace.gradient()
    for name, tensor in tensors.items():
        trace.leaves[name] = _leaf(probe, experiment.point[name], tensor, g)
    for name in reversed(
        [name for name in tensors if name in gradients]
    ):  # from the last event on, as they are sought
        _find_final(trace, probe, name, gradients[name])
    same = all(
        np.array_equal(gradients[n], t.analytic)
        for n, t in tensors.items()
        if n in gradients and t.verdict != "SHAPE" and t.analytic is not None
    )
    return trace, same


def _leads_to(probe: Probe, seeds: list[tuple[Array, Array]]) -> Array:
    """Return for every number whether the outputs depend on it."""
    leads = np.zeros(probe.shadow.count, bool)
    for ids, _ in seeds:
        leads[ids] = True
    for o in reversed(probe.tape):
        leads[o.columns[leads[o.rows]]] = True
    leads[0] = False
    return leads


def _seeds(
    probe: Probe, outputs: list[Array], upstream: list[Array], forward_events: list[Event], events: list[Event]
) -> list[tuple[Array, Array]]:
    """Return the numbers of each output of forward, with its upstream gradient."""
    seeds = []
    for y, u in zip(outputs, upstream, strict=True):
        if y.dtype.kind != "f" or not u.any():
            continue
        for event in reversed(forward_events):
            if event.kind == "return" and event.value.shape == y.shape and np.array_equal(event.value, y):
                seeds.append((event.ids, u))
                break
        else:
            same = [e for e in reversed(events) if e.value.shape == y.shape and np.array_equal(e.value, y)]
            if probe.shadow.knows(y):
                seeds.append((probe.shadow.ids(y).copy(), u))
            elif same:
                seeds.append((same[0].ids, u))
            else:
                raise CannotFollow("what forward returns is not made by operations that can be followed")
    return seeds


def _leaf(probe: Probe, x: Array, tensor: TensorReport, g: Array) -> list[Array]:
    """Return the numbers of a tensor: the array with its values that forward read, and that has its gradient."""
    wanted = tensor.numeric
    known = ~np.isnan(wanted)
    size = float(np.abs(wanted[known]).max(initial=0))

    def agrees(gradient: Array) -> bool:
        return bool(np.abs((gradient - wanted)[known]).max(initial=0) <= 1e-5 * size + 1e-9)

    found = list(_places(probe, x))
    for ids in found:
        if known.any() and size and agrees(g[ids]):
            return [ids]
    if agrees(np.asarray(sum(g[ids] for ids in found)) if found else np.zeros(x.shape)):
        return found
    raise CannotFollow(f"the operations that could be followed do not give the gradient of {tensor.name}")


def _places(probe: Probe, x: Array) -> Iterator[Array]:
    """Yield the numbers of every array, or part of one, that had the values of x before anything was computed."""
    for leaf in probe.shadow.leaves:
        if len(leaf.values) < x.size or not x.size:
            continue
        for order in ("C", "F") if x.ndim > 1 else ("C",):
            flat = x.ravel(order=order)
            starts = np.flatnonzero(leaf.values[: len(leaf.values) - x.size + 1] == flat[0])
            for start in starts[:50]:
                if np.array_equal(leaf.values[start : start + x.size], flat):
                    ids = np.arange(leaf.first + start, leaf.first + start + x.size)
                    yield ids.reshape(x.shape, order=order)


def _find_final(trace: Trace, probe: Probe, name: str, gradient: Array) -> None:
    """Find the numbers of a gradient that backward returned, by its values."""
    taken = [id(event) for event in trace.final_events.values()]
    for event in reversed(trace.backward_events):
        now = event.array if isinstance(event.array, np.ndarray) else event.value
        if now.shape == gradient.shape and np.array_equal(now, gradient, equal_nan=True) and id(event) not in taken:
            trace.final_events[name] = event
            is_array = isinstance(event.array, np.ndarray)
            trace.finals[name] = probe.shadow.ids(event.array).copy() if is_array else event.ids
            return
    flat = gradient.ravel()
    for root, numbers in probe.shadow.roots.values():
        memory = in_memory(root)
        if gradient.any() and len(memory) >= len(flat):
            for start in np.flatnonzero(memory[: len(memory) - len(flat) + 1] == flat[0]):
                if np.array_equal(memory[start : start + len(flat)], flat):
                    trace.finals[name] = numbers[start : start + len(flat)].reshape(gradient.shape).copy()
                    return
