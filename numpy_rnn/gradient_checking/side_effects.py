"""Side effects of forward and backward, and whether calls that should agree do."""

from __future__ import annotations

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.experiment import Experiment, copies

__all__ = ["faults_of_conduct"]


def faults_of_conduct(experiment: Experiment, gradients: dict[str, Array], rng: np.random.Generator) -> list[str]:
    """Return one sentence per fault; `gradients` are those of the experiment's upstream gradients."""
    subject, upstream = experiment.subject, experiment.upstream
    faults = []
    values = copies(experiment.point)
    outputs = subject.start(np.float64).forward(values)
    if not _equal(outputs, experiment.outputs):
        return [
            "forward returns different results for the same inputs, so it has no derivative: draw random numbers "
            "from a numpy.random.Generator that is an attribute of the layer or an argument (its state is restored "
            "before each call), or fix the seed"
        ]
    faults += _changed("forward modifies its input", values, experiment.point)

    names = subject.output_names(experiment.outputs)

    def by_name(prefix: str, arrays: list[Array]) -> dict[str, Array]:
        return {prefix + name: array for name, array in zip(names, arrays, strict=True)}

    session, values, used = subject.start(np.float64), copies(experiment.point), [u.copy() for u in upstream]
    returned = session.forward(values)
    before = copies(values)  # forward may have modified them
    first = session.backward(used)
    faults += _changed("backward modifies", values, before)
    faults += _changed("backward modifies what forward returned,", by_name("", returned), by_name("", outputs))
    faults += _changed("backward modifies the upstream gradient", by_name("d", used), by_name("d", upstream))
    try:
        second = session.backward([u.copy() for u in upstream])
    except Exception:
        experiment.notes.append("backward can be called only once per forward")
        second = first
    if not _equal(list(first.values()), list(gradients.values())):
        faults.append(
            "two fresh copies return different gradients: backward draws random numbers or uses global state"
        )
    repeated = [name for name in first if not _close(first[name], second[name])]

    session = subject.start(np.float64)
    session.forward(copies(experiment.point))
    other = session.backward(experiment.draw_upstream(rng))
    session.forward(copies(experiment.point))
    after = session.backward([u.copy() for u in upstream])
    stale = [name for name in first if not _close(first[name], after[name])]
    added = [name for name in stale if after[name].shape == other[name].shape == first[name].shape]
    added = [name for name in added if _close(after[name], first[name] + other[name])]
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


def _equal(some: list[Array], others: list[Array]) -> bool:
    return len(some) == len(others) and all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(some, others, strict=True)
    )


def _close(a: Array, b: Array) -> bool:
    # The same operations on the same numbers, but BLAS may round differently if memory is aligned differently.
    size = np.abs(a).max(initial=0, where=np.isfinite(a))
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-12, atol=1e-14 * size, equal_nan=True))


def _changed(words: str, now: dict[str, Array], before: dict[str, Array]) -> list[str]:
    return [f"{words} {name}" for name, value in now.items() if not _equal([value], [before[name]])]
