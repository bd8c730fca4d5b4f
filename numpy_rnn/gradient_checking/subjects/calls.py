"""How forward and backward are called: which of what forward returns is an output, and what backward is given.

    outputs = layer.forward(*inputs)            gradients = layer.backward(*upstream)
    outputs, cache = forward(*inputs)           gradients = backward(*upstream, cache)
    loss, gradients = f(*inputs)

Each argument of backward is given what its name says (a cache, a learning rate, an input of forward), and otherwise
the upstream gradients of the outputs in order. A loss starts the backward pass with 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.subjects.leaves import without_d
from numpy_rnn.gradient_checking.subjects.signatures import returned_names, signature_of

if TYPE_CHECKING:
    from numpy_rnn.gradient_checking.subjects.subject import Subject

__all__ = ["RATES", "Calls", "arrays_in", "as_list", "is_number", "plan"]

CACHES = ("cache", "tape", "ctx", "context", "saved", "memory", "caches", "state_cache")
RATES = ("learning_rate", "lr", "eta", "alpha", "rate", "step_size")
OUTPUTS = ("output", "outputs", "out", "result", "y", "a", "h", "s", "p")  # names of what forward computes

# What each argument of backward is given: ("upstream", k), ("cache", position), ("input", name) or ("rate", name).
Roles = dict[str, tuple[str, Any]]


def is_number(value: Any) -> bool:
    """Whether a value is one floating-point number, as a loss is."""
    array = np.asarray(value) if isinstance(value, np.ndarray | np.number | float) else None
    return array is not None and array.size == 1 and array.dtype.kind in "fc"


@dataclass
class Calls:
    """How the values that forward returns are read, and what backward is given."""

    outputs: list[int]  # their positions among the values that forward returns
    attribute: str | None = None  # in which forward leaves its output, if it returns None
    arguments: Roles = field(default_factory=dict)
    whole: bool = False  # whether an output that is a list of arrays has one upstream gradient, a list too

    @property
    def upstreams(self) -> dict[int, str]:
        """The numbers of the outputs whose upstream gradients backward takes, and the names of these arguments."""
        return {what: name for name, (kind, what) in self.arguments.items() if kind == "upstream"}

    def items(self, returned: Any, owner: Any) -> list[Any]:
        """Return the outputs, each as forward returned it."""
        values = as_list(returned if self.attribute is None else [getattr(owner, self.attribute)])
        return [values[k] for k in self.outputs]

    def given(self, returned: Any, items: list[Any], upstream: list[Array], inputs: Any) -> dict[str, Any]:
        """Return the arguments of backward; the upstream gradient of a loss is one number."""
        numbers = iter([u.item() if u.ndim == 0 else u for u in upstream])
        arranged = [_arranged(item, numbers) for item in items] if self.whole else list(numbers)
        source = {"upstream": arranged, "cache": as_list(returned), "input": inputs}
        return {name: source[kind][what] if kind in source else 1.0 for name, (kind, what) in self.arguments.items()}


def plan(subject: Subject, returned: Any, root: Mapping[Any, Any]) -> Calls:
    """Decide, after one forward, which of the values it returned are outputs, and how backward is called."""
    items, attribute, owner = as_list(returned), None, root["self"]
    if subject.backward_callable is None:
        return Calls([_loss_among(subject.label, items)])
    if returned is None:
        attribute = next((name for name in OUTPUTS if isinstance(getattr(owner, name, None), np.ndarray)), None)
        if attribute is None:
            raise TypeError(
                f"forward of {subject.label} returned None: expected its output, or self.output set to it"
            )
        items = [getattr(owner, attribute)]
    signature, returns = signature_of(subject.backward_callable), returned_names(subject.forward_callable)
    returns = returns if len(returns) == len(items) else [""] * len(items)
    roles = _told_by_names(subject, items, returns)
    ups = [
        name for k, name in enumerate(signature.names) if name not in roles
        and (k == 0 or name not in signature.default or (name in signature.optional and name not in CACHES))
    ]  # fmt: skip
    cached = {what for kind, what in roles.values() if kind == "cache"} - {0}
    if len(items) > 1 and not cached:
        cached = _by_convention(subject, items, ups, roles)
    calls = Calls([k for k in range(len(items)) if k not in cached], attribute)
    chosen = [items[k] for k in calls.outputs]
    count = sum(len(arrays_in(item)) for item in chosen)
    calls.whole = len(chosen) == len(ups) and any(map(_is_nested, chosen))
    available = len(chosen) if calls.whole else count
    if extra := [name for name in ups[available:] if name not in signature.default]:
        raise TypeError(
            f"backward of {subject.label} needs {', '.join(extra)}, but forward returned {available} output"
            f"{'s' * (available != 1)}: return a cache too, or give {extra[0]} the name of an argument of forward"
        )
    ups = ups[:available]
    numbers = list(range(len(ups)))
    if len(ups) < len(chosen) == count:  # some outputs have no upstream gradient; the names may tell which
        named = [returns.index(without_d(name)) for name in ups if without_d(name) in returns]
        if len(set(named) & set(calls.outputs)) == len(ups):
            numbers = [calls.outputs.index(k) for k in named]
    roles |= {name: ("upstream", k) for name, k in zip(ups, numbers, strict=True)}
    further = {f"*{k}": ("upstream", k) for k in range(len(ups), available)} if signature.more else {}
    order = [*signature.names, "*", *further] if subject.params_first else [*signature.names, *further, "*"]
    calls.arguments = {name: (roles | further)[name] for name in order if name in roles | further}
    return calls


def _told_by_names(subject: Subject, items: list[Any], returns: list[str]) -> Roles:
    """Return what the arguments of backward are given that their names tell: the others are upstream gradients."""
    signature, inputs = signature_of(subject.backward_callable), subject.inputs
    is_single = len(items) == 1 and not subject.is_layer
    # The first argument is an upstream gradient, unless another is, or there is none, as in loss.backward(p, target).
    others = {*signature.required} - {*signature.names[:1], *inputs, *CACHES, *RATES}
    is_first_an_input = bool(others) or is_number(items[0]) or is_single
    roles: Roles = {}
    for k, name in enumerate(signature.names):
        if name in CACHES:
            is_cache = name in signature.required or not (_is_array(items[-1]) or _is_state(subject, items))
            if len(items) > 1 and is_cache:
                roles[name] = ("cache", len(items) - 1)
        elif k == 0 and not (is_first_an_input and name in inputs):
            continue
        elif name in RATES:
            roles[name] = ("rate", name)
        elif name in returns:
            roles[name] = ("cache", returns.index(name))  # out, z = forward(x) and backward(dout, z)
        elif name in inputs and name in signature.required:
            roles[name] = ("input", name)
        elif name in OUTPUTS and k and is_single:
            roles[name] = ("cache", 0)  # the output itself: tanh' is 1 - y^2
    return roles


def _by_convention(subject: Subject, items: list[Any], ups: list[str], roles: Roles) -> set[int]:
    """Hand the last value that forward returned to backward if it is a cache; return its position, if so.

    A pair of functions passes the cache on; a layer that returns one may also keep it. No layer's cache is an array.
    """
    signature, last, is_pair = signature_of(subject.backward_callable), len(items) - 1, not subject.is_layer
    needed = [name for name in ups if name not in signature.default] or ups
    least = 1 if is_number(items[0]) and not roles else 2  # backward(cache) of a loss, or backward(dout, cache)
    is_cache = is_pair or not (_is_array(items[last]) or _is_state(subject, items))
    if is_pair and signature.more:
        roles["*"] = ("cache", last)
    elif is_cache and len(needed) >= (least if is_pair else len(items)):
        taker = needed[0 if subject.params_first else -1]
        roles[taker] = ("cache", last)
        ups.remove(taker)
    return {last} if is_cache else set()


def _loss_among(label: str, items: list[Any]) -> int:
    """Return the position of the loss among the values that one function returned."""
    losses = [k for k, item in enumerate(items) if is_number(item)]
    if not losses or (losses[0] and len(losses) > 1):
        kinds = [f"an array {v.shape}" if isinstance(v, np.ndarray) else f"a {type(v).__name__}" for v in items]
        raise TypeError(
            f"{label} returned {', '.join(kinds)}: expected a loss, which is one number, and its gradients; for a "
            "layer in two functions, check the pair (forward, backward)"
        )
    return losses[0]


def as_list(returned: Any) -> list[Any]:
    """Return one value or several as a list."""
    return list(returned) if isinstance(returned, tuple | list) else [returned]


def arrays_in(item: Any) -> list[Any]:
    """Return the arrays in an output that is a tuple, list or dictionary of them, or else the output alone."""
    return [*(item.values() if isinstance(item, Mapping) else item)] if _is_nested(item) else [item]


def _arranged(item: Any, arrays: Iterator[Any]) -> Any:
    """Return the next of `arrays` in the arrangement of `item`."""
    if isinstance(item, Mapping) and _is_nested(item):
        return {key: next(arrays) for key in item}
    if _is_nested(item):
        return (tuple if isinstance(item, tuple) else list)(next(arrays) for _ in item)
    return next(arrays)


def _is_nested(item: Any) -> bool:
    members = list(item.values()) if isinstance(item, Mapping) else item
    return isinstance(members, tuple | list) and any(isinstance(y, np.ndarray) for y in members)


def _is_state(subject: Subject, items: list[Any]) -> bool:
    """Whether a layer's last output is several arrays, such as (h_n, c_n), with an optional gradient in backward."""
    names = signature_of(subject.backward_callable).names
    if not subject.is_layer or not _is_nested(items[-1]) or len(names) < len(items):
        return False
    last = names[len(items) - 1]
    return last in signature_of(subject.backward_callable).default and last not in CACHES


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.number)
