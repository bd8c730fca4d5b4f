"""What `numpy-rnn gradcheck` checks: the layers of this package, or the value of an expression in the user's file."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from numpy_rnn.char_rnn import CharRNN
from numpy_rnn.gradient_checking.check import gradcheck
from numpy_rnn.gradient_checking.report import GradcheckReport
from numpy_rnn.layers import GRU, LSTM, RNN, CrossEntropyLoss, Embedding, Linear, LogSoftmax, NLLLoss

__all__ = ["check_named", "check_shipped"]

EMPTY = inspect.Parameter.empty


def check_shipped(**options: Any) -> Iterator[GradcheckReport]:
    """Check every layer of this package, with shapes in which all lengths differ."""
    rng = np.random.default_rng(options.get("seed", 0))
    T, B, V, E, H = 6, 2, 7, 4, 5
    tokens = rng.integers(0, V, (T, B))
    x, h_0 = rng.standard_normal((T, B, E)), rng.standard_normal((1, B, H))
    yield gradcheck(Embedding(V, E, rng=rng), tokens, **options)
    yield gradcheck(RNN(E, H, rng=rng), x, h_0, **options)
    stack = RNN(E, H, num_layers=2, nonlinearity="relu", bidirectional=True, dropout=0.5, rng=rng)
    yield gradcheck(stack, x, rng.standard_normal((4, B, H)), lengths=[T, T - 2], **options)
    c_0 = rng.standard_normal((1, B, H))
    yield gradcheck(LSTM(E, H, rng=rng), x, (h_0, c_0), **options)
    yield gradcheck(GRU(E, H, rng=rng), x, h_0, **options)
    yield gradcheck(Linear(H, V, rng=rng), rng.standard_normal((T, B, H)), **options)
    logits, weight = rng.standard_normal((T * B, V)), rng.random(V)
    yield gradcheck(CrossEntropyLoss(), logits, tokens.ravel(), **options)
    smooth = CrossEntropyLoss(weight, ignore_index=0, reduction="none", label_smoothing=0.1)
    yield gradcheck(smooth, logits, tokens.ravel(), **options | {"constants": ["weight"]})
    yield gradcheck(LogSoftmax(1), logits, **options)
    yield gradcheck(NLLLoss(weight), logits, tokens.ravel(), **options | {"constants": ["weight"]})
    yield gradcheck(CharRNN(V, E, H, rng=rng), tokens, h_0, **options)


def check_named(
    checked: Any, target: str, inputs: Mapping[str, Any], params: Mapping[str, Any], init: Mapping[str, Any],
    **options: Any,
) -> GradcheckReport:  # fmt: skip
    """Check a layer, a class, a function, a method or a pair of these: the value of `target`, "file.py:expression".

    The arguments of forward, the members of a dictionary that is one of them, and the arguments of the constructor if
    `checked` is a class, are given by name. The options are those of `gradcheck`.
    """
    if isinstance(checked, type):
        signature = _signature(checked)
        of_forward = _signature(getattr(checked, "forward", None)).parameters
        moved = {name: inputs[name] for name in inputs if name in signature.parameters and name not in of_forward}
        inputs, init = {name: inputs[name] for name in inputs if name not in moved}, {**moved, **init}
        call = f" for arrays, or write the call with numbers: '{target}(...)'"
        checked = checked(**_arguments(f"{checked.__name__}{signature}", signature, init, "--init", call))
    elif init:
        raise ValueError(f"--init gives the arguments of a class, and {target} is not a class")
    pair = isinstance(checked, tuple | list) and len(checked) > 0
    forward = checked[0] if pair else checked
    label = target.partition(".py:")[2].partition(",")[0].strip()
    if not label.replace(".", "").isidentifier():
        label = getattr(forward, "__name__", type(forward).__name__)
    otherwise = f", or for anything but arrays write 'lambda {', '.join(inputs)}: {label}(...)' in place of {label}"
    if methods := [name for name in dir(forward) if "forward" in name or "fprop" in name]:
        label, otherwise = f"{min(methods, key=len)} of {type(forward).__name__}", ""
        forward = getattr(forward, min(methods, key=len))
    signature = _signature(forward)
    names = list(signature.parameters)
    if names[:1] == ["self"]:
        raise ValueError(f"{label} is a method without its object: write {label.replace('.', '(...).')}")
    if params:
        free = [n for n in names if n not in inputs and (signature.parameters[n].default is EMPTY or "param" in n)]
        if not free:
            raise ValueError(f"--param fills a dictionary, as in f(params, x), but {label} takes {', '.join(names)}")
        inputs = {free[0]: params, **inputs}
    values = _arguments(label, signature, inputs, "--input", otherwise)
    if params and pair and free[0] == names[0]:
        return gradcheck(checked, {name: values[name] for name in values if name != free[0]}, params, **options)
    return gradcheck(checked, *([values] if pair else values.values()), **options)


def _signature(function: Any) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # built-in functions may have none
        return inspect.signature(lambda *arguments: None)


def _arguments(
    label: str, signature: inspect.Signature, given: Mapping[str, Any], option: str, otherwise: str
) -> dict[str, Any]:
    """Return arguments in the order of a function, with the defaults of those that are left out in between."""
    parameters = {n: p for n, p in signature.parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    names, unknown = list(parameters), [name for name in given if name not in parameters]
    if unknown and len(names) == len(signature.parameters):
        raise ValueError(f"{label} takes {', '.join(names) or 'no arguments'}, got {option} {', '.join(unknown)}")
    if missing := [n for n, p in parameters.items() if p.default is EMPTY and n not in given]:
        fix = " ".join(f"{option} {name}=SHAPE" for name in missing)
        raise ValueError(f"{label} needs {', '.join(missing)}: add {fix}{otherwise}")
    last = max((names.index(name) for name in given if name in parameters), default=-1)
    return {name: given.get(name, parameters[name].default) for name in names[: last + 1]} | dict(given)
