"""What is checked, as one thing whatever its form: named tensors, forward at any values of them, and backward.

A *subject* holds the layer or the functions, the arguments of forward and the variables that they read. A *session* is a
copy of all that, in float64 or complex128, which runs. Every forward of a session starts from the same state.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.subjects.calls import Calls, output_names, plan, returned_names, signature_of
from numpy_rnn.gradient_checking.subjects.dependence import depended_on, state_among, without_duplicates
from numpy_rnn.gradient_checking.subjects.leaves import Leaf, follow, is_rows, leaves_of
from numpy_rnn.gradient_checking.subjects.session import Session, same
from numpy_rnn.gradient_checking.subjects.state import Original, Path, is_floating, walk
from numpy_rnn.gradient_checking.subjects.variables import scopes_of

__all__ = ["Session", "Subject", "as_subject"]

FACES = (
    ("forward", "backward"), ("forward_pass", "backward_pass"), ("fprop", "bprop"), ("forward_prop", "backward_prop"),
    ("forward_propagation", "backward_propagation"), ("forward", "backprop"), ("__call__", "backward"),
    ("loss", "gradient"), ("forward_prop", "back_prop"), ("feedforward", "backprop"),
)  # fmt: skip


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
        self, label: str, forward: Callable[..., Any], backward: Callable[..., Any] | None, inputs: Mapping[str, Any],
        *, is_layer: bool = False, params_first: bool = False, options: Mapping[str, Any] | None = None,
        constants: Collection[str] = (), used_generators: Callable[[], list[Callable[[], None]]],
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self.label, self.forward_callable, self.backward_callable = label, forward, backward
        self.params_first, self.constants = params_first, constants
        self.keywords = signature_of(forward).keywords
        self.notes: list[str] = []
        signature, options = signature_of(forward), options or {}
        self.further_inputs = [n for n in signature.optional if not (n in inputs or n in options)]
        self.inputs = {name: as_float64(name, value) for name, value in inputs.items()}
        owners = [getattr(f, "__self__", None if hasattr(f, "__code__") else f) for f in (forward, backward)]
        self.scopes = scopes_of(forward, backward, *owners)
        self.root: dict[Any, Any] = {
            "args": self.inputs, "self": owners[0], "other": owners[1], "forward": forward, "backward": backward,
            "options": dict(options), **{k: scope.read() for k, scope in enumerate(self.scopes)},
        }  # fmt: skip
        given = [value for _, value in walk([owners, inputs]) if is_floating(value)]
        if any(value.dtype.itemsize < 8 for value in given):
            self.notes.append("checked on a float64 copy: float32 rounding would hide errors and cause false alarms")
        self.leaves = self._leaves()
        self.places: dict[str, Path] | None = None  # of the gradients, once they have been found
        self.tensors: dict[str, Array] = {}
        self.missing: list[str] = []
        self.used_generators, self.reset_generators = used_generators, used_generators()
        self._find_tensors(is_layer, rng)

    def start(self, dtype: DTypeLike) -> Session:
        """Return a fresh session, without any state from earlier computations."""
        return Session(self, dtype)

    def _find_tensors(self, is_layer: bool, rng: np.random.Generator) -> None:
        self.calls = Calls([0])
        session = self.start(np.float64)
        before = {name: session.value(name) for name in self.leaves}
        self.shapes: dict[str, tuple[int, ...]] = {name: np.shape(x) for name, x in before.items()}
        session.call_forward({})
        self.reset_generators = self.used_generators()
        self.calls = plan(
            self.label, self.forward_callable, self.backward_callable, session.returned, session.root["self"],
            list(self.inputs), is_layer, self.params_first,
        )  # fmt: skip
        names = returned_names(self.backward_callable or self.forward_callable)
        is_one = self.backward_callable is None
        self.returned_names = [name for k, name in enumerate(names) if not (is_one and k in self.calls.outputs)]
        outputs = session.outputs()
        self.output_names = output_names(self.calls, self.backward_callable, is_layer, len(outputs))
        given = {what for kind, what in self.calls.arguments if kind == "upstream"}
        self.takes_upstream = bool(given)
        is_whole = self.calls.whole or self.backward_callable is None or not given
        self.without_upstream = [] if is_whole else [k for k in range(len(outputs)) if k not in given]
        _check_outputs(self.label, self.output_names, outputs)
        outputs = [y.copy() for y in outputs]
        replaced = {n for n in self.leaves if not same(before[n], session.value(n))}
        self.unfit = self._unfit(outputs)
        if self.unfit:
            return
        self.depends = depended_on(self, list(self.leaves), outputs, rng)
        for name in list(self.leaves):  # variables that forward does not read
            if name not in self.depends and isinstance(self.leaves[name].part, int):
                del self.leaves[name]
        upstream = [rng.standard_normal(y.shape) if is_floating(y) else np.zeros(y.shape) for y in outputs]
        found = session.backward(upstream)
        self.reset_generators = self.used_generators()
        state = state_among(self, sorted(replaced & set(self.depends) - set(found)))
        lacking = [name for name in self.depends if name not in found and name not in state]
        self.missing = [name for name in lacking if not self.leaves[name].is_number]
        kept = [n for n in self.leaves if n in found and (n in self.depends or n not in replaced)]
        left = without_duplicates(self, kept, self.missing)
        self.missing = [name for name in self.missing if name in left]
        self.tensors = {name: before[name] for name in self.leaves if name in left}
        if numbers := [name for name in lacking if self.leaves[name].is_number]:
            self.notes.append(f"{', '.join(numbers)}: numbers without a gradient, taken as constants")
        if state:
            self.notes.append(f"{', '.join(state)} is state that forward replaces: taken as given, not checked")

    def _leaves(self) -> dict[str, Leaf]:
        """Return every floating-point array except the options and the constants."""
        leaves = leaves_of(self.root, "params" if self.params_first else None)
        named = {name: _covered(name, leaves) for name in self.constants}
        for name, covered in named.items():
            if not covered and name not in self.root["options"]:
                raise ValueError(f"constants names {name!r}, expected one of {', '.join(leaves)}")
        excluded = {name for covered in named.values() for name in covered}
        values = {name: follow(self.root, leaf.paths[0]) for name, leaf in leaves.items()}
        self.original = Original(self.root, [id(values[name]) for name in excluded])
        is_kept = {name: name not in excluded and (name in self.inputs or np.size(values[name])) for name in leaves}
        return {name: leaf for name, leaf in leaves.items() if is_kept[name]}

    def _unfit(self, outputs: list[Array]) -> str | None:
        for name, y in zip(self.output_names, outputs, strict=True):
            if is_floating(y) and len(bad := np.argwhere(~np.isfinite(y))):
                where = bad[0].tolist()
                return (
                    f"forward is not finite at this point ({name} is {y[tuple(where)]} at {where}), so nothing can be "
                    "judged here: choose values for which it is, such as positive ones for a logarithm"
                )
        for session in (self.start(np.float64), self.start(np.float64)):
            again = [np.asarray(y) for y in session.forward({})]
            if not (len(again) == len(outputs) and all(map(same, again, outputs))):
                return (
                    "forward returns different results for the same inputs, so it has no derivative and nothing can be "
                    "judged: draw random numbers from a numpy.random.Generator that is an argument, an attribute or a "
                    "variable of the module, or from np.random (their states are set back), or fix the seed"
                )
        return None


def as_subject(
    checked: Any, inputs: tuple[Any, ...], options: Mapping[str, Any], constants: Collection[str],
    used_generators: Callable[[], list[Callable[[], None]]], rng: np.random.Generator,
) -> Subject:  # fmt: skip
    """Return what is checked as a subject: a layer, a pair of functions, or a function that returns both.

    Raises
    ------
    TypeError
        It is none of these, or its inputs do not fit.
    """
    more: dict[str, Any] = {
        "constants": constants, "used_generators": used_generators, "rng": rng, "options": options,
    }  # fmt: skip
    if isinstance(checked, tuple | list):
        if len(checked) != 2 or not all(map(callable, checked)):
            raise TypeError("a pair must be two functions, (forward, backward)")
        if options:
            raise TypeError(f"a pair takes no further arguments, got {', '.join(options)}")
        forward, backward = checked
        label = getattr(forward, "__name__", type(forward).__name__)
        given, params = inputs[0] if len(inputs) == 1 else inputs, None
        if len(inputs) == 2 and isinstance(inputs[1], Mapping):
            given, params = inputs
        named = _named(label, forward, given if isinstance(given, Mapping | tuple | list) else (given,), params)
        return Subject(label, forward, backward, named, params_first=params is not None, **more)
    label = checked.__name__ if isinstance(checked, type) else type(checked).__name__
    if isinstance(checked, type) and not any(
        isinstance(inspect.getattr_static(checked, name, None), staticmethod | classmethod)
        for name in ("forward", "loss")
    ):
        raise TypeError(f"{checked.__name__} is a class: expected a layer, {checked.__name__}(...)")
    for names in FACES:
        forward, backward = (getattr(checked, name, None) for name in names)
        if callable(forward) and callable(backward):
            return Subject(label, forward, backward, _named(label, forward, inputs, None), is_layer=True, **more)
    if not callable(checked):
        raise TypeError(
            f"{label} has no methods forward and backward: "
            "expected a layer, a pair (forward, backward), or a function that returns a loss and its gradients"
        )
    label = getattr(checked, "__name__", label)
    return Subject(label, checked, None, _named(label, checked, inputs, None), **more)


def _named(label: str, forward: Callable[..., Any], inputs: Any, params: Any) -> dict[str, Any]:
    """Return the inputs by the names of forward's arguments, in their order; params come first."""
    signature = signature_of(forward)
    names = list(signature.names[1:] if params is not None else signature.names) + signature.keywords
    if not isinstance(inputs, Mapping):
        names = names[: len(names) - len(signature.keywords)]
        if len(inputs) > len(names) and not signature.more:
            raise TypeError(f"forward of {label} takes {len(names)} inputs, got {len(inputs)}")
        names += [f"input {k}" for k in range(len(names), len(inputs))]
        inputs = dict(zip(names, inputs, strict=False))
    elif set(inputs) <= set(names):
        inputs = {name: inputs[name] for name in names if name in inputs}
    elif not signature.more:
        unknown = ", ".join(str(name) for name in inputs if name not in names)
        raise TypeError(f"{label} takes {', '.join(names)}, got {unknown}")
    return ({} if params is None else {"params": params}) | dict(inputs)


