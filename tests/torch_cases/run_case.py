"""One of PyTorch's own test cases, run by torch and by numpy_rnn in float64 from the same numbers.

Outputs, and with random upstream gradients every gradient, must agree to 1e-10 of each number plus 1e-12, for
where terms of size 1 cancel. See `torch_cases.py` for where the cases come from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

import numpy_rnn as nr
from torch_reference.model import to_torch
from torch_reference.packing import from_packed

CAST = "numpy_rnn casts values to the layer's dtype where torch refuses them"
NUMBER = "numpy_rnn reads a tensor of one element as the number in it; torch wants all of betas to be tensors or none"
GROUPS = "no parameter groups, names or lists of tensors: Adam refuses all but what parameters() returns"
FOREACH = "no argument foreach, which chooses among torch's implementations: numpy_rnn refuses it"
EMBEDDING = "no max_norm, scale_grad_by_freq or sparse: a forward that changes its weights helps nobody here"
DTYPE = "no argument dtype: the input is cast before"


class Different(Exception):
    """Raised by a case in which numpy_rnn differs on purpose; the message is the reason."""


# Modules


def run_rnn(make: Any, give: Any) -> None:
    mirror = nn.RNN(*make.args, **make.kwargs, dtype=torch.float64)
    layer = nr.RNN(*make.args, **make.kwargs, dtype=np.float64)
    layer.load_state_dict(mirror.state_dict())
    x, h_0 = (*give.args, None)[:2]
    assert h_0 is None or not isinstance(x, PackedSequence)
    if isinstance(x, PackedSequence):
        data = x.data.detach().requires_grad_()
        x, batch_first = PackedSequence(data, *x[1:]), layer.batch_first
        padded, lengths = from_packed(x, batch_first)
        output, h_n = layer.forward(padded, lengths=lengths)
        torch_output, torch_h_n = mirror(x)
        upstream = torch.randn_like(torch_output.data), torch.randn_like(torch_h_n)
        torch.autograd.backward([torch_output.data, torch_h_n], upstream)
        assert data.grad is not None
        doutput, torch_dx = (
            from_packed(PackedSequence(packed, *x[1:]), batch_first)[0] for packed in (upstream[0], data.grad)
        )
        dx, _ = layer.backward(doutput, upstream[1])
        _equal("output", output, torch.tensor(from_packed(torch_output, batch_first)[0]))
        _equal("dx", dx, torch.tensor(torch_dx))
    else:
        output, h_n = layer.forward(x, h_0)
        torch_output, torch_h_n = mirror(x, h_0)
        upstream = torch.randn_like(torch_output), torch.randn_like(torch_h_n)
        torch.autograd.backward([torch_output, torch_h_n], upstream)
        dx, dh_0 = layer.backward(*upstream)
        _equal("output", output, torch_output)
        _equal("dx", dx, x.grad)
        if h_0 is not None:
            _equal("dh_0", dh_0, h_0.grad)
    _equal("h_n", h_n, torch_h_n)
    _equal_gradients(layer, mirror)


def run_embedding(make: Any, give: Any) -> None:
    options = {**make.kwargs, "dtype": np.float64}
    mirror = nn.Embedding(*make.args, **make.kwargs).double()
    _run_layer(nr.Embedding(*make.args, **options), mirror, *give.args)


def run_linear(make: Any, give: Any) -> None:
    options = {**make.kwargs, "dtype": np.float64}
    mirror = nn.Linear(*make.args, **make.kwargs).double()
    _run_layer(nr.Linear(*make.args, **options), mirror, *give.args, *give.kwargs.values())


def _run_layer(layer: Any, mirror: nn.Module, x: Tensor) -> None:
    layer.load_state_dict(mirror.state_dict())
    y, torch_y = layer.forward(x), mirror(x)
    _equal("y", y, torch_y)
    dy = torch.randn_like(torch_y)
    torch_y.backward(dy)
    dx = layer.backward(dy)
    if x.requires_grad:
        _equal("dx", dx, x.grad)
    _equal_gradients(layer, mirror)


def run_cross_entropy(make: Any, give: Any) -> None:
    _run_loss(nr.CrossEntropyLoss, nn.CrossEntropyLoss, make.kwargs, *give.args)


def run_nll(make: Any, give: Any) -> None:
    _run_loss(nr.NLLLoss, nn.NLLLoss, make.kwargs, *give.args)


def _run_loss(ours: Any, theirs: Any, options: Any, logits: Tensor, targets: Tensor) -> None:
    criterion, mirror = ours(**options), theirs(**options)
    soft = targets.is_floating_point()
    logits = logits.detach().requires_grad_()
    targets = targets.detach().requires_grad_(soft)
    loss, torch_loss = criterion.forward(logits, targets), mirror(logits, targets)
    _equal("loss", loss, torch_loss)
    dloss = torch.randn_like(torch_loss)
    torch_loss.backward(dloss)
    _equal("dlogits", criterion.backward(dloss), logits.grad)
    if soft:
        _equal("dtargets", criterion.tape.dtargets, targets.grad)


def refuse_module(module: type[nn.Module], error: Any) -> None:
    make, give = error.module_error_input.constructor_input, error.module_error_input.forward_input
    ours = getattr(nr, module.__name__)
    options = {name: value for name, value in make.kwargs.items() if name not in ("device", "dtype")}
    if module not in (nn.CrossEntropyLoss, nn.NLLLoss):  # a loss has no dtype of its own
        options["dtype"] = np.float64
    if error.error_on.name == "CONSTRUCTION_ERROR":
        _must_raise(ours, *make.args, **options)
        return
    if "does not match weight dtype" in error.error_regex:
        ours(*make.args, **options).forward(*give.args)
        raise Different(CAST)
    _must_raise(lambda: ours(*make.args, **options).forward(*give.args))  # some we refuse before forward is called


# Functions


def run_cross_entropy_function(case: Any) -> None:
    _run_loss(nr.CrossEntropyLoss, nn.CrossEntropyLoss, case.kwargs, case.input, *case.args)


def run_nll_function(case: Any) -> None:
    _run_loss(nr.NLLLoss, nn.NLLLoss, case.kwargs, case.input, *case.args)


def run_embedding_function(case: Any) -> None:
    if case.kwargs.keys() & {"max_norm", "scale_grad_by_freq", "sparse"}:
        raise Different(EMBEDDING)
    V, E = case.input.shape
    mirror = nn.Embedding(V, E, _weight=case.input.detach().clone(), **case.kwargs)
    _run_layer(nr.Embedding(V, E, **case.kwargs, dtype=np.float64), mirror, *case.args)


def refuse_embedding_weight(error: Any) -> None:
    _must_raise(nr.Embedding(10, 5).load_state_dict, {"weight": error.sample_input.input})


def run_linear_function(case: Any) -> None:
    state = dict(zip(("weight", "bias"), case.args, strict=False))
    out_features, in_features = state["weight"].shape
    bias = "bias" in state
    mirror = nn.Linear(in_features, out_features, bias, dtype=torch.float64)
    mirror.load_state_dict(state)
    _run_layer(nr.Linear(in_features, out_features, bias, dtype=np.float64), mirror, case.input)


def run_log_softmax(case: Any) -> None:
    if "dtype" in case.kwargs:
        raise Different(DTYPE)
    _run_layer(nr.LogSoftmax(*case.args), nn.LogSoftmax(*case.args), case.input)


# Optimizers


def run_adam(theirs: Any, case: Any) -> None:
    mirror = nn.Linear(7, 5, dtype=torch.float64)
    layer = nr.Linear(7, 5, dtype=np.float64)
    layer.load_state_dict(mirror.state_dict())
    optimizer, torch_optimizer = _adam(theirs, layer, case.kwargs), theirs(mirror.parameters(), **case.kwargs)
    for _ in range(10):
        for name, p in mirror.named_parameters():
            p.grad = torch.randn_like(p)
            layer.parameters()[name].grad = p.grad.numpy()
        optimizer.step()
        torch_optimizer.step()
        for name, p in mirror.named_parameters():
            _equal(name, layer.parameters()[name].data, p)
            averages = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")[: 3 if optimizer.amsgrad else 2]
            for average in averages:
                value = layer.parameters().views(getattr(optimizer, average))[name]
                _equal(f"{average} {name}", value, torch_optimizer.state[p][average])


def _adam(theirs: Any, layer: nr.Linear, kwargs: dict[str, Any]) -> nr.Adam:
    if theirs is torch.optim.AdamW:
        kwargs = {"weight_decay": 1e-2, **kwargs, "decoupled_weight_decay": True}  # AdamW's defaults
    return nr.Adam(layer.parameters(), **kwargs)


def refuse_adam(theirs: Any, error: Any) -> None:
    layer, case = nr.Linear(7, 5, dtype=np.float64), error.optimizer_error_input
    if case.params is not None:
        _must_raise(nr.Adam, case.params)
        raise Different(GROUPS)
    if "foreach" in case.kwargs:
        try:
            _adam(theirs, layer, case.kwargs)
        except TypeError as refusal:
            raise Different(FOREACH) from refusal
    if any(isinstance(beta, Tensor) for beta in case.kwargs.get("betas", ())):
        _adam(theirs, layer, case.kwargs)
        raise Different(NUMBER)
    _must_raise(_adam, theirs, layer, case.kwargs)


# Comparison


def _equal(name: str, ours: ArrayLike, theirs: Tensor | None) -> None:
    assert theirs is not None, name
    torch.testing.assert_close(
        torch.tensor(np.array(ours)),
        theirs.detach(),
        rtol=1e-10,
        atol=1e-12,
        equal_nan=True,
        msg=lambda m: f"{name}: {m}",
    )


def _equal_gradients(layer: Any, mirror: nn.Module) -> None:
    for name, p in mirror.named_parameters():
        _equal(name, layer.parameters()[name].grad, p.grad)
    mirror.load_state_dict(to_torch(layer.state_dict()), strict=True)


def _must_raise(function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Demand an error with a message of one line; anything else, such as an AttributeError deep inside, gets out."""
    try:
        function(*args, **kwargs)
    except (TypeError, ValueError, IndexError) as error:
        message = str(error)
        if not message or "\n" in message or "unexpected keyword" in message:
            raise AssertionError(f"no message for people: {message!r}") from error
    else:
        raise AssertionError("torch refuses this, numpy_rnn took it")
