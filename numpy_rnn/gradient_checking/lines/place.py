"""What may be wrong at one place in the source, and at what cost: the less, the likelier.

The cost of a correction is that of the change itself, plus or minus what speaks against or for a mistake of that kind
in a line of that kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from numpy_rnn.gradient_checking.lines.changes import Correction
from numpy_rnn.gradient_checking.lines.corrections import Corrections
from numpy_rnn.gradient_checking.lines.judgement import Judgement
from numpy_rnn.gradient_checking.lines.mistakes import Mistake
from numpy_rnn.gradient_checking.lines.quantities import Quantity, close
from numpy_rnn.gradient_checking.lines.tape import Operation

__all__ = ["NOT_FOUND", "Found", "Place"]

# A line for which no correction is known:
JACOBIAN = 1.1  # it computes a square matrix from values of forward,
DERIVATIVE = 2.1  # or something else from them;
SPECIAL = 2.8  # it computes with gradients, and could not repair other mistakes,
NOT_FOUND = 3.8  # or it could.
# More for a line that
RIGHT = 3.0  # computes a gradient already,
RIGHT_ARGUMENT = 1.8  # hands a gradient over to a function,
READS_WRONG = 1.0  # reads what is no gradient: the mistake may be there,
RETURNS = 2.5  # only returns a value, or gives it another name,
CONTINUED = 0.2  # computes a part of a sum that another line goes on with.
# Less for a line that
PART = {"total": 0.8, "use": 2.0, "sum": 2.0}  # computes a part of the gradient that it should,
SAME_STEP = 0.4  # the paths of one step, and lacks another of that step,
SAME_KIND = 0.1  # one by the same operation, such as a product with another weight,
RENAMES = 0.4  # and does nothing but give a part another name,
CONSISTENT = 0.6  # would compute a gradient then,
NAMED = 0.5  # that of h, and calls it dh,
SCALES = 0.1  # multiplies by a number, if another number is what it takes,
ZERO_TERM = 0.3  # makes zeros where another line adds a term.


@dataclass
class Found:
    """An operation, what may be wrong with it, and the gradient that it should compute, if these are known."""

    cost: float
    operation: Operation
    correction: Correction | None = None
    target: Quantity | None = None
    mistake: Mistake | None = None
    place: tuple[str, int] | None = None  # where, if it is not at the operation
    is_jacobian: bool = False

    @property
    def is_explained(self) -> bool:
        return bool(self.correction or self.mistake or self.target)

    def line(self, j: Judgement) -> tuple[str, int]:
        return self.place or j.line(self.operation)


class Place:
    """The operations of one place in the source that have an effect; `every` has the others too."""

    def __init__(
        self, corrections: Corrections, operations: list[Operation], every: list[Operation], confirmed: set[int]
    ) -> None:
        j = self.j = corrections.j
        self.corrections, self.operations, self.every, self.confirmed = corrections, operations, every, confirmed
        self.first, self.last = operations[0], operations[-1]
        self.is_right = all(id(o) in confirmed for o in operations)
        suspicious = [o for o in operations if not j.is_whole(o)] or operations
        telling = [o for o in suspicious if o.value.any() or len(suspicious) == 1]
        self.reads_right = any(map(j.reads_right_values, telling))
        self.is_argument = self.first.slot > 0
        self.returns = all(o.passes and not o.slot for o in operations)
        self.copies = j.line(self.first) in j.copying and not self.is_argument
        self.names, self.is_continued = j.namesakes(self.first), j.is_continued(self.last)
        self.uses_gradients = [j.is_gradient_like(o) for o in operations]

    def found(self) -> Iterator[Found]:
        """Yield what may be wrong, with its cost."""
        possible = self.j.repair.possible(self.operations)
        if all(self.uses_gradients) and not possible:
            return None
        right = self.corrections.of(self.operations, self.every)
        target = next((c.target for c in right if c.target), None)
        wrong = 0
        if target:
            errors = [not close(o.value, q.gradient) for o, q in zip(self.operations, target, strict=True)]
            wrong = errors.index(True) if any(errors) else 0
        meant = target[wrong] if target else None
        if meant is not None and meant.kind == "total":
            meant = self.j.quantities.identify(meant.gradient) or meant
        for c in right:
            o, should_be, maker = self.operations[wrong], meant, self.to_blame(c)
            if c.target and o.moves and o.name and (source := self.j.source_of_error(o, c.target[wrong].gradient)):
                maker, should_be = source
            yield Found(self.cost(c, wrong, maker), maker or o, c, should_be)
        if not right and possible and self.first.node in self.j.visible and self.first.given:
            yield from self.unexplained()

    def cost(self, c: Correction, wrong: int, maker: Operation | None) -> float:
        """Return the cost of a correction, which is a change of what `maker` makes if that is not None."""
        if maker is not None:
            cost = c.cost - ZERO_TERM * (c.target is not None)
        else:
            cost = c.cost + self._against(c)
        cost -= self._part(c)
        becomes = c.target[wrong] if c.target else c.becomes
        if becomes is not None and not self.is_continued:
            cost -= NAMED * any(close(becomes.gradient, q.gradient) for q in self.names)
        is_scaled = c.is_factor and scales(self.first)
        if is_scaled or (self.j.reads_right_values(maker) if maker else self.reads_right):
            return cost - CONSISTENT * (c.becomes is not None and not c.target) - SCALES * is_scaled
        return cost + READS_WRONG * (2 if c.target else 1) * (not (self.is_right or c.is_operator or c.is_sum))

    def _against(self, c: Correction) -> float:
        """Return what speaks against a mistake in this line."""
        cost = 0.0
        if c.is_term:
            cost += 0.5 * self.returns
        elif not c.is_part and (self.returns or (self.copies and c.target and not self._parts(c))):
            cost += RETURNS
        if self.is_right and not c.is_sum:
            cost += RIGHT if not self.is_argument else 0.5 if c.new is not None else RIGHT_ARGUMENT
        return cost

    def _parts(self, c: Correction) -> list[tuple[Quantity, Quantity]]:
        """Return what the operations compute without some of the paths of what they should compute, and that."""
        pairs = zip(self.operations, c.target or (), strict=False)
        return [(q, t) for o, t in pairs for q in parts_of(self.j, o, t)]

    def _part(self, c: Correction) -> float:
        """Return what speaks for it that a line computes a gradient without some of its paths."""
        parts = self._parts(c)
        if not parts or not c.target:
            return 0.0
        kinds, same_step, same_kind = self.j.kinds, False, False
        for q, t in parts:
            lost = [(kinds[n], time) for n, time in zip(q.missing, q.times[1], strict=True) if n not in t.missing]
            same_step |= set(q.times[0]) == {time for _, time in lost}
            same_kind |= q.kind == "use" and kinds[q.uses[0]] in {kind for kind, _ in lost}
        cost = CONTINUED * self.is_continued - PART[c.target[0].kind] - RENAMES * self.copies
        return SAME_STEP * same_step + SAME_KIND * same_kind - cost

    def unexplained(self) -> Iterator[Found]:
        """Yield a line that could be wrong, though it is not known how."""
        j, uses_gradients = self.j, any(self.uses_gradients)
        unknown = [o for o in self.operations if j.is_unknown(o)]
        if not uses_gradients:
            unknown = [o for o in self.operations if not (o.moves and not o.name) and not j.is_known_value(o.value)]
        if not unknown:
            return
        is_jacobian = not uses_gradients and unknown[0].value.ndim == 2 and len(set(unknown[0].value.shape)) == 1
        if uses_gradients:
            cost = SPECIAL if all(map(j.repair.is_special, self.operations)) else NOT_FOUND
        else:
            cost = JACOBIAN if is_jacobian else DERIVATIVE
        cost += (RIGHT_ARGUMENT if self.is_argument else RIGHT) * self.is_right
        cost += RETURNS * self.returns + READS_WRONG * (not self.reads_right)
        yield Found(cost, unknown[0], is_jacobian=is_jacobian)

    def to_blame(self, c: Correction) -> Operation | None:
        """Return the operation of another line that made what is wrong with an operand, or wrote what is returned."""
        j, o = self.j, self.last
        if self.returns and c.operand is None and c.new is None:
            makers = [m for m in j.direct_makers(o) if m.given]
            return makers[0] if makers and all(m.where and m.node == makers[0].node for m in makers) else None
        if c.target and o.name == "add":
            return self._maker_of_zeros(c.target)
        if c.operand is None or c.is_part or (c.is_factor and scales(o)):
            return None
        maker = self.corrections.maker(self.first, c.operand)
        maker = maker if maker is not None and maker.slot else self.corrections.maker(o, c.operand)
        if maker is None or j.line(maker) == j.line(o):
            return None
        hands_over_zeros = (bool(maker.slot) or c.cost <= 1.5) and not maker.value.any()
        return maker if hands_over_zeros or (id(maker) not in self.confirmed and j.depends[maker.out].any()) else None

    def _maker_of_zeros(self, target: list[Quantity]) -> Operation | None:
        """Return the operation that made one of two terms, if it is zero whenever their sum is wrong."""
        wrong = [o for o, q in zip(self.operations, target, strict=True) if not close(o.value, q.gradient)]
        zeros = [k for k in range(2) if wrong and not any(o.given[k].any() for o in wrong)]
        for maker in (self.corrections.maker(wrong[0], k) for k in zeros):
            while maker is not None and maker.moves:
                maker = self.corrections.maker(maker, 0)
            if maker is not None and len(self.j.by_place[maker.node, maker.slot]) >= len(wrong):
                return maker
        return None


def parts_of(j: Judgement, o: Operation, target: Quantity) -> list[Quantity]:
    """Return what an operation computes, if it lacks some of the uses of a variable that the target has."""
    parts = [q for q in j.quantities.matches(o.value) if q.variable == target.variable and q.kind != "total"]
    return [q for q in parts if set(target.missing) < set(q.missing)]


def scales(o: Operation) -> bool:
    """Whether an operation multiplies or divides by a number."""
    return o.name in ("mul", "truediv") and any(not np.shape(x) for x in o.given)
