"""gradcheck: compare the gradients of a backward pass with numerical ones, tensor by tensor."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.compare import Settings, check_tensor, ties_between
from numpy_rnn.gradient_checking.experiment import METHODS, Experiment
from numpy_rnn.gradient_checking.relations import lengths_of, relation
from numpy_rnn.gradient_checking.report import GradcheckReport
from numpy_rnn.gradient_checking.side_effects import faults_of_conduct, unused_upstream
from numpy_rnn.gradient_checking.subjects.forms import as_subject
from numpy_rnn.gradient_checking.subjects.state import kept_randomness
from numpy_rnn.gradient_checking.tensors import TensorReport

__all__ = ["assert_gradients", "gradcheck"]

SALT = 0x6772_6164_6368_6563  # so that no stream of ours is that of a default_rng(n) of the user's
FULL_SIZE = 1000  # elements of a tensor: a larger one is checked along a few directions
JACOBIAN_SIZE = 4_000_000  # elements of one Jacobian, 32 MB: likewise
SECONDS = 3.0  # for all elements; what does not fit is checked along directions


def gradcheck(
    checked: Any,
    *inputs: Any,
    method: str | None = None,
    full: bool | None = None,
    directions: int = 4,
    seed: int = 0,
    rtol: float = 0.0,
    atol: float = 0.0,
    constants: Collection[str] = (),
    **options: Any,
) -> GradcheckReport:
    """Compare what a backward pass returns with numerical derivatives of its forward pass.

    Every floating-point array that forward depends on is compared, or the check does not pass: its arguments, and the
    arrays in the layer, in the variables of its module and in closures. docs/gradcheck.md has a table of styles, and
    says where gradients are found and which arrays are not.

    Parameters
    ----------
    checked : object, pair of functions, or function
        A layer: any object with `forward(*inputs)` and `backward(*upstream)`. Or a pair (forward, backward):
        `out, cache = forward(*inputs)` and `gradients = backward(*upstream, cache)`. Or a function that returns a
        loss and its gradients: `loss, gradients = f(*inputs)`. Functions may be methods of an object.
    *inputs : arrays
        The arguments of forward. For a pair, one tuple or dictionary of inputs will do too, and if a dictionary of
        params follows it, the calls are `forward(params, *inputs)` and `backward(cache, *upstream)`.
    method : {"complex step", "differences"}, optional
        None: the complex step if forward supports it, otherwise differences.
    full : bool, optional
        True: check every element. False: check along a few random directions in each tensor. None: every element of
        tensors that are small enough to be checked in a few seconds.
    directions : int, default 4
        The number of these directions.
    seed : int, default 0
        Random seed for the upstream gradients and directions.
    rtol, atol : float, default 0
        Accept an error of `atol + rtol * size`, where size is what the relative errors of the report are relative to.
    constants : collection of str
        The names of arrays that have no gradient: "x", or "param['running_mean']".
    **options
        Keyword arguments passed on to a layer's forward, such as `lengths=[3, 2]`. They are constants too.

    Returns
    -------
    GradcheckReport
        `ok`; `tensors`, a TensorReport for each name; `str(report)` is the whole report.

    Raises
    ------
    TypeError
        `checked` has none of these forms; or forward returns no numbers.
    ValueError
        The numbers of gradients and inputs differ, or the requested complex step cannot be used.
    """
    if method not in (None, *METHODS):
        raise ValueError(f"method must be {' or '.join(map(repr, METHODS))}, got {method!r}")
    if full not in (None, True, False):
        raise ValueError(f"full must be True, False or None, got {full!r}")
    if isinstance(directions, bool) or not isinstance(directions, int | np.integer) or directions < 1:
        raise ValueError(f"directions must be a positive integer, got {directions!r}")
    for name, value in (("rtol", rtol), ("atol", atol)):
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < np.inf:
            raise ValueError(f"{name} must be a finite number of at least 0, got {value!r}")
    constants = (constants,) if isinstance(constants, str) else constants
    if not isinstance(constants, Collection) or not all(isinstance(name, str) for name in constants):
        raise TypeError(f"constants must be names of arrays, such as ['x'], got {constants!r}")
    settings = Settings(float(rtol), float(atol), int(directions))
    # Streams of their own: an upstream gradient that equals an input hides a mix-up of the two.
    streams = [np.random.default_rng(stream) for stream in np.random.SeedSequence([SALT, seed]).spawn(3)]
    with kept_randomness() as used_generators:
        subject = as_subject(checked, inputs, options, constants, used_generators, streams[0])
        if subject.unfit:
            return GradcheckReport(subject.label, None, {}, [subject.unfit], subject.notes)
        experiment = Experiment(subject, method, streams[1])
        gradients = experiment.backward(experiment.upstream)
        faults = faults_of_conduct(experiment, gradients, streams[2])
        chosen = _checked_in_full(experiment, full)
        tensors = {
            name: check_tensor(experiment, name, gradients[name], name in chosen, settings, streams[2])
            if name in gradients and name in experiment.point else TensorReport(name, value.shape, "NO GRADIENT")
            for name, value in subject.tensors.items()
        }  # fmt: skip
        if ties := ties_between(experiment, tensors):
            for tensor in tensors.values():
                if tensor.kinks.any():
                    tensor.verdict, tensor.diagnosis = "WRONG", ties
        _add_notes(experiment, tensors)
        with np.errstate(all="ignore"):  # numerical trouble here must not hide the verdicts
            _relate(experiment, gradients, tensors)
    return GradcheckReport(subject.label, experiment, tensors, faults, subject.notes)


def _relate(experiment: Experiment, gradients: Mapping[str, Array], tensors: Mapping[str, TensorReport]) -> None:
    """Set the diagnosis of each wrong gradient: what its numbers show."""
    wrong = [name for name, t in tensors.items() if t.verdict in ("WRONG", "CLOSE", "SHAPE") and not t.diagnosis]
    if not wrong:
        return
    subject, unused = experiment.subject, unused_upstream(experiment, gradients, wrong)
    outputs = dict(zip(subject.output_names, experiment.outputs, strict=True))
    arrays = {name: x for name, x in {**outputs, **subject.inputs}.items() if isinstance(x, np.ndarray)}
    lengths, indices = lengths_of(arrays), {name: x for name, x in arrays.items() if x.dtype.kind in "iu"}
    for name in wrong:
        tensors[name].diagnosis = unused.get(name) or relation(tensors[name], lengths, indices)


def _checked_in_full(experiment: Experiment, full: bool | None) -> set[str]:
    """Return the tensors of which every element is checked: the small ones, as long as that takes a few seconds."""
    left = SECONDS / experiment.progress.seconds
    chosen = set()
    for name in sorted(experiment.point, key=lambda name: experiment.point[name].size):
        size = experiment.point[name].size
        forwards = size * experiment.forwards_per_direction
        if full or (
            full is None and size <= FULL_SIZE and size * experiment.u.size <= JACOBIAN_SIZE and forwards <= left
        ):
            chosen.add(name)
            left -= forwards
            experiment.progress.planned += forwards
    return chosen


def _add_notes(experiment: Experiment, tensors: Mapping[str, TensorReport]) -> None:
    for name, value in experiment.subject.inputs.items():
        if isinstance(value, float):
            experiment.notes.append(f"{name} is a Python number and not checked: pass np.array({value}) to check it")
    limits = [tensor.limit for tensor in tensors.values() if tensor.checked_numeric.any()]
    if limits and max(limits) > 1e-7:
        kinds = {float(np.finfo(kind).eps): kind.__name__ for kind in (np.float16, np.float32)}
        kind = kinds.get(experiment.eps)
        because = (
            "differences are not more precise here" if experiment.method == METHODS[1] else "far larger terms cancel"
        )
        because = f"forward computes in {kind}" if kind else because
        experiment.notes.append(f"relative errors below {max(limits):.0e} cannot be seen: {because}")
    for name, tensor in tensors.items():
        if tensor.verdict == "ok" and tensor.checked_numeric.size and not tensor.checked_numeric.any():
            experiment.notes.append(f"the gradient of {name} is zero everywhere at this point, which shows little")
        if tensor.is_tiny:
            experiment.notes.append(f"the gradient of {name} is as small as its rounding error, so it is not checked")


def assert_gradients(checked: Any, *inputs: Any, **options: Any) -> None:
    """Raise AssertionError, with the whole report, unless every gradient is right; arguments as for `gradcheck`."""
    report = gradcheck(checked, *inputs, **options)
    if not report.ok:
        raise AssertionError(str(report))
