"""Backward passes with one mistake, computed from the tape of forward: which of them gives the user's gradients?

The gradients flow back through the tape as they should, except through one operand of one operation, at all time
steps: nothing flows there, or the negative; a factor or the derivative of the operation is left out, or is that of
another step. Or nothing flows through any operation of one step. All mistakes are tried at once, one column each.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.lines.quantities import Quantities
from numpy_rnn.gradient_checking.lines.tape import Operation
from numpy_rnn.gradient_checking.lines.trace import Trace

__all__ = ["Mistake", "mistakes", "step_count"]

MOST = 8_000_000  # numbers times mistakes
FACTORS = {"is missing": 0.0, "has the wrong sign": -1.0}


Values = Callable[[Operation], Array]  # the derivatives of an operation, with the mistake
Tried = tuple[str, Values, int, int]  # words, derivatives, the operation's place, its operand


@dataclass
class Mistake:
    words: str
    gradient: Array  # dL/d(number) with the mistake
    step: int | None = None  # which is left out


def mistakes(trace: Trace, quantities: Quantities, sizes: list[int]) -> list[Mistake]:
    """Return the mistakes that give every gradient as backward returns it."""
    places: dict[tuple[int, int], list[Operation]] = defaultdict(list)
    for o in trace.forward:
        for k in range(len(o.inputs)):
            if (o.of_input == k).any():
                places[o.node, k].append(o)
    found: list[Tried] = []
    for (node, k), operations in places.items():
        text = f"`{trace.nodes[node].text}` (line {trace.nodes[node].line})"
        for words, factor in FACTORS.items():
            found.append((f"the path through {text} {words}", scaled(factor), node, k))
        found.append((f"the derivative of {text} is missing", lambda o: np.ones(len(o.values)), node, k))
        for n in (2, *sizes):
            found.append((f"the factor {n} of {text} is missing", scaled(1 / n), node, k))
            found.append((f"the factor 1/{n} of {text} is missing", scaled(n), node, k))
        for step, when in ((-1, "before"), (1, "after")) if len(operations) > 1 else ():
            order = {id(o): operations[(i + step) % len(operations)].values for i, o in enumerate(operations)}
            if len({len(v) for v in order.values()}) == 1:
                words = f"the derivative of {text} is that of the step {when}"
                found.append((words, of_another_step(order), node, k))
    found = found[: MOST // max(1, trace.count)]
    n = step_count(trace)
    left_out = [0, n - 1] if n > 1 else []
    g = _gradients(trace, found, left_out)
    names = [n for n in trace.values if n in trace.shapes and n not in trace.ignored]
    result = []
    for column, (words, *_) in enumerate(found):
        if all(_same(trace, name, g[:, column]) for name in names):
            result.append(Mistake(words, g[:, column].copy()))
    for column, step in enumerate(left_out, len(found)):
        known = [_same(trace, n, g[:, column]) or quantities.identify(trace.values[n]) is not None for n in names]
        if all(known) and any(_same(trace, n, g[:, column]) for n in names):
            result.append(Mistake(f"the loop leaves out step {step + 1} of forward", g[:, column].copy(), step))
    return result


def scaled(c: float) -> Values:
    return lambda o: c * o.values


def of_another_step(order: dict[int, Array]) -> Values:
    return lambda o: order.get(id(o), o.values)


def step_count(trace: Trace) -> int:
    """Return how often most operations are carried out that are carried out more than once."""
    often = Counter(o.node for o in trace.forward)
    repeated = Counter(n for n in often.values() if n > 1)
    return repeated.most_common(1)[0][0] if repeated else 1


def _gradients(trace: Trace, found: list[Tried], left_out: list[int]) -> Array:
    g = np.zeros((trace.count, len(found) + len(left_out)))
    for ids, u in trace.seeds:
        np.add.at(g, ids.ravel(), u.ravel()[:, None])
    columns = defaultdict(list)
    for column, (_, values, node, k) in enumerate(found):
        columns[node].append((column, k, values))
    often, n = Counter(o.node for o in trace.forward), step_count(trace)
    for o in reversed(trace.forward):
        flow = o.values[:, None] * g[o.rows]
        for column, k, values in columns[o.node]:
            mine = o.of_input == k
            flow[mine, column] = values(o)[mine] * g[o.rows[mine], column]
        for column, step in enumerate(left_out, len(found)):
            if often[o.node] % n == 0 and o.time * n // often[o.node] == step:
                flow[:, column] = 0
        np.add.at(g, o.columns, flow)
    return g


def _same(trace: Trace, name: str, g: Array) -> bool:
    value = trace.values[name]
    if value.shape != trace.shapes[name]:
        return False
    error = np.abs(trace.of_tensor(name, g) - value)[~trace.kinks[name]]
    return bool(error.max(initial=0) <= 1e-6 * np.abs(value).max(initial=1e-6))
