"""The cases that PyTorch tests itself with, run through numpy_rnn.

They ship inside the torch wheel, in `torch.testing._internal`: `module_db` (modules), `op_db` (functions) and
`optim_db` (optimizers), each with inputs that must work and inputs that must be refused. All cases that concern a
part of numpy_rnn are run; `run_case.py` defines what counts as agreement. Where numpy_rnn differs on purpose, the
case has a reason, and its run checks that it differs in this way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from tests.torch_cases import run_case

try:
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.common_modules import module_db
    from torch.testing._internal.common_optimizers import optim_db
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f"PyTorch's test cases need {error.name}: pip install 'numpy-rnn[test]'") from error

__all__ = ["Case", "cases", "table"]

CAST = "numpy_rnn casts values to the layer's dtype where torch refuses them"
NUMBER = "numpy_rnn accepts a tensor with one element as a number; in torch either all betas are tensors or none"
GROUPS = "no parameter groups, names or lists of tensors: Adam accepts only what parameters() returns"
FOREACH = "no argument foreach, which selects one of torch's implementations"
EMBEDDING = "no max_norm, scale_grad_by_freq or sparse"
PROJECTION = "no argument proj_size in LSTM"
DTYPE = "no argument dtype: cast the input instead"


@dataclass(frozen=True)
class Case:
    """One of torch's cases.

    Attributes
    ----------
    family : str
        The module, function or optimizer, and the list that the case comes from.
    name : str
        Its index in the list, and torch's description.
    run : callable
        Raises AssertionError if numpy_rnn and torch disagree or, given a reason, if they do not differ as it says.
    reason : str or None
        Why numpy_rnn differs on purpose; None if it must agree.
    """

    family: str
    name: str
    run: Callable[[], None]
    reason: str | None = None


def cases() -> list[Case]:
    """Return all cases, with the same inputs each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return [*_module_cases(), *_function_cases(), *_optimizer_cases()]


def _module_cases() -> Iterator[Case]:
    runs: dict[Any, Callable[..., None]] = {
        **{module: partial(run_case.run_recurrent, module) for module in (nn.RNN, nn.LSTM, nn.GRU)},
        nn.Embedding: run_case.run_embedding,
        nn.Linear: run_case.run_linear,
        nn.CrossEntropyLoss: run_case.run_cross_entropy,
        nn.NLLLoss: run_case.run_nll,
    }
    options: dict[str, Any] = {"device": "cpu", "dtype": torch.float64, "requires_grad": True, "training": True}
    for info in module_db:
        if info.module_cls not in runs:
            continue
        packed = {"with_packed_sequence": True} if issubclass(info.module_cls, nn.RNNBase) else {}
        for i, case in enumerate(info.module_inputs_func(info, **options, **packed)):
            run, reason = partial(runs[info.module_cls], case.constructor_input, case.forward_input), None
            if case.constructor_input.kwargs.get("proj_size"):
                run, reason = partial(run_case.refuse_proj_size, case.constructor_input), PROJECTION
            yield Case(f"{info.name}, module_db", f"{i} {case.desc}", run, reason)
        for i, error in enumerate(_errors(info.module_error_inputs_func, info, **options)):
            refuse, reason = run_case.refuse_module, None
            if "does not match weight dtype" in error.error_regex:
                refuse, reason = run_case.try_module, CAST
            run = partial(refuse, info.module_cls, error)
            yield Case(f"{info.name}, module_db errors", f"{i} {error.error_regex}", run, reason)


