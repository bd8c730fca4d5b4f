"""What may be wrong with an operation: changes of its value or of one operand, with a cost and words."""

from __future__ import annotations

import ast
import itertools
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.lines.judgement import Judgement
from numpy_rnn.gradient_checking.lines.quantities import Quantity
from numpy_rnn.gradient_checking.lines.replay import Change, Now
from numpy_rnn.gradient_checking.lines.series import Series, Values, braced, turned
from numpy_rnn.gradient_checking.lines.tape import Operation

__all__ = ["Correction", "changes"]

OPERATORS = {"add": ("+", "sub"), "sub": ("-", "add"), "mul": ("*", "truediv"), "truediv": ("/", "mul")}
REDUCTIONS = ("sum", "mean", "max", "min", "prod")

OfValue = Callable[[Now, Array], Any]  # a new value from the old one


@dataclass
class Correction:
    cost: float
    words: str  # {0} stands for the first operand
    change: Change
    target: list[Quantity] | None = None  # the gradients that the operations should compute
    operand: int | None = None  # the operand that is to blame
    is_operator: bool = False  # another operator
    is_term: bool = False  # a term more
    is_factor: bool = False  # a number as a factor
    is_sum: bool = False  # `+=` in place of `=`
    is_part: bool = False  # another part of an array
    becomes: Quantity | None = None  # what the value is with the change
    new: Array | None = None  # the operand that belongs there,
    old: Array | None = None  # and the one in its place


def changes(j: Judgement, values: Values, operations: list[Operation], name: str) -> Iterator[Correction]:
    """Yield changes of operations that are at one place in the source."""
    o, shape, n = operations[0], operations[0].value.shape, len(operations)
    every = values.at(j.trace.nodes[o.node].function, [p.index for p in operations])
    every = [s for s in every if not (o.passes and s.is_turned)]  # nobody hands over W.T for W
    if n > 1:
        every.append(Series("the value of another step", [(p.value, p.out) for p in reversed(operations)]))
    factors = every if j.is_gradient_like(o) else []
    for cost, words, f in of_value(shape, (shape,), factors, values.sizes):
        yield Correction(cost, words, on_value(f), is_factor="the factor 1/" in words)
    if o.name in OPERATORS and len(o.given) == 2:
        symbol, other = OPERATORS[o.name]
        words = f"`{OPERATORS[other][0]}` belongs in place of `{symbol}`"
        yield Correction(0.9, words, with_operator(other), is_operator=symbol in "+-")
    text = j.trace.nodes[o.node].text
    is_expression = isinstance(ast.parse(text).body[0], ast.Expr)
    here = f"in place of `{braced(text)}`" if is_expression else "here"
    for s in (s for s in every if s.shape == shape):
        cost = 2.0 if s.is_near or s.words.startswith(f"`{name}` (line") else 3.0
        yield Correction(cost, f"{s.words} belongs {here}", s.at)
        for c, sign in ((cost - 0.3 * s.is_near, 1), (cost - 0.3 * s.is_near + 0.5, -1)) if factors else ():
            yield Correction(c, f"the term {s.words} is missing", on_value(plus(s, sign)), is_term=True)
    for i, k in itertools.combinations(range(len(o.given)), 2):
        if np.shape(o.given[i]) == np.shape(o.given[k]):
            yield Correction(1.5, f"`{{{i}}}` and `{{{k}}}` are exchanged", exchanged(i, k))
    for k in range(len(o.given)):
        yield from of_operand(values, operations, k, every, factors)


def of_operand(
    values: Values, operations: list[Operation], k: int, every: list[Series], factors: list[Series]
) -> Iterator[Correction]:
    o = operations[0]
    x, shape, own = np.asarray(o.given[k]), o.value.shape, f"`{{{k}}}`"
    source = f"`{braced(values.source(o, k))}`"
    if x.shape == shape and len(o.given) > 1:
        rest = " and ".join(f"`{{{i}}}`" for i in range(len(o.given)) if i != k)
        yield Correction(1.4, f"{rest} does not belong here", operand_alone(k))
    for cost, words, f in of_value(x.shape, (x.shape, shape), factors, values.sizes):
        is_factor, is_here = "the factor 1/" in words, "the factor" in words and not keeps_shape(f, o, x)
        place = None if is_here else k  # the line that makes the operand could not make one of another shape
        yield Correction(cost + 0.2, f"{words}: {own}", on_operand(k, f), operand=place, is_factor=is_factor)
    for s in (s for s in every if s.is_near and s.shape == x.shape and factors):
        words = f"the term {s.words} is missing, beside {own}"
        yield Correction(2.4, words, on_operand(k, plus(s, 1)), is_term=True)
    if len(operations) > 1:
        order = Series("", [(p.given[k], p.inputs[k]) for p in reversed(operations)])
        yield Correction(2, f"the order of {own} over the steps should be reversed", on_operand(k, replaced(order)))
    for s in (s for s in every if s.shape == x.shape):
        cost = 1.5 if s.is_near else 2.0 + s.words.startswith(f"{source} (line")
        words = f"{own} should be transposed" if s.words == turned(source) else f"{s.words} belongs in place of {own}"
        yield Correction(cost, words, on_operand(k, replaced(s)), new=s.items[0][0], old=x)
    for s in (s for s in every if s.is_near and x.shape == shape and s.shape != shape and len(s.shape) < 5):
        for axes in subsets(len(s.shape)):
            if np.shape(np.sum(s.items[0][0], axis=axes)) == shape:
                words = f"{s.words} summed over axis {listed(axes)} belongs in place of {own}"
                yield Correction(2, words, on_operand(k, summed(s, axes)))
    whole = values.source(o, k).removesuffix(".T").partition("[")[0]
    for s in (s for s in every if s.words == f"`{braced(whole)}`" and "[" in values.source(o, k)):
        turn = len(s.shape) == 2 and values.source(o, k).endswith(".T")
        yield Correction(1.5, f"{s.words} belongs in place of {own}", on_operand(k, replaced(s, turn)))
    for s in (s for s in every if s.is_near and not s.is_turned and len(s.shape) == x.ndim and s.shape != x.shape):
        if x.size < 2 or values.trace.nodes[o.node].adds or not np.isin(o.inputs[k], s.items[0][1]).all():
            continue
        for axis in range(x.ndim):
            last = s.shape[axis] - x.shape[axis]
            for start, step in itertools.product(range(last + 1), range(-2, 3) if len(operations) > 1 else (0,)):
                if 0 <= start + step * (len(operations) - 1) <= last:
                    words = (
                        f"another part of {s.words} belongs in place of {own}: from index {start} of axis {axis} on"
                    )
                    words += f", moving by {step} each time" if step else ""
                    yield Correction(
                        1.5, words, on_operand(k, part(s, k, axis, start, step)), operand=k, is_part=True
                    )
    for axes in subsets(x.ndim):
        name = o.name if o.name in REDUCTIONS else "sum"
        words = f"the {name} of {own} over axis {listed(axes)} belongs here"
        yield Correction(1.5 if name == o.name else 2, words, reduced(k, name, axes, shape))