def as_float64(name: str, value: Any) -> Any:
    """Return floating-point numbers as an array of float64, lists of them too; anything else as it is."""
    if isinstance(value, np.floating) or (isinstance(value, list) and is_rows(value)):
        value = np.asarray(value)
    elif not isinstance(value, np.ndarray) and hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if is_floating(value):
        if value.dtype.kind == "c":
            raise TypeError(f"{name} has dtype {value.dtype}, expected real numbers")
        if len(bad := np.argwhere(~np.isfinite(value))):
            where = tuple(bad[0].tolist())
            raise ValueError(f"{name} is {value[where]} at {list(where)}, expected finite values")
        return value.copy()  # so that two inputs which are one array, or views of it, are two
    return value


def _covered(constant: str, leaves: Mapping[str, Leaf]) -> list[str]:
    """Return the arrays that a constant names: itself, what it holds, or the only one whose last part is its name."""
    exact = [name for name in leaves if name == constant or name.startswith((f"{constant}[", f"{constant}."))]
    last = [name for name, leaf in leaves.items() if leaf.last == constant]
    return exact or (last if len(last) == 1 else [])


def _check_outputs(label: str, names: Sequence[str], outputs: Sequence[Array]) -> None:
    """Raise TypeError unless forward returned numbers, and floating-point ones among them."""
    for name, y in zip(names, outputs, strict=True):
        if y.dtype.kind not in "biufc":
            what = "None" if y.shape == () and y.item() is None else f"an array of dtype {y.dtype}"
            raise TypeError(f"forward of {label} returned {what} as its {name}: expected an array of numbers")
    if not any(map(is_floating, outputs)):
        kinds = ", ".join(f"{name}: {y.dtype}" for name, y in zip(names, outputs, strict=True))
        raise TypeError(f"forward of {label} returned no floating-point numbers ({kinds}): nothing to differentiate")