def _function_cases() -> Iterator[Case]:
    runs: dict[str, Callable[..., None]] = {
        "nn.functional.cross_entropy": run_case.run_cross_entropy_function,
        "nn.functional.nll_loss": run_case.run_nll_function,
        "nn.functional.embedding": run_case.run_embedding_function,
        "nn.functional.linear": run_case.run_linear_function,
        "log_softmax": run_case.run_log_softmax,
    }
    for info in op_db:
        if info.name not in runs:
            continue
        family = f"{info.name}, op_db" + " with dtype" * (info.variant_test_name == "with_dtype")
        # The reference inputs are the sample inputs and, for some functions, more. For embedding, torch leaves out
        # all options if gradients are requested.
        requires_grad = info.name != "nn.functional.embedding"
        for i, case in enumerate(info.reference_inputs("cpu", torch.float64, requires_grad=requires_grad)):
            run, reason = runs[info.name], None
            if "dtype" in case.kwargs:
                run, reason = run_case.run_log_softmax_on_cast_input, DTYPE
            elif case.kwargs.keys() & {"max_norm", "scale_grad_by_freq", "sparse"}:
                run, reason = run_case.refuse_embedding_options, EMBEDDING
            yield Case(family, f"{i} {tuple(case.input.shape)} {sorted(case.kwargs)}", partial(run, case), reason)
        for i, error in enumerate(_errors(info.error_inputs_func and info.error_inputs, "cpu")):
            refuse = partial(run_case.refuse_embedding_weight, error)
            yield Case(f"{family} errors", f"{i} {error.error_regex}", refuse)


def _optimizer_cases() -> Iterator[Case]:
    for info in optim_db:
        if info.optim_cls not in (torch.optim.Adam, torch.optim.AdamW):
            continue
        family = f"{info.optim_cls.__name__}, optim_db"
        for i, case in enumerate(info.optim_inputs_func("cpu")):
            yield Case(family, f"{i} {case.desc}", partial(run_case.run_adam, info.optim_cls, case))
        for i, error in enumerate(_errors(info.optim_error_inputs_func, "cpu", torch.float64)):
            refuse, reason, wrong = run_case.refuse_adam, None, error.optimizer_error_input
            if wrong.params is not None:
                refuse, reason = run_case.refuse_groups, GROUPS
            elif "foreach" in wrong.kwargs:
                refuse, reason = run_case.refuse_foreach, FOREACH
            elif any(isinstance(beta, Tensor) for beta in wrong.kwargs.get("betas", ())):
                refuse, reason = run_case.make_adam, NUMBER
            run = partial(refuse, info.optim_cls, error)
            yield Case(f"{family} errors", f"{i} {error.error_regex}", run, reason)


def _errors(function: Callable[..., Any] | None, *args: Any, **kwargs: Any) -> Any:
    """Return torch's list of inputs to refuse; not every module and function has one."""
    return [] if function is None else function(*args, **kwargs)


def table(outcomes: Iterable[tuple[Case, Exception | None]]) -> str:
    """Return a Markdown table of cases and the errors that their runs raised."""
    counts: dict[str, Counter[str]] = {}
    reasons, failures = Counter[str](), []
    for case, error in outcomes:
        outcome = "failed" if error else "different" if case.reason else "passed"
        counts.setdefault(case.family, Counter())[outcome] += 1
        if error:
            failures.append(f"- {case.family}, {case.name}: {type(error).__name__}: {error}")
        elif case.reason:
            reasons[case.reason] += 1
    counts["all"] = sum(counts.values(), Counter())
    lines = [
        f"| {'cases':38} | {'tried':>5} | {'passed':>6} | {'different on purpose':>20} | {'failed':>6} |",
        f"|{'-' * 40}|{'-' * 6}:|{'-' * 7}:|{'-' * 21}:|{'-' * 7}:|",
    ]
    for family, n in counts.items():
        passed, different, failed = n["passed"], n["different"], n["failed"]
        lines.append(f"| {family:38} | {n.total():5} | {passed:6} | {different:20} | {failed:6} |")
    lines += ["", "Different on purpose:", "", *(f"- {count}: {reason}" for reason, count in reasons.items())]
    lines += ["", "Failed:", "", *failures] if failures else []
    return "\n".join(lines)
