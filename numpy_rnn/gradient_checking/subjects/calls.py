"""How forward and backward are called: which of what forward returns is an output, and what backward is given.

    outputs = layer.forward(*inputs)            gradients = layer.backward(*upstream)
    outputs, cache = forward(*inputs)           gradients = backward(*upstream, cache)
    loss, gradients = f(*inputs)

Each argument of backward is given what its name says (a cache, a learning rate, an input of forward), and otherwise the
upstream gradients of the outputs in order. A loss starts the backward pass with 1.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.subjects.leaves import without_d

if TYPE_CHECKING:
    from numpy_rnn.gradient_checking.subjects.subject import Subject

__all__ = [
    "Calls", "Signature", "arrays_in", "as_list", "is_number", "output_names", "plan", "returned_names", "signature_of",
]  # fmt: skip

CACHES = ("cache", "tape", "ctx", "context", "saved", "memory", "caches", "state_cache")
RATES = ("learning_rate", "lr", "eta", "alpha", "rate", "step_size")
OUTPUTS = ("output", "outputs", "out", "result", "y", "a", "h", "s", "p")  # names of what forward computes


@dataclass(frozen=True)
class Signature:
    """The positional arguments of a function."""

    names: list[str]
    more: bool = False  # *arguments
    optional: list[str] = field(default_factory=list)  # those that are None unless given, such as an initial state
    default: list[str] = field(default_factory=list)  # those with any default
    keywords: list[str] = field(default_factory=list)  # arguments by keyword alone


def signature_of(function: Callable[..., Any] | None) -> Signature:
    """Return the positional arguments; those of a built-in function without a signature may be any."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return Signature([], True)
    named = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    more = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    default = [p.name for p in named if p.default is not p.empty]
    keywords = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    return Signature([p.name for p in named], more, [p.name for p in named if p.default is None], default, keywords)


