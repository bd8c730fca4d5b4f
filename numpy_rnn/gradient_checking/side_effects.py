"""Side effects of forward and backward, and whether calls that should agree do."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.experiment import Experiment, copies
from numpy_rnn.gradient_checking.subjects.session import FLUSHES, moved, same

__all__ = ["faults_of_conduct", "unused_upstream"]


def faults_of_conduct(experiment: Experiment, gradients: dict[str, Array], rng: np.random.Generator) -> list[str]:
    """Return one sentence per fault; `gradients` are those of the experiment's upstream gradients."""
    subject, upstream, point = experiment.subject, experiment.upstream, experiment.point
    inputs = [name for name in point if subject.leaves[name].is_argument]
    session, used = subject.start(np.float64), [u.copy() for u in upstream]
    returned = session.forward(copies(point))
    outputs = [y.copy() for y in returned]
    before = {name: session.value(name) for name in point}
    first = session.backward(used)
    after = {name: session.value(name) for name in point}
    faults = [f"forward modifies its input {name}" for name in inputs if not same(before[name], point[name])]
    faults += [f"backward modifies {name}" for name in inputs if not same(after[name], before[name])]
    for name, y, was, d, d_was in zip(subject.output_names, returned, outputs, used, upstream, strict=True):
        faults += [f"backward modifies what forward returned, {name}"] * (not same(y, was))
        faults += [f"backward modifies the upstream gradient d{name}"] * (not same(d, d_was))
    if any(not _close(first[name], gradients[name]) for name in gradients):
        faults.append(
            "two fresh copies return different gradients: backward draws random numbers or uses global state"
        )
    if any(not same(after[name], before[name]) for name in before if name not in inputs):
        return faults  # backward updates the parameters, so a second call is another one
    if subject.takes_upstream and len(upstream) == 1 and upstream[0].ndim == 0:
        faults += _of_a_loss(experiment, gradients)
    try:
        second = session.backward([u.copy() for u in upstream])
    except Exception:
        experiment.notes.append("backward can be called only once per forward")
        second = first
    # An input with a `.grad` is another one in each call.
    told = [n for n in first if not (subject.leaves[n].is_argument and subject.leaves[n].is_inside)]
    is_flushed = any(hasattr(session.root["self"], name) for name in FLUSHES)
    repeated = [name for name in told if not (is_flushed or _close(first[name], second[name]))]
    stale, added = _left_over(experiment, {name: first[name] for name in told}, outputs, rng)
    if added:
        faults.append(
            f"gradients accumulate from call to call: backward adds to {', '.join(added)} (assign instead, or define "
            "zero_grad(), which is called before each backward)"
        )
    elif stale:
        faults.append(
            f"the gradient of {', '.join(stale)} depends on an earlier call: backward reads something that the "
            "call left behind"
        )
    if repeated and not added:
        faults.append(
            f"two backward calls after one forward return different gradients of {', '.join(repeated)}: backward "
            "overwrites something that it reads, or draws random numbers (for dropout, reuse the mask of forward)"
        )
    return faults


def _of_a_loss(experiment: Experiment, gradients: Mapping[str, Array]) -> list[str]:
    """Compare with the gradients for half the upstream gradient of a loss, which is 1 otherwise."""
    half = experiment.backward([np.array(0.5)])
    if all(_close(half[name], gradients[name]) for name in gradients):
        experiment.notes.append("backward ignores the upstream gradient of the loss: right as long as that is 1")
    elif wrong := [name for name in gradients if not _close(half[name], 0.5 * gradients[name])]:
        return [f"the gradient of {', '.join(wrong)} is not proportional to the upstream gradient of the loss"]
    return []


def unused_upstream(experiment: Experiment, gradients: Mapping[str, Array], names: list[str]) -> dict[str, str]:
    """Say which gradients do not depend on the upstream gradient of an output that depends on the tensor."""
    found: dict[str, str] = {}
    if not experiment.subject.takes_upstream or experiment.u.size == 1:  # that of a loss is 1
        return found
    for k, u in enumerate(experiment.upstream):
        changed = experiment.backward([*experiment.upstream[:k], 2 * u, *experiment.upstream[k + 1 :]])
        same_as_before = [name for name in names if np.array_equal(changed[name], gradients[name])]
        for name in same_as_before if u.any() else ():
            v = experiment.rng.standard_normal(experiment.point[name].shape)
            J, error = experiment.jacobian(name, [v])
            if gradients[name].any() and (np.abs(J) > 8 * error)[experiment.output_rows(k)].any():
                d = f"d{experiment.subject.output_names[k]}"
                found[name] = f"it does not depend on the upstream gradient {d}, but it should"
    return found


def _left_over(
    experiment: Experiment, first: Mapping[str, Array], outputs: list[Array], rng: np.random.Generator
) -> tuple[list[str], list[str]]:
    """Return the gradients that another call before changes, and those to which it is added.

    There are none if forward itself carries a state from call to call, or may be called only once.
    """
    session = experiment.subject.start(np.float64)
    try:
        session.forward({name: moved(x, rng) for name, x in experiment.point.items()})
        other = session.backward(experiment.draw_upstream(rng))
        session.call_forward(copies(experiment.point))
        if not all(map(same, session.outputs(), outputs)):
            return [], []
        after = session.backward([u.copy() for u in experiment.upstream])
    except Exception:
        return [], []
    stale = [name for name in first if not _close(first[name], after[name])]
    added = [name for name in stale if after[name].shape == other[name].shape == first[name].shape]
    return stale, [name for name in added if _close(after[name], first[name] + other[name])]


def _close(a: Array, b: Array) -> bool:
    # The same operations on the same numbers, but BLAS may round differently if memory is aligned differently.
    size = np.abs(a).max(initial=0, where=np.isfinite(a))
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-12, atol=1e-14 * size, equal_nan=True))
