"""What is checked, as one thing whatever its form: named tensors, forward at any values of them, and backward.

A *subject* holds the layer or the functions, the arguments of forward and the variables that they read. A *session*
is a copy of all that, in float64 or complex128, which runs. Every forward of a session starts from the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.subjects.calls import Calls, output_names, plan
from numpy_rnn.gradient_checking.subjects.dependence import (
    creates_parameters,
    depended_on,
    state_among,
    without_duplicates,
)  # fmt: skip
from numpy_rnn.gradient_checking.subjects.leaves import Leaf, follow, leaves_of
from numpy_rnn.gradient_checking.subjects.session import Session, same
from numpy_rnn.gradient_checking.subjects.signatures import signature_of
from numpy_rnn.gradient_checking.subjects.state import Original, Path, is_floating
from numpy_rnn.gradient_checking.subjects.variables import scopes_of

__all__ = ["Session", "Subject"]


class Subject:
    """Something to check.

    Attributes
    ----------
    label : str
    inputs : dict of str to value
        The arguments of forward that were given.
    further_inputs : list of str
        Those that were not given, and are None by default.
    tensors : dict of str to ndarray
        The values of every array whose gradient is checked, in float64.
    missing : list of str
        Arrays that forward depends on, without a gradient, and not named as constants.
    unfit : str or None
        Why nothing can be judged: forward is not finite, or not a function of its inputs.
    output_names : list of str
        The name of each array that forward returns.
    """

    def __init__(
        self, label: str, forward: Callable[..., Any], backward: Callable[..., Any] | None, inputs: dict[str, Any],
        *, is_layer: bool = False, params_first: bool = False, options: Mapping[str, Any], constants: Collection[str],
        used_generators: Callable[[], list[Callable[[], None]]], rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self.label, self.forward_callable, self.backward_callable = label, forward, backward
        self.inputs, self.constants, self.is_layer, self.params_first = inputs, constants, is_layer, params_first
        signature = signature_of(forward)
        self.keywords = signature.keywords
        self.further_inputs = [n for n in signature.optional if not (n in inputs or n in options)]
        owners = [getattr(f, "__self__", None if hasattr(f, "__code__") else f) for f in (forward, backward)]
        self.scopes = scopes_of(forward, backward, *owners)
        self.root: dict[Any, Any] = {
            "args": inputs, "self": owners[0], "other": owners[1], "forward": forward, "backward": backward,
            "options": dict(options), **{k: scope.read() for k, scope in enumerate(self.scopes)},
        }  # fmt: skip
        self.notes: list[str] = []
        self.leaves = self._leaves()
        self.tensors: dict[str, Array] = {}
        self.missing: list[str] = []
        self.places: dict[str, Path] | None = None  # where the gradients are, once they have been found
        self.calls, self.is_warm = Calls([0]), False
        self.used_generators, self.reset_generators = used_generators, used_generators()
        self._find_tensors(rng)

    def start(self, dtype: DTypeLike) -> Session:
        """Return a fresh session, without any state from earlier computations."""
        return Session(self, dtype)

    def _leaves(self) -> dict[str, Leaf]:
        """Return every floating-point array except the options and the constants."""
        leaves = leaves_of(self.root, "params" if self.params_first else None)
        self.known = {path for leaf in leaves.values() for path in leaf.paths}
        values = {name: follow(self.root, leaf.paths[0]) for name, leaf in leaves.items()}
        excluded: set[str] = set()
        for constant in self.constants:
            covered = _covered(constant, leaves)
            if not covered and constant not in {**self.inputs, **self.root["options"]}:
                raise ValueError(f"constants names {constant!r}, expected one of {', '.join(leaves)}")
            excluded.update(covered)
        excluded.update(name for name in leaves if _is_covered(values[name], [values[other] for other in excluded]))
        self.constant_leaves = [leaves[name] for name in excluded]
        self.original = Original(self.root, [id(values[name]) for name in excluded])
        if any(array.dtype.itemsize < 8 for array in self.original.arrays):
            self.notes.append("checked on a float64 copy: float32 rounding would hide errors and cause false alarms")
        for name in (name for name in self.inputs if is_floating(values.get(name)) and name not in excluded):
            if len(bad := np.argwhere(~np.isfinite(values[name]))):
                where = tuple(bad[0].tolist())
                raise ValueError(f"{name} is {values[name][where]} at {list(where)}, expected finite values")
        kept = [name for name in leaves if name not in excluded and (name in self.inputs or np.size(values[name]))]
        return {name: leaves[name] for name in kept}

    def _find_tensors(self, rng: np.random.Generator) -> None:
        """Run forward and backward to learn what forward depends on, and where the gradients are."""
        session, other = self.start(np.float64), self.start(np.float64)
        arrays = {name: np.asarray(session.read(name)) for name in self.leaves}
        before = {name: array.copy() for name, array in arrays.items()}
        self.shapes = {name: array.shape for name, array in arrays.items()}
        session.call_forward({})
        self.reset_generators = self.used_generators()
        self.calls = plan(self, session.returned, session.root)
        outputs = [y.copy() for y in session.outputs()]
        self.output_names = output_names(self, len(outputs))
        _check_outputs(self.label, self.output_names, outputs)
        upstreams = self.calls.upstreams
        self.takes_upstream, is_whole = bool(upstreams), self.calls.whole or not upstreams
        self.without_upstream = [k for k in range(len(outputs)) if not (is_whole or k in upstreams)]
        replaced = {n for n in self.leaves if not same(before[n], session.value(n))}
        self.unfit = self._unfit(outputs, other)
        if self.unfit:
            return
        if not self.is_warm and creates_parameters(session, self.known, rng):  # start from its state then
            self.is_warm, self.root = True, session.root | {"args": self.inputs}
            self.leaves = self._leaves()
            self._find_tensors(rng)
            return
        self.depends = depended_on(other, before, outputs, rng)
        read = {n for n, leaf in self.leaves.items() if n in self.depends or not isinstance(leaf.part, int)}
        self.leaves = {name: leaf for name, leaf in self.leaves.items() if name in read}
        upstream = [rng.standard_normal(y.shape) if is_floating(y) else np.zeros(y.shape) for y in outputs]
        found = session.backward(upstream)
        self.reset_generators = self.used_generators()
        state = state_among(other, [n for n in self.depends if n in replaced and n not in found])
        lacking = [name for name in self.depends if name not in found and name not in state]
        compared = [n for n in self.leaves if n in found and (n in self.depends or n not in replaced)]
        left = without_duplicates(arrays, compared, [n for n in lacking if not self.leaves[n].is_number])
        self.missing = [name for name in lacking if name in left]
        self.tensors = {name: before[name] for name in self.leaves if name in left}
        if numbers := [name for name in lacking if self.leaves[name].is_number]:
            self.notes.append(f"{', '.join(numbers)}: numbers without a gradient, taken as constants")
        if state:
            self.notes.append(f"{', '.join(state)} is state that forward replaces: taken as given, not checked")

    def _unfit(self, outputs: list[Array], other: Session) -> str | None:
        for name, y in zip(self.output_names, outputs, strict=True):
            if is_floating(y) and len(bad := np.argwhere(~np.isfinite(y))):
                where = bad[0].tolist()
                return (
                    f"forward is not finite at this point ({name} is {y[tuple(where)]} at {where}), so nothing can "
                    "be judged here: choose values for which it is, such as positive ones for a logarithm"
                )
        for again in (other.forward({}) for _ in range(2)):
            if not (len(again) == len(outputs) and all(map(same, again, outputs))):
                return (
                    "forward returns different results for the same inputs, so it has no derivative and nothing can "
                    "be judged: draw random numbers from a generator that is an argument, an attribute or a variable "
                    "of the module, or from np.random or random (their states are set back), or fix the seed"
                )
        return None


def _covered(constant: str, leaves: Mapping[str, Leaf]) -> list[str]:
    """Return the arrays that a constant names: itself, what it holds, or the only one whose last part is its name."""
    exact = [name for name in leaves if name == constant or name.startswith((f"{constant}[", f"{constant}."))]
    last = [name for name, leaf in leaves.items() if leaf.last == constant]
    return exact or (last if len(last) == 1 else [])


def _is_covered(array: Any, constants: list[Any]) -> bool:
    """Whether an array shares all its memory with constants."""
    arrays = [other for other in constants if isinstance(other, np.ndarray)]
    sizes = [other.size for other in arrays if isinstance(array, np.ndarray) and np.may_share_memory(array, other)]
    return bool(sizes) and sum(sizes) >= array.size


def _check_outputs(label: str, names: Sequence[str], outputs: Sequence[Array]) -> None:
    """Raise TypeError unless forward returned numbers, and floating-point ones among them."""
    for name, y in zip(names, outputs, strict=True):
        if y.dtype.kind not in "biufc":
            what = "None" if y.shape == () and y.item() is None else f"an array of dtype {y.dtype}"
            raise TypeError(f"forward of {label} returned {what} as its {name}: expected an array of numbers")
    if not any(map(is_floating, outputs)):
        kinds = ", ".join(f"{name}: {y.dtype}" for name, y in zip(names, outputs, strict=True))
        raise TypeError(f"forward of {label} returned no floating-point numbers ({kinds}): nothing to differentiate")
