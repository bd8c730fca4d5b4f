"""Run one of PyTorch's own test cases in torch and in numpy_rnn, in float64 and from the same numbers.

Outputs and, for random upstream gradients, all gradients must agree within a relative tolerance of 1e-10 plus an
absolute one of 1e-12, because terms of size 1 may cancel. `cases.py` lists the cases.

Each run copies torch's inputs, so that a second run does not add to the gradients of the first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

import numpy_rnn as nr
from numpy_rnn.layers.recurrent import as_arrays
from torch_reference import from_packed, to_torch

# Modules


def run_recurrent(module: type[nn.RNNBase], make: Any, give: Any) -> None:
    options = {name: value for name, value in make.kwargs.items() if name != "proj_size"}
    mirror = module(*make.args, **options, dtype=torch.float64)
    layer = getattr(nr, module.__name__)(*make.args, **options, dtype=np.float64)
    layer.load_state_dict(mirror.state_dict())
    x, h_0 = (tuple(map(_fresh, v)) if type(v) is tuple else _fresh(v) for v in (*give.args, None)[:2])
    if isinstance(x, PackedSequence):
        batch_first, data = layer.batch_first, x.data.detach().requires_grad_()
        x = PackedSequence(data, *x[1:])
        padded, lengths = from_packed(x, batch_first)
        (output, h_n), (torch_output, torch_h_n) = layer.forward(padded, lengths=lengths), mirror(x)
        dpacked, dh_n = torch.randn_like(torch_output.data), [torch.randn_like(h) for h in as_arrays(torch_h_n)]
        torch.autograd.backward([torch_output.data, *as_arrays(torch_h_n)], [dpacked, *dh_n])
        doutput, torch_dx = (from_packed(PackedSequence(a, *x[1:]), batch_first)[0] for a in (dpacked, data.grad))
        torch_output, torch_dx = torch.tensor(from_packed(torch_output, batch_first)[0]), torch.tensor(torch_dx)
    else:
        (output, h_n), (torch_output, torch_h_n) = layer.forward(x, h_0), mirror(x, h_0)
        doutput, *dh_n = (torch.randn_like(y) for y in (torch_output, *as_arrays(torch_h_n)))
        torch.autograd.backward([torch_output, *as_arrays(torch_h_n)], [doutput, *dh_n])
        torch_dx = x.grad
    dx, dh_0 = layer.backward(doutput, layer.as_state(dh_n))
    _equal("output", output, torch_output)
    _equal("dx", dx, torch_dx)
    for k, (ours, theirs) in enumerate(zip(as_arrays(h_n), as_arrays(torch_h_n), strict=True)):
        _equal("h_n", ours, theirs)
        if h_0 is not None:
            _equal("dh_0", as_arrays(dh_0)[k], as_arrays(h_0)[k].grad)
    _equal_gradients(layer, mirror)


def refuse_proj_size(make: Any) -> None:
    _must_have_no_argument(nr.LSTM, *make.args, **make.kwargs)


def run_embedding(make: Any, give: Any) -> None:
    options = {**make.kwargs, "dtype": np.float64}
    mirror = nn.Embedding(*make.args, **make.kwargs).double()
    _run_layer(nr.Embedding(*make.args, **options), mirror, *give.args)


def run_linear(make: Any, give: Any) -> None:
    options = {**make.kwargs, "dtype": np.float64}
    mirror = nn.Linear(*make.args, **make.kwargs).double()
    _run_layer(nr.Linear(*make.args, **options), mirror, *give.args, *give.kwargs.values())


def _run_layer(layer: Any, mirror: nn.Module, x: Tensor) -> None:
    x = _fresh(x)
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
    logits, targets = logits.detach().requires_grad_(), targets.detach().requires_grad_(soft)
    loss, torch_loss = criterion.forward(logits, targets), mirror(logits, targets)
    _equal("loss", loss, torch_loss)
    dloss = torch.randn_like(torch_loss)
    torch_loss.backward(dloss)
    _equal("dlogits", criterion.backward(dloss), logits.grad)
    if soft:
        _equal("dtargets", criterion.tape.dtargets, targets.grad)


def refuse_module(module: type[nn.Module], error: Any) -> None:
    _must_raise(try_module, module, error)


def try_module(module: type[nn.Module], error: Any) -> None:
    make, give = error.module_error_input.constructor_input, error.module_error_input.forward_input
    options = {name: value for name, value in make.kwargs.items() if name not in ("device", "dtype")}
    if module not in (nn.CrossEntropyLoss, nn.NLLLoss):  # a loss has no dtype of its own
        options["dtype"] = np.float64
    layer = getattr(nr, module.__name__)(*make.args, **options)  # may refuse what torch refuses in forward
    if error.error_on.name != "CONSTRUCTION_ERROR":
        layer.forward(*give.args)


# Functions


def run_cross_entropy_function(case: Any) -> None:
    _run_loss(nr.CrossEntropyLoss, nn.CrossEntropyLoss, case.kwargs, case.input, *case.args)


def run_nll_function(case: Any) -> None:
    _run_loss(nr.NLLLoss, nn.NLLLoss, case.kwargs, case.input, *case.args)


def run_embedding_function(case: Any) -> None:
    V, E = case.input.shape
    mirror = nn.Embedding(V, E, _weight=case.input.detach().clone(), **case.kwargs)
    _run_layer(nr.Embedding(V, E, **case.kwargs, dtype=np.float64), mirror, *case.args)


def refuse_embedding_options(case: Any) -> None:
    _must_have_no_argument(nr.Embedding, *case.input.shape, **case.kwargs)


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
    _run_layer(nr.LogSoftmax(*case.args), nn.LogSoftmax(*case.args), case.input)


def run_log_softmax_on_cast_input(case: Any) -> None:
    _must_have_no_argument(nr.LogSoftmax, *case.args, **case.kwargs)
    ours = nr.LogSoftmax(*case.args).forward(case.input.to(case.kwargs["dtype"]))
    _equal("y", ours, torch.log_softmax(case.input, *case.args, **case.kwargs))


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


def make_adam(theirs: Any, error: Any) -> None:
    _adam(theirs, nr.Linear(7, 5, dtype=np.float64), error.optimizer_error_input.kwargs)


def refuse_adam(theirs: Any, error: Any) -> None:
    _must_raise(make_adam, theirs, error)


def refuse_foreach(theirs: Any, error: Any) -> None:
    _must_have_no_argument(make_adam, theirs, error)


def refuse_groups(theirs: Any, error: Any) -> None:
    _must_raise(nr.Adam, error.optimizer_error_input.params)


# Comparison


def _fresh(x: Any) -> Any:
    """Return a leaf with the values of a tensor and without its gradient."""
    return x.detach().clone().requires_grad_(x.requires_grad) if type(x) is Tensor else x


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
    """Check that the call fails with a message of one line. Other errors, such as an AttributeError, propagate."""
    try:
        function(*args, **kwargs)
    except (TypeError, ValueError, IndexError) as error:
        message = str(error)
        if not message or "\n" in message or "unexpected keyword" in message:
            raise AssertionError(f"not a readable message: {message!r}") from error
    else:
        raise AssertionError("torch raises an error, numpy_rnn does not")


def _must_have_no_argument(function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    with pytest.raises(TypeError, match=r"unexpected keyword argument|has no option"):
        function(*args, **kwargs)
