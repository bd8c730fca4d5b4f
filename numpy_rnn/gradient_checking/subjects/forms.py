"""The forms of what is checked: a layer, a pair of functions, or a function that returns a loss and its gradients."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from numpy_rnn.gradient_checking.subjects.signatures import signature_of
from numpy_rnn.gradient_checking.subjects.state import UsedGenerators, is_floating, is_rows
from numpy_rnn.gradient_checking.subjects.subject import Subject

__all__ = ["as_subject"]

FACES = (
    ("forward", "backward"), ("forward_pass", "backward_pass"), ("fprop", "bprop"), ("forward_prop", "backward_prop"),
    ("forward_propagation", "backward_propagation"), ("forward", "backprop"), ("__call__", "backward"),
    ("loss", "gradient"), ("forward_prop", "back_prop"), ("feedforward", "backprop"),
)  # fmt: skip


def as_subject(
    checked: Any, inputs: tuple[Any, ...], options: Mapping[str, Any], constants: Collection[str],
    used_generators: UsedGenerators, rng: np.random.Generator,
) -> Subject:  # fmt: skip
    """Return what is checked as a subject; a TypeError says why not, if it has none of these forms."""
    is_pair = isinstance(checked, tuple | list)
    if is_pair and (len(checked) != 2 or not all(map(callable, checked))):
        raise TypeError("a pair must be two functions, (forward, backward)")
    if is_pair and options:
        slip = "; print(report.annotated()) shows the lines" if "lines" in options else ""
        raise TypeError(f"a pair takes no further arguments, got {', '.join(options)}{slip}")
    forward, backward = checked if is_pair else _methods(checked)
    is_layer = not is_pair and backward is not None
    owner = checked if is_layer else forward
    label = getattr(owner, "__name__", type(owner).__name__)
    has_params = is_pair and len(inputs) == 2 and isinstance(inputs[1], Mapping)
    given: Any = inputs[0] if is_pair and (len(inputs) == 1 or has_params) else inputs
    given = given if isinstance(given, Mapping | tuple | list) else (given,)
    if has_params and isinstance(given, Mapping):
        given = {[*signature_of(forward).names, "input 0"][0]: inputs[1], **given}
    elif has_params:
        given = (inputs[1], *given)
    named = _named(label, forward, given)
    return Subject(label, forward, backward, named, options, constants, used_generators, rng, is_layer, has_params)


def _methods(checked: Any) -> tuple[Callable[..., Any], Callable[..., Any] | None]:
    """Return forward and backward of a layer, or a function that returns a loss and its gradients, and None."""
    label = checked.__name__ if isinstance(checked, type) else type(checked).__name__
    own = [inspect.getattr_static(checked, name, None) for name in ("forward", "loss")]
    if isinstance(checked, type) and not any(isinstance(method, staticmethod | classmethod) for method in own):
        raise TypeError(f"{label} is a class: expected a layer, {label}(...)")
    for names in FACES:
        forward, backward = (getattr(checked, name, None) for name in names)
        if callable(forward) and callable(backward):
            return forward, backward
    if not callable(checked):
        raise TypeError(
            f"{label} has no methods forward and backward: "
            "expected a layer, a pair (forward, backward), or a function that returns a loss and its gradients"
        )
    return checked, None


def _named(label: str, forward: Callable[..., Any], inputs: Any) -> dict[str, Any]:
    """Return the inputs by the names of forward's arguments, in their order."""
    signature = signature_of(forward)
    names = signature.names
    if not isinstance(inputs, Mapping):
        if len(inputs) > len(names) and not signature.more:
            raise TypeError(f"forward of {label} takes {len(names)} inputs, got {len(inputs)}")
        names = names + [f"input {k}" for k in range(len(names), len(inputs))]
        inputs = dict(zip(names, inputs, strict=False))
    names = names + signature.keywords
    if not signature.more and (unknown := [str(name) for name in inputs if name not in names]):
        raise TypeError(f"{label} takes {', '.join(names)}, got {', '.join(unknown)}")
    if set(inputs) <= set(names):
        inputs = {name: inputs[name] for name in names if name in inputs}
    return {name: _as_array(name, value) for name, value in inputs.items()}


def _as_array(name: str, value: Any) -> Any:
    """Return floating-point numbers as an array, lists of them too; anything else as it is."""
    if isinstance(value, np.floating) or (isinstance(value, list) and is_rows(value)):
        value = np.asarray(value)
    elif not isinstance(value, np.ndarray) and hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if not is_floating(value):
        return value
    if value.dtype.kind == "c":
        raise TypeError(f"{name} has dtype {value.dtype}, expected real numbers")
    return value.copy()  # so that two inputs which are one array, or views of it, are two
