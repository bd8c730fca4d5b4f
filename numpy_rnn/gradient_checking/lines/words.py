"""What a line of backward computes and what it should compute, in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.lines.changes import Correction
from numpy_rnn.gradient_checking.lines.judgement import Judgement
from numpy_rnn.gradient_checking.lines.naming import owner, plain
from numpy_rnn.gradient_checking.lines.place import Found
from numpy_rnn.gradient_checking.lines.quantities import Quantity, close, factor_of
from numpy_rnn.gradient_checking.lines.tape import Operation

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
    at, times = f" ({', '.join(where)})" if where else "", f"{q.scale} " if q.scale != 1 else ""
    if q.kind == "total":
        return f"{times}dL/d({text}){at}"
    through = ", ".join(dict.fromkeys(f"`{shortened(j.trace.nodes[n].text)}`" for n in q.uses))
    return f"the part of {times}dL/d({text}){at} through {through}"


def step_of(j: Judgement, q: Quantity) -> int | None:
    """Return the time step in forward, from 1 on; None if the expression is reached only once."""
    q = owner(j, q)
    if q.node < 0:
        return None
    times = [o.time for o in j.trace.forward if o.node == q.node] + [
        e.time for e in j.trace.forward_events if e.node == q.node
    ]
    return q.time + 1 if max(times, default=0) > 0 else None


def explanation(j: Judgement, found: Found, rest: list[str]) -> str:
    """Say what a line should compute, what is wrong with it, and which gradients are wrong for another reason."""
    words = _explanation(j, found, bool(rest))
    other = f" Another line must be wrong too: this one does not explain the gradient of {' and '.join(rest)}."
    return f"{words[0].upper()}{words[1:]}.{other if rest else ''}"


def _explanation(j: Judgement, found: Found, is_part: bool) -> str:
    o, target, reason = found.operation, found.target, found.correction
    why = ""
    if overwrites_repeated(o):
        why = "an index occurs twice, and the values at it overwrite each other: np.add.at adds them up"
    elif found.mistake:
        why = found.mistake.words
    elif reason:
        why = reason.words + described(j, reason)
    if target is None:
        nothing = "what it reads is right, and with another value here every gradient could be right"
        if is_part:  # the mistakes may be in what it reads, and come together here
            nothing = "every other gradient could be right with another value here: it is wrong, or what it reads"
        return why or nothing + (what_it_is(j, found) or only_diagonal(o.value))
    words = f"this should be {name_of(j, target)}"
    if o.moves and len(o.given) > 1 and not why:
        return f"{words}, but several of the arrays that it joins are wrong"
    lost = lost_paths(j, o, target)
    if lost and not found.mistake:
        words += f", but the path through {lost} is missing"
    elif not why:
        words += what_it_is(j, found) or uses(j, target)
    return f"{words}; {why}" if why else words


def only_diagonal(value: Array) -> str:
    if value.ndim != 2 or value.shape[0] != value.shape[1] or (value * (1 - np.eye(len(value)))).any():
        return ""
    return ": it is diagonal, so it leaves out that the elements depend on each other, by a sum as in the softmax"


def described(j: Judgement, reason: Correction) -> str:
    """Say which gradients the two operands are that a correction exchanges."""
    known = [j.quantities.identify(np.asarray(v)) if v is not None else None for v in (reason.new, reason.old)]
    names = [f"{word} is {name_of(j, q)}" for word, q in zip(("the one", "the other"), known, strict=True) if q]
    return f" ({', '.join(names)})" if len(names) == 2 else ""


def lost_paths(j: Judgement, o: Operation, target: Quantity) -> str:
    """Name the uses of a variable that a value lacks, and the target has."""
    partial = [q for q in j.quantities.matches(o.value) if q.variable == target.variable and q.missing]
    missing = (
        set(partial[0].missing) - (set(target.missing) if target.kind != "total" else set()) if partial else set()
    )
    paths = [j.trace.nodes[n] for n in sorted(missing)]
    return " and ".join(f"`{shortened(n.text)}` (line {n.line})" for n in paths[:3])


def overwrites_repeated(o: Operation) -> bool:
    """Whether values are written to the same element twice."""
    index = o.where[1] if o.where is not None else ()
    parts = [
        np.asarray(i) for i in (index if isinstance(index, tuple) else (index,)) if isinstance(i, np.ndarray | list)
    ]
    parts = [i for i in parts if i.dtype.kind in "iu"]
    if not parts:
        return False
    rows = np.stack(np.broadcast_arrays(*parts), axis=-1).reshape(-1, len(parts))
    return len(np.unique(rows, axis=0)) < len(rows)


def what_it_is(j: Judgement, found: Found) -> str:
    """Say how a value relates to what it should be: a multiple, the transpose, or another gradient."""
    value, target = found.operation.value, found.target
    if not value.any():
        return ": it is zero"
    if target is not None and value.shape != target.gradient.shape and found.operation.where is not None:
        return ", but this line writes only a part of it"
    if target is not None and value.shape != target.gradient.shape:
        is_turned = value.shape == target.gradient.shape[::-1] and close(value.T, target.gradient)
        return ": it is transposed" if is_turned else f": it has shape {value.shape}, not {target.gradient.shape}"
    if target is not None:
        if (factor := factor_of(value, target.gradient)) is not None:
            return ", but the sign is wrong" if factor == -1 else f": it is {factor:.6g} times that"
        if value.ndim == 2 and value.shape[0] == value.shape[1] and close(value.T, target.gradient):
            return ": it is transposed"
        if (slope := missing_slope(j, value, target.gradient)) is not None:
            return slope
    what = j.what[id(found.operation)]
    if what is None:
        return ""
    after = [p for p in j.trace.forward if what.ids is not None and np.array_equal(p.out, what.ids)]
    is_direct = (
        target is not None
        and target.ids is not None
        and any(np.isin(ids, target.ids).all() for p in after for ids in p.inputs)
    )
    text = f"; the derivative of `{shortened(j.trace.nodes[after[0].node].text)}` is missing" if is_direct else ""
    return f": it is {name_of(j, what)}{text}"


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
    numbers = list(dict.fromkeys(n for p in whole[:1] for n in p.uses))
    nodes = [j.trace.nodes[n] for n in numbers]
    if q.kind != "total" or not 0 < len(nodes) <= 4:
        return ""
    names = " and ".join(f"`{shortened(n.text)}` (line {n.line})" for n in nodes)
    made = [p for p in j.trace.forward if p.node == numbers[0]]
    if len(numbers) == 1 and any(np.ptp(slope) for slope in j.slopes(made[0])):
        return f", with another factor: the derivative of {names}"
    return f", the gradient through {names}"


def shortened(text: str, length: int = 60) -> str:
    text = plain(text)
    return text if len(text) <= length else text[: length - 3] + "..."
