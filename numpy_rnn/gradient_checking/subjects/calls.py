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
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.subjects.leaves import without_d

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


def signature_of(function: Callable[..., Any]) -> Signature:
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
    found = [node.value for node in _own_nodes(definition) if isinstance(node, ast.Return) and node.value]
    lists = [[_name_of(item) for item in (v.elts if isinstance(v, ast.Tuple | ast.List) else [v])] for v in found]
    return lists[0] if lists and all(names == lists[0] for names in lists) else []


def _own_nodes(definition: ast.FunctionDef) -> list[ast.AST]:
    """Return the nodes of a function without those of functions within it."""
    nodes: list[ast.AST] = []
    waiting: list[ast.AST] = list(definition.body)
    while waiting:
        node = waiting.pop()
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            nodes.append(node)
            waiting += ast.iter_child_nodes(node)
    return nodes


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


def plan(
    label: str, forward: Callable[..., Any], backward: Callable[..., Any] | None, returned: Any, owner: Any,
    inputs: Collection[str], is_layer: bool, cache_first: bool,
) -> Calls:  # fmt: skip
    """Decide, after one forward, which of the values it returned are outputs, and how backward is called.

    Raises
    ------
    TypeError
        Forward or backward has none of these forms; the message says what was expected.
    """
    items = as_list(returned)
    if backward is None:
        losses = [k for k, item in enumerate(items) if is_number(item)]
        if not losses or (losses[0] and len(losses) > 1):
            raise TypeError(
                f"{label} returned {_kinds(items)}: expected a loss, which is one number, and its gradients; for a "
                "layer in two functions, check the pair (forward, backward)"
            )
        return Calls(losses[:1])
    attribute = None
    if returned is None:
        attribute = next((name for name in OUTPUTS if isinstance(getattr(owner, name, None), np.ndarray)), None)
        if attribute is None:
            raise TypeError(f"forward of {label} returned None: expected its output, or self.output set to it")
        items = [getattr(owner, attribute)]
    signature, returns = signature_of(backward), returned_names(forward)
    returns = returns if len(returns) == len(items) else [""] * len(items)
    roles = _roles(signature, items, returns, inputs, is_layer)
    ups = [name for name in signature.names if name not in roles and name not in CACHES]
    ups = [
        name
        for name in ups
        if name not in signature.default or name in signature.optional or name == signature.names[0]
    ]
    cached = {position for kind, position in roles.values() if kind == "cache" and position}
    if last := len(items) - 1 if not cached else 0:  # else there is no cache, or it is found
        needed = [name for name in ups if name not in signature.default] or ups
        if signature.more and not is_layer:
            cached, roles["*"] = {last}, ("cache", last)
        elif len(needed) > (0 if is_number(items[0]) and not roles else 1) and not is_layer:
            name = needed[0 if cache_first else -1]
            cached, roles[name] = {last}, ("cache", last)
            ups.remove(name)
        elif (not is_layer and len(ups) < len(items)) or not _is_array(items[last]):
            cached = {last}  # by convention, though backward may do without it
            if len(needed) == len(items):
                roles[ups.pop()] = ("cache", last)
    calls = Calls([k for k in range(len(items)) if k not in cached], attribute)
    chosen = [items[k] for k in calls.outputs]
    count = sum(len(arrays_in(item)) for item in chosen)
    calls.whole = count > len(chosen) == len(ups)
    available = len(chosen) if calls.whole else count
    if extra := [name for name in ups[available:] if name not in signature.default]:
        raise TypeError(
            f"backward of {label} needs {', '.join(extra)}, but forward returned {available} output"
            f"{'s' * (available != 1)}: return a cache too, or give {extra[0]} the name of an argument of forward"
        )
    ups = ups[:available]
    positions = [returns.index(without_d(name)) for name in ups if without_d(name) in returns]
    is_named = len(ups) < len(chosen) == count and len(set(positions) & set(calls.outputs)) == len(ups)
    numbers = [calls.outputs.index(k) for k in positions] if is_named else range(len(ups))
    roles |= {name: ("upstream", k) for name, k in zip(ups, numbers, strict=True)}
    calls.arguments = [roles[name] for name in signature.names if name in roles]
    if signature.more:
        calls.arguments += [("upstream", k) for k in range(len(ups), available)]
        calls.arguments += [roles["*"]] if "*" in roles else []
    if cache_first:
        calls.arguments.sort(key=lambda argument: argument[0] != "cache")
    return calls


def _roles(
    signature: Signature, items: list[Any], returns: list[str], inputs: Collection[str], is_layer: bool
) -> dict[str, tuple[str, Any]]:
    """Return what the arguments of backward are given that their names tell: the others are upstream gradients."""
    names, last = signature.names, len(items) - 1
    roles: dict[str, tuple[str, Any]] = {}
    others = [n for n in names if not (n in inputs or n in CACHES or n in RATES or n in signature.default)]
    # The first argument is an upstream gradient, unless another is, or there is none: loss.backward(prediction, target).
    is_first_given = bool(names) and (
        any(n != names[0] for n in others) or is_number(items[0]) or (last == 0 and not is_layer)
    )
    for k, name in enumerate(names):
        if name in CACHES:
            if last > 0 and not (name in signature.default and _is_array(items[last])):
                roles[name] = ("cache", last)
        elif k == 0 and not (is_first_given and name in inputs):
            continue
        elif name in RATES:
            roles[name] = ("rate", name)
        elif name in returns:
            roles[name] = ("cache", returns.index(name))  # out, z = forward(x) and backward(dout, z)
        elif name in inputs and name not in signature.default:
            roles[name] = ("input", name)
        elif name in OUTPUTS and k and last == 0 and not is_layer:
            roles[name] = ("cache", 0)  # the output itself: tanh' is 1 - y^2
    return roles


def output_names(calls: Calls, backward: Callable[..., Any] | None, is_layer: bool, count: int) -> list[str]:
    """Name each output: after the upstream gradient of a layer, `dy` for `y`; otherwise by its number."""
    names = signature_of(backward).names if backward is not None and is_layer and not calls.whole else []
    named = [n for n, (kind, _) in zip(names, calls.arguments, strict=False) if kind == "upstream"]
    found = [without_d(name) for name in named[:count]]
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


def _kinds(items: list[Any]) -> str:
    return ", ".join(f"an array {v.shape}" if isinstance(v, np.ndarray) else f"a {type(v).__name__}" for v in items)