def of_value(
    shape: tuple[int, ...], results: tuple[tuple[int, ...], ...], factors: list[Series], sizes: list[int]
) -> Iterator[tuple[float, str, OfValue]]:
    """Yield what may be wrong with a value: cost, words, and the right value as a function of the wrong one."""
    yield 1, "the sign is wrong", lambda now, v: -v
    for n in (2, *sizes):
        yield 2, f"the factor {n} is missing", scaled(n)
        yield 2, f"the factor 1/{n} is missing", scaled(1 / n)
    if shape:
        yield 1.5, "1 minus it belongs here", lambda now, v: 1 - v
    if len(shape) == 2 and shape[0] == shape[1]:
        yield 1.5, "it should be transposed", lambda now, v: v.T
    for axis in (a for a, n in enumerate(shape) if n > 1):
        yield 2.5, f"the order along axis {axis} should be reversed", flipped(axis)
        yield 2.5, f"it is shifted by one place along axis {axis}", rolled(axis, 1)
        yield 2.5, f"it is shifted by one place along axis {axis}", rolled(axis, -1)
    for s in factors:
        try:
            fits = np.broadcast_shapes(s.shape, shape) in results
        except ValueError:
            continue
        if fits:
            cost = 2 if s.is_near else 2.5
            yield cost, f"the factor {s.words} is missing", times(s)
            yield cost, f"the factor 1 / {s.words} is missing", over(s)


def keeps_shape(f: OfValue, o: Operation, x: Array) -> bool:
    return np.shape(f(Now(0, o, [], x, lambda item: item[0]), x)) == x.shape


def on_value(f: OfValue) -> Change:
    return lambda now: f(now, now.value)


def on_operand(k: int, f: OfValue) -> Change:
    return lambda now: now.operation.f([*now.inputs[:k], f(now, now.inputs[k]), *now.inputs[k + 1 :]])[0]


def operand_alone(k: int) -> Change:
    return lambda now: now.inputs[k]


def exchanged(i: int, k: int) -> Change:
    def change(now: Now) -> Any:
        inputs = list(now.inputs)
        inputs[i], inputs[k] = inputs[k], inputs[i]
        return now.operation.f(inputs)[0]

    return change


def with_operator(name: str) -> Change:
    return lambda now: getattr(operator, name)(*now.inputs)


def reduced(k: int, name: str, axes: tuple[int, ...], shape: tuple[int, ...]) -> Change:
    return lambda now: getattr(np, name)(now.inputs[k], axis=axes).reshape(shape)


def replaced(s: Series, turn: bool = False) -> OfValue:
    return lambda now, v: s.at(now).T if turn else s.at(now)


def part(s: Series, k: int, axis: int, start: int, step: int) -> OfValue:
    def change(now: Now, v: Array) -> Any:
        low = np.argwhere(np.isin(s.items[now.index][1], now.operation.inputs[k])).min(axis=0)
        low[axis] = start + step * now.index
        return s.at(now)[tuple(slice(i, i + n) for i, n in zip(low, v.shape, strict=True))]

    return change


def summed(s: Series, axes: tuple[int, ...]) -> OfValue:
    return lambda now, v: s.at(now).sum(axis=axes)


def plus(s: Series, sign: int) -> OfValue:
    return lambda now, v: v + sign * s.at(now)


def times(s: Series) -> OfValue:
    return lambda now, v: v * s.at(now)


def over(s: Series) -> OfValue:
    return lambda now, v: v / s.at(now)


def scaled(c: float) -> OfValue:
    return lambda now, v: v * c


def flipped(axis: int) -> OfValue:
    return lambda now, v: np.flip(v, axis)


def rolled(axis: int, by: int) -> OfValue:
    return lambda now, v: np.roll(v, by, axis)


def subsets(ndim: int) -> Iterator[tuple[int, ...]]:
    """Yield every choice of axes."""
    return itertools.chain.from_iterable(itertools.combinations(range(ndim), r) for r in range(1, ndim + 1))


def listed(axes: tuple[int, ...]) -> str:
    return " and ".join(map(str, axes))
