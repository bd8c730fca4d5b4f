"""The cases that PyTorch tests itself with, run through numpy_rnn.

They ship inside the torch wheel, in `torch.testing._internal`: `module_db` (modules), `op_db` (functions) and
`optim_db` (optimizers), each with inputs that must work and inputs that must be refused. All that concern the pieces
of numpy_rnn are run; `run_case.py` says how, and what counts as agreement.

`python -m tests.torch_cases.torch_cases` prints the table.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from tests.torch_cases import run_case

try:
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.common_modules import module_db
    from torch.testing._internal.common_optimizers import optim_db
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"PyTorch's test cases need the package {error.name!r}: install the extra 'test' (in a clone: make test)",
        name=error.name,
    ) from error

__all__ = ["Case", "cases", "table"]


@dataclass(frozen=True)
class Case:
    """One of torch's cases.

    Attributes
    ----------
    family : str
        The module, function or optimizer, and the list that the case comes from.
    name : str
        Its number there, and torch's description.
    run : callable
        Raises AssertionError if numpy_rnn and torch disagree, `run_case.Different` if they do so on purpose.
    """

    family: str
    name: str
    run: Callable[[], None]


def cases() -> list[Case]:
    """Return all cases, with the same inputs each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return [*_module_cases(module_db), *_function_cases(op_db), *_optimizer_cases(optim_db)]


def _module_cases(infos: Any) -> Iterator[Case]:
    runs: dict[Any, Callable[..., None]] = {
        nn.RNN: run_case.run_rnn,
        nn.Embedding: run_case.run_embedding,
        nn.Linear: run_case.run_linear,
        nn.CrossEntropyLoss: run_case.run_cross_entropy,
        nn.NLLLoss: run_case.run_nll,
    }
    options: dict[str, Any] = {"device": "cpu", "dtype": torch.float64, "requires_grad": True, "training": True}
    for info in infos:
        if info.module_cls not in runs:
            continue
        packed = {"with_packed_sequence": True} if info.module_cls is nn.RNN else {}
        for i, case in enumerate(info.module_inputs_func(info, **options, **packed)):
            run = partial(runs[info.module_cls], case.constructor_input, case.forward_input)
            yield Case(f"{info.name}, module_db", f"{i} {case.desc}", run)
        for i, error in enumerate(_errors(info.module_error_inputs_func, info, **options)):
            run = partial(run_case.refuse_module, info.module_cls, error)
            yield Case(f"{info.name}, module_db errors", f"{i} {error.error_regex}", run)


def _function_cases(infos: Any) -> Iterator[Case]:
    runs: dict[str, Callable[..., None]] = {
        "nn.functional.cross_entropy": run_case.run_cross_entropy_function,
        "nn.functional.nll_loss": run_case.run_nll_function,
        "nn.functional.embedding": run_case.run_embedding_function,
        "nn.functional.linear": run_case.run_linear_function,
        "log_softmax": run_case.run_log_softmax,
    }
    for info in infos:
        if info.name not in runs:
            continue
        family = f"{info.name}, op_db" + " with dtype" * (info.variant_test_name == "with_dtype")
        # The reference inputs are the sample inputs and, where torch has any, more. For embedding, torch leaves all
        # options out where gradients are asked for.
        wants_gradients = info.name != "nn.functional.embedding"
        for i, case in enumerate(info.reference_inputs("cpu", torch.float64, requires_grad=wants_gradients)):
            yield Case(family, f"{i} {tuple(case.input.shape)} {sorted(case.kwargs)}", partial(runs[info.name], case))
        for i, error in enumerate(_errors(info.error_inputs_func and info.error_inputs, "cpu")):
            run = partial(run_case.refuse_embedding_weight, error)
            yield Case(f"{family} errors", f"{i} {error.error_regex}", run)


def _optimizer_cases(infos: Any) -> Iterator[Case]:
    for info in infos:
        if info.optim_cls not in (torch.optim.Adam, torch.optim.AdamW):
            continue
        family = f"{info.optim_cls.__name__}, optim_db"
        for i, case in enumerate(info.optim_inputs_func("cpu")):
            yield Case(family, f"{i} {case.desc}", partial(run_case.run_adam, info.optim_cls, case))
        for i, error in enumerate(_errors(info.optim_error_inputs_func, "cpu", torch.float64)):
            run = partial(run_case.refuse_adam, info.optim_cls, error)
            yield Case(f"{family} errors", f"{i} {error.error_regex}", run)


def _errors(function: Callable[..., Any] | None, *args: Any, **kwargs: Any) -> Any:
    """Return what torch lists as inputs to refuse; not every module and function has such a list."""
    return [] if function is None else function(*args, **kwargs)


def table() -> tuple[str, bool]:
    """Run all cases; return the table, in Markdown, and whether nothing failed."""
    counts: dict[str, Counter[str]] = {}
    reasons, failures = Counter[str](), []
    for case in cases():
        outcome = "passed"
        try:
            case.run()
        except run_case.Different as reason:
            outcome = "different"
            reasons[str(reason)] += 1
        except Exception as error:
            outcome = "failed"
            failures.append(f"- {case.family}, {case.name}: {type(error).__name__}: {error}")
        counts.setdefault(case.family, Counter())[outcome] += 1
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
    return "\n".join(lines), not failures


if __name__ == "__main__":
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        text, ok = table()
    print(text)
    sys.exit(0 if ok else 1)