def returned_names(function: Callable[..., Any]) -> list[str]:
    """Return the names in the only `return a, b, c` of a function, "" where it is no name; [] if that is unclear."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return []
    if not tree.body or not isinstance(definition := tree.body[0], ast.FunctionDef):
        return []
    inner = [node for node in ast.walk(definition) if isinstance(node, ast.FunctionDef | ast.Lambda)]
    others = {id(node) for other in inner if other is not definition for node in ast.walk(other)}
    returns = [n.value for n in ast.walk(definition) if isinstance(n, ast.Return) and n.value and id(n) not in others]
    lists = [[_name_of(item) for item in (v.elts if isinstance(v, ast.Tuple | ast.List) else [v])] for v in returns]
    return lists[0] if lists and all(names == lists[0] for names in lists) else []


def _name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return node.id if isinstance(node, ast.Name) else ""


def is_number(value: Any) -> bool:
    """Whether a value is one floating-point number, as a loss is."""
    array = np.asarray(value) if isinstance(value, np.ndarray | np.number | float) else None
    return array is not None and array.size == 1 and array.dtype.kind in "fc"


@dataclass
class Calls:
    """How the values that forward returns are read, and what backward is given.

    Attributes
    ----------
    outputs : list of int
        The positions of the outputs among the values that forward returns.
    attribute : str or None
        The attribute in which forward leaves its output, if it returns None.
    arguments : list of (str, value)
        For each argument of backward: ("upstream", k), ("cache", position), ("input", name) or ("rate", name).
    whole : bool
        Whether an output that is a list of arrays has one upstream gradient, a list too.
    """

    outputs: list[int]
    attribute: str | None = None
    arguments: list[tuple[str, Any]] = field(default_factory=list)
    whole: bool = False

    @property
    def upstreams(self) -> list[int]:
        """The numbers of the outputs whose upstream gradients backward takes."""
        return [what for kind, what in self.arguments if kind == "upstream"]

    def items(self, returned: Any, owner: Any) -> list[Any]:
        """Return the outputs, each as forward returned it."""
        if self.attribute is not None:
            return [getattr(owner, self.attribute)]
        items = as_list(returned)
        return [items[k] for k in self.outputs]

    def arranged(self, items: list[Any], upstream: list[Array]) -> list[Any]:
        """Return the upstream gradients of all arrays in `items` as backward takes them; that of a loss is a number."""
        numbers = iter([u.item() if u.ndim == 0 else u for u in upstream])
        return [_rebuilt(item, numbers) for item in items] if self.whole else list(numbers)


def plan(subject: Subject, returned: Any, owner: Any) -> Calls:
    """Decide, after one forward, which of the values it returned are outputs, and how backward is called.

    Raises
    ------
    TypeError
        Forward or backward has none of these forms; the message says what was expected.
    """
    items, attribute = as_list(returned), None
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
    roles = _told_by_names(subject, signature, items, returns)
    ups = [
        name for k, name in enumerate(signature.names) if name not in roles
        and (k == 0 or name not in signature.default or (name in signature.optional and name not in CACHES))
    ]  # fmt: skip
    last, is_pair = len(items) - 1, not subject.is_layer
    cached = {what for kind, what in roles.values() if kind == "cache"} - {0}
    if last and not cached:
        needed = [name for name in ups if name not in signature.default] or ups
        least = 1 if is_number(items[0]) and not roles else 2  # backward(cache) of a loss, backward(dout, cache)
        is_passed = len(needed) >= least if is_pair else len(needed) == len(items) and not _is_array(items[last])
        if is_pair and signature.more:
            cached, roles["*"] = {last}, ("cache", last)
        elif is_passed:
            taker = needed[0 if subject.params_first else -1]
            cached, roles[taker] = {last}, ("cache", last)
            ups.remove(taker)
        elif (is_pair and len(ups) < len(items)) or not _is_array(items[last]):
            cached = {last}  # by convention, though backward may do without it
    calls = Calls([k for k in range(len(items)) if k not in cached], attribute)
    chosen = [items[k] for k in calls.outputs]
    count = sum(len(arrays_in(item)) for item in chosen)
    calls.whole = count > len(chosen) == len(ups)
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
    calls.arguments = [roles[name] for name in signature.names if name in roles]
    if signature.more:
        calls.arguments += [("upstream", k) for k in range(len(ups), available)]
        calls.arguments += [roles["*"]] if "*" in roles else []
    if subject.params_first:
        calls.arguments.sort(key=lambda argument: argument[0] != "cache")
    return calls


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


def _told_by_names(
    subject: Subject, signature: Signature, items: list[Any], returns: list[str]
) -> dict[str, tuple[str, Any]]:
    """Return what the arguments of backward are given that their names tell: the others are upstream gradients."""
    inputs, is_single = subject.inputs, len(items) == 1 and not subject.is_layer
    required = [name for name in signature.names if name not in signature.default]
    # The first argument is an upstream gradient, unless another is, or there is none, as in loss.backward(p, target).
    is_another = any(not (name in inputs or name in CACHES or name in RATES) for name in required[1:])
    is_first_an_input = is_another or is_number(items[0]) or is_single
    roles: dict[str, tuple[str, Any]] = {}
    for k, name in enumerate(signature.names):
        if name in CACHES:
            if len(items) > 1 and (name in required or not _is_array(items[-1])):
                roles[name] = ("cache", len(items) - 1)
        elif k == 0 and not (is_first_an_input and name in inputs):
            continue
        elif name in RATES:
            roles[name] = ("rate", name)
        elif name in returns:
            roles[name] = ("cache", returns.index(name))  # out, z = forward(x) and backward(dout, z)
        elif name in inputs and name in required:
            roles[name] = ("input", name)
        elif name in OUTPUTS and k and is_single:
            roles[name] = ("cache", 0)  # the output itself: tanh' is 1 - y^2
    return roles


def output_names(subject: Subject, count: int) -> list[str]:
    """Name each output: after the upstream gradient of a layer, `dy` for `y`; otherwise by its number."""
    names = signature_of(subject.backward_callable).names if subject.is_layer and not subject.calls.whole else []
    arguments = zip(names, subject.calls.arguments, strict=False)
    found = [without_d(name) for name, (kind, _) in arguments if kind == "upstream"][:count]
    return ["output"] if count == 1 and not found else found + [f"output {k}" for k in range(len(found), count)]


def as_list(returned: Any) -> list[Any]:
    """Return one value or several as a list."""
    return list(returned) if isinstance(returned, tuple | list) else [returned]


def arrays_in(item: Any) -> list[Any]:
    """Return the arrays in an output that is a tuple, list or dictionary of them, or else the output alone."""
    if isinstance(item, Mapping) and item:
        item = list(item.values())
    return [y for member in item for y in arrays_in(member)] if _is_nested(item) else [item]


def _rebuilt(item: Any, arrays: Iterator[Any]) -> Any:
    """Return the next of `arrays` in the arrangement of `item`."""
    if isinstance(item, Mapping) and _is_nested(list(item.values())):
        return {key: _rebuilt(member, arrays) for key, member in item.items()}
    if _is_nested(item):
        members = [_rebuilt(member, arrays) for member in item]
        return tuple(members) if isinstance(item, tuple) else members
    return next(arrays)


def _is_nested(item: Any) -> bool:
    return isinstance(item, tuple | list) and any(isinstance(y, np.ndarray | tuple | list) for y in item)


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.number)
