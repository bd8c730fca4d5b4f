"""The gradients that a layer's own backward pass returns, by name, without nr.gradcheck.

Comparing those of the right file and of a slip tells which tensors the slip makes wrong.
"""

from __future__ import annotations

import inspect

import numpy as np

__all__ = ["backward_gradients"]


def backward_gradients(checked, *inputs, seed=1):
    """Call forward and backward once, with random upstream gradients; the arguments are those of nr.gradcheck."""
    rng = np.random.default_rng(seed)
    if isinstance(checked, tuple):
        forward, backward = checked
        inputs, *parameters = inputs
        *outputs, cache = forward(*parameters, *inputs.values())
        upstream = [rng.standard_normal(y.shape) for y in outputs]
        returned = backward(cache, *upstream) if parameters else backward(*upstream, cache)
        return by_name(returned, inputs)
    if callable(checked):
        _, *returned = checked(*inputs)
        return by_name(returned, with_names(checked, inputs))
    y = checked.forward(*inputs)
    upstream = [rng.standard_normal(y.shape)] if np.ndim(y) else []  # the upstream gradient of a loss is 1
    returned = checked.backward(*upstream)
    return by_name(returned, with_names(checked.forward, inputs)) | attributes(checked)


def with_names(function, inputs):
    return dict(zip(inspect.signature(function).parameters, inputs, strict=False))


def by_name(returned, inputs):
    """Name the gradients of the floating-point inputs; a dictionary has them under dx, or without the d."""
    if isinstance(returned, dict):
        return {name.removeprefix("d"): gradient for name, gradient in returned.items()}
    names = [name for name, value in inputs.items() if isinstance(value, np.ndarray) and value.dtype == float]
    return dict(zip(names, [returned] if isinstance(returned, np.ndarray) else returned, strict=True))


def attributes(layer, prefix=""):
    """Return layer.grads, a dictionary or a list, the dw of each attribute w, and those of the layer's parts."""
    grads = getattr(layer, "grads", {})
    if isinstance(grads, list):
        grads = {f"params[{k}]": gradient for k, gradient in enumerate(grads)}
    found = {prefix + name: gradient for name, gradient in grads.items()}
    for name, value in vars(layer).items():
        if "d" + name in vars(layer):
            found[prefix + name] = vars(layer)["d" + name]
        if hasattr(value, "backward"):
            found |= attributes(value, f"{name}.")
    return found
