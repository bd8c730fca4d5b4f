"""What a line of backward computes and what it should compute, in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.lines.judgement import Judgement
from numpy_rnn.gradient_checking.lines.naming import owner, plain
from numpy_rnn.gradient_checking.lines.quantities import Quantity, close, factor_of
from numpy_rnn.gradient_checking.lines.suspect import Found

__all__ = ["explanation", "name_of", "step_of"]


def name_of(j: Judgement, q: Quantity, with_step: bool = True) -> str:
    """Return `dL/d(z) (line 7, t = 3)`."""
    whole = owner(j, q)
    node = j.trace.nodes[whole.node] if whole.node >= 0 else None
    text = whole.name or (shortened(node.text) if node else "")
    where = []
    if node:
        where.append(f"line {node.line}")
    if with_step and (step := step_of(j, whole)) is not None:
        where.append(f"t = {step}")
    at = f" ({', '.join(where)})" if where else ""
    if q.kind == "total":
        return f"dL/d({text}){at}"
    through = ", ".join(dict.fromkeys(f"`{shortened(j.trace.nodes[n].text)}`" for n in q.uses))
    return f"the part of dL/d({text}){at} through {through}"


def step_of(j: Judgement, q: Quantity) -> int | None:
    """Return the time step in forward, from 1 on; None if the expression is reached only once."""
    q = owner(j, q)
    if q.node < 0:
        return None
    times = [o.time for o in j.trace.forward if o.node == q.node] + [
        e.time for e in j.trace.forward_events if e.node == q.node
    ]
    return q.time + 1 if max(times, default=0) > 0 else None


def explanation(j: Judgement, found: Found) -> str:
    o, target, reason = found.operation, found.target, found.correction
    said = [found.mistake.words] if found.mistake else [reason.words] if reason else []
    if target is None:
        otherwise = "what it reads is right, and with another value here all gradients would be right"
        return sentences(said or [otherwise + what_it_is(j, found)])
    words = f"this should be {name_of(j, target)}"
    partial = [q for q in j.quantities.matches(o.value) if q.variable == target.variable and q.missing]
    if partial and (missing := set(partial[0].missing) - (set(target.missing) if target.kind != "total" else set())):
        paths = [j.trace.nodes[n] for n in sorted(missing)]
        lines = " and ".join(f"`{shortened(n.text)}` (line {n.line})" for n in paths[:3])
        words = f"{words}, but the path through {lines} is missing"
    elif not said:
        words += what_it_is(j, found) or uses(j, target)
    return sentences([words, *said])


def sentences(words: list[str]) -> str:
    return " ".join(text[0].upper() + text[1:].rstrip(".") + "." for text in words)


def what_it_is(j: Judgement, found: Found) -> str:
    """Say how a value relates to what it should be: a multiple, the transpose, or another gradient."""
    value, target = found.operation.value, found.target
    if not value.any():
        return ": it is zero"
    if target is not None:
        if (factor := factor_of(value, target.gradient)) is not None:
            return ", but the sign is wrong" if factor == -1 else f": it is {factor:.6g} times that"
        if value.ndim == 2 and value.shape[0] == value.shape[1] and close(value.T, target.gradient):
            return ": it is transposed"
        if (slope := missing_slope(j, value, target.gradient)) is not None:
            return slope
    what = j.what[id(found.operation)]
    return f": it is {name_of(j, what)}" if what is not None else ""


def missing_slope(j: Judgement, value: Array, gradient: Array) -> str | None:
    """Say which derivative or value of forward is missing, or is there twice, from the ratio of the two."""
    if value.size < 3:
        return None
    for factor, words in factors(j, value.shape):
        if np.ptp(factor) <= 1e-9 * np.abs(factor).max():
            continue
        if close(value * factor, gradient):
            return f": {words} is missing"
        if close(value, gradient * factor):
            return f": {words} is there twice"
    return None


def factors(j: Judgement, shape: tuple[int, ...]) -> Iterator[tuple[Array, str]]:
    """Yield the factors that backward may need, with their names."""
    for o in j.trace.forward:
        node = j.trace.nodes[o.node]
        for slope in j.slopes(o) if o.value.shape == shape else []:
            yield slope, f"the derivative of `{shortened(node.text)}` (line {node.line})"
    for e in j.trace.forward_events:
        node, v = j.trace.nodes[e.node], e.value
        if v.shape == shape and e.kind == "note":
            name, at = node.text, f"(line {node.line})"
            yield v * (1 - v), f"the derivative `{name} * (1 - {name})` of the sigmoid {at}"
            yield 1 - v**2, f"the derivative `1 - {name} ** 2` of tanh {at}"
            yield v, f"the factor `{name}` {at}"


def uses(j: Judgement, q: Quantity) -> str:
    """Say through which operations of forward the loss depends on something."""
    whole = [p for p in j.quantities.all if p.variable == q.variable and p.kind != "total" and not p.missing]
    nodes = [j.trace.nodes[n] for n in dict.fromkeys(n for p in whole[:1] for n in p.uses)]
    if q.kind != "total" or not 0 < len(nodes) <= 4:
        return ""
    return ", the gradient through " + " and ".join(f"`{shortened(n.text)}` (line {n.line})" for n in nodes)


def shortened(text: str, length: int = 60) -> str:
    text = plain(text)
    return text if len(text) <= length else text[: length - 3] + "..."
