"""What is checked, as one thing whatever its form: named tensors, forward at any values of them, and backward.

A *subject* holds the layer or the functions, the arguments of forward and the variables that they read. A *session*
is a copy of all that, in float64 or complex128, which runs. Every forward of a session starts from the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.subjects.calls import RATES, Calls, plan
from numpy_rnn.gradient_checking.subjects.leaves import Leaf, follow, leaves_of, without_d
from numpy_rnn.gradient_checking.subjects.session import Session, moved, same
from numpy_rnn.gradient_checking.subjects.signatures import signature_of
from numpy_rnn.gradient_checking.subjects.state import Original, Path, UsedGenerators, is_floating
from numpy_rnn.gradient_checking.subjects.variables import scopes_of

__all__ = ["Session", "Subject"]


class Subject:
    """Something to check.

    Its `tensors` are the values of every array whose gradient is checked, in float64; the `missing` ones have none.
    If it is `unfit`, which says why, nothing can be judged.
    """

    def __init__(
        self, label: str, forward: Callable[..., Any], backward: Callable[..., Any] | None, inputs: dict[str, Any],
        options: Mapping[str, Any], constants: Collection[str], used_generators: UsedGenerators,
        rng: np.random.Generator, is_layer: bool, params_first: bool,
    ) -> None:  # fmt: skip
        self.label, self.forward_callable, self.backward_callable = label, forward, backward
        self.inputs, self.is_layer, self.params_first = inputs, is_layer, params_first
        self.constants, self.reset_generators = [*constants, *options], used_generators()
        self.argument_names = {k: signature_of(f).names for k, f in (("forward", forward), ("backward", backward))}
        owners = [getattr(f, "__self__", None if hasattr(f, "__code__") else f) for f in (forward, backward)]
        self.scopes = scopes_of(forward, backward, *owners)
        self.root: dict[Any, Any] = {
            "args": {**inputs, **options}, "self": owners[0], "other": owners[1], "forward": forward,
            "backward": backward, **{k: scope.read() for k, scope in enumerate(self.scopes)},
        }  # fmt: skip
        self.notes: list[str] = []
        self.tensors: dict[str, Array] = {}
        self.missing: list[str] = []
        self.places: dict[str, Path] | None = None  # where the gradients are, once they have been found
        self.calls = Calls([0])
        self._find_leaves()
        self._find_tensors(used_generators, rng)

    def start(self, dtype: DTypeLike) -> Session:
        """Return a fresh session, without any state from earlier computations."""
        return Session(self, dtype)

    def _find_leaves(self) -> None:
        """Find every floating-point array except the constants."""
        leaves = leaves_of(self.root, next(iter(self.inputs)) if self.params_first else None)
        values = {name: follow(self.root, leaf.paths[0]) for name, leaf in leaves.items()}
        excluded: set[str] = set()
        for constant in self.constants:
            covered = _named(constant, leaves)
            if not covered and constant not in self.root["args"]:
                raise ValueError(f"constants names {constant!r}, expected one of {', '.join(leaves)}")
            excluded.update(covered)
        excluded.update({n for n in leaves if _is_covered(values[n], [values[other] for other in excluded])})
        for name in (name for name in self.inputs if is_floating(values.get(name)) and name not in excluded):
            if len(bad := np.argwhere(~np.isfinite(values[name]))):
                where = tuple(bad[0].tolist())
                raise ValueError(f"{name} is {values[name][where]} at {list(where)}, expected finite values")
        self.constant_leaves = [leaves[name] for name in excluded]
        self.original = Original(self.root, [id(values[name]) for name in excluded])
        if any(array.dtype.itemsize < 8 for array in self.original.arrays):
            self.notes.append("checked on a float64 copy: float32 rounding would hide errors and cause false alarms")
        kept = [name for name in leaves if name not in excluded and (name in self.inputs or np.size(values[name]))]
        self.leaves = {name: leaves[name] for name in kept}

    def _find_tensors(self, used_generators: UsedGenerators, rng: np.random.Generator) -> None:
        """Run forward and backward to learn what forward depends on, and where the gradients are."""
        session = self.start(np.float64)
        session.call_forward({})
        self.reset_generators = used_generators()
        self.calls = plan(self, session.returned, session.root)
        outputs = [y.copy() for y in session.outputs()]
        upstreams = self.calls.upstreams
        self.takes_upstream, is_whole = bool(upstreams), self.calls.whole or not upstreams
        self.without_upstream = [k for k in range(len(outputs)) if not (is_whole or k in upstreams)]
        self.output_names = self._names_of_outputs(len(outputs))
        self.unfit = self._unfit(outputs)
        if self.unfit:
            return
        if self._creates_parameters(session, rng):
            session = self.start(np.float64)
            outputs = [y.copy() for y in session.forward({})]
        other = self.start(np.float64)
        arrays = {name: np.asarray(other.read(name)) for name in self.leaves}
        before = {name: array.copy() for name, array in arrays.items()}
        self.shapes = {name: array.shape for name, array in arrays.items()}
        replaced = {name for name in self.leaves if not same(before[name], session.value(name))}
        self.depends = _depended_on(other, before, outputs, rng)
        read = {n for n, leaf in self.leaves.items() if n in self.depends or not isinstance(leaf.paths[0][0], int)}
        self.leaves = {name: leaf for name, leaf in self.leaves.items() if name in read}
        found = session.backward([rng.standard_normal(y.shape) * is_floating(y) for y in outputs])
        self.reset_generators = used_generators()
        state = _state_among(other, [n for n in self.depends if n in replaced and n not in found])
        lacking = [name for name in self.depends if name not in found and name not in state]
        compared = [n for n in self.leaves if n in found and (n in self.depends or n not in replaced)]
        left = _without_views(arrays, compared, [n for n in lacking if not self.leaves[n].is_number])
        self.missing = [name for name in lacking if name in left]
        self.tensors = {name: before[name] for name in self.leaves if name in left}
        if numbers := [name for name in lacking if self.leaves[name].is_number]:
            self.notes.append(f"{', '.join(numbers)}: numbers without a gradient, taken as constants")
        if state:
            self.notes.append(f"{', '.join(state)} is state that forward replaces: taken as given, not checked")

    def _creates_parameters(self, session: Session, rng: np.random.Generator) -> bool:
        """Start from the state after the first forward if that has made arrays that a second one depends on.

        Those of private attributes, and of objects within objects, are taken for its working memory.
        """
        cold = vars(self).copy()
        self.root = session.root | {"args": cold["root"]["args"]}
        self._find_leaves()
        known = {path for leaf in cold["leaves"].values() for path in leaf.paths}
        new = [name for name, leaf in self.leaves.items() if leaf.is_own and leaf.paths[0] not in known]
        with suppress(Exception), np.errstate(all="ignore"):  # a layer may insist on a backward in between
            warm = self.start(np.float64)
            outputs = [y.copy() for y in warm.forward({})]
            if not all(map(same, outputs, warm.forward({name: moved(warm.value(name), rng) for name in new}))):
                return True
        vars(self).update(cold)
        return False

    def _names_of_outputs(self, count: int) -> list[str]:
        """Name each output: after the upstream gradient of a layer, `dy` for `y`; otherwise by its number."""
        is_named = self.is_layer and not self.calls.whole
        named = {k: without_d(name) for k, name in self.calls.upstreams.items() if is_named and name[0] != "*"}
        return ["output"] if count == 1 and not named else [named.get(k, f"output {k}") for k in range(count)]

    def _unfit(self, outputs: list[Array]) -> str | None:
        """Return why nothing can be judged, if so; raise TypeError unless forward returned numbers."""
        for name, y in zip(self.output_names, outputs, strict=True):
            if y.dtype.kind not in "biufc":
                what = "None" if y.shape == () and y.item() is None else f"an array of dtype {y.dtype}"
                raise TypeError(
                    f"forward of {self.label} returned {what} as its {name}: expected an array of numbers"
                )
            if is_floating(y) and len(bad := np.argwhere(~np.isfinite(y))):
                where = bad[0].tolist()
                return (
                    f"forward is not finite at this point ({name} is {y[tuple(where)]} at {where}), so nothing can "
                    "be judged here: choose values for which it is, such as positive ones for a logarithm"
                )
        if not any(map(is_floating, outputs)):
            kinds = ", ".join(f"{name}: {y.dtype}" for name, y in zip(self.output_names, outputs, strict=True))
            raise TypeError(
                f"forward of {self.label} returned no floating-point numbers ({kinds}): nothing to differentiate"
            )
        session = self.start(np.float64)
        for again in (session.forward({}) for _ in range(2)):
            if not (len(again) == len(outputs) and all(map(same, again, outputs))):
                return (
                    "forward returns different results for the same inputs, so it has no derivative and nothing can "
                    "be judged: draw random numbers from a generator that is an argument, an attribute or a variable "
                    "of the module, or from np.random or random (their states are set back), or fix the seed"
                )
        return None


def _named(constant: str, leaves: Mapping[str, Leaf]) -> list[str]:
    """Return the arrays that a constant names: itself, what it holds, or the only one whose last part is its name."""
    exact = [name for name in leaves if name == constant or name.startswith((f"{constant}[", f"{constant}."))]
    last = [name for name, leaf in leaves.items() if leaf.last == constant]
    return exact or (last if len(last) == 1 else [])


def _depended_on(
    session: Session, point: Mapping[str, Array], outputs: Sequence[Array], rng: np.random.Generator
) -> list[str]:
    """Return those arrays whose values move the outputs, tried with small random changes."""
    ignored = session.subject.without_upstream

    def moves(name: str, x: Array) -> bool:
        try:
            with np.errstate(all="ignore"):
                ys = session.forward({name: moved(x, rng)})
            return not all(same(y, outputs[k]) for k, y in enumerate(ys) if k not in ignored)
        except Exception:  # forward refuses other values, so it looks at them
            return True

    return [name for name, x in point.items() if moves(name, x)]


def _state_among(session: Session, names: Collection[str]) -> list[str]:
    """Return those arrays that each forward replaces by others, such as a hidden state that is carried on."""
    subject = session.subject
    if subject.backward_callable is None and {*RATES} & {*signature_of(subject.forward_callable).names}:
        return []  # a function like train_step(x, y, lr) updates its parameters
    session.forward({})
    first = {name: session.value(name) for name in names}
    try:
        session.call_forward({})
    except Exception:  # a layer may insist on a backward in between
        return []
    return [name for name in names if not same(first[name], session.read(name))]


def _is_covered(array: Any, others: Iterable[Any]) -> bool:
    """Whether an array shares all its memory with others."""
    shared = [min(np.size(other), np.size(array)) for other in others if np.may_share_memory(other, array)]
    return bool(shared) and sum(shared) >= np.size(array)


def _without_views(arrays: Mapping[str, Array], compared: Collection[str], missing: Collection[str]) -> list[str]:
    """Return the arrays without those that views of them, or arrays that they are views of, stand for."""
    left = [*compared, *missing]
    for name in sorted(left, key=lambda name: -arrays[name].size):
        others = [n for n in left if n in compared and n != name and np.may_share_memory(arrays[n], arrays[name])]
        if _is_covered(arrays[name], [arrays[other] for other in others]):
            left.remove(name)
        elif name in compared:
            left = [other for other in left if other not in others]
    return left
