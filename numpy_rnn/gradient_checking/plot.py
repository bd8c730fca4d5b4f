"""A picture of the report: analytic against numerical gradients, the place of the error, its size by step size."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.display.pictures import BLUE, GREY, ORANGE, RED, figures
from numpy_rnn.gradient_checking.derivatives import central, complex_step
from numpy_rnn.gradient_checking.experiment import METHODS, Experiment
from numpy_rnn.gradient_checking.tensors import TensorReport

__all__ = ["plot"]

STEPS = 10.0 ** np.arange(-15, 0.01, 0.5)
COLOURS = {"ok": BLUE, "WRONG": RED, "CLOSE": ORANGE}


def plot(label: str, tensors: Mapping[str, TensorReport], experiment: Experiment, target: Any = None) -> Any:
    """Draw the report and return the figure.

    Parameters
    ----------
    label, tensors, experiment
        Those of the report.
    target : path or sequence of three matplotlib axes, optional
        A file to write, or the axes to draw on. Default: a new figure.

    Raises
    ------
    ModuleNotFoundError
        matplotlib is not installed.
    """
    compared = [t for t in tensors.values() if t.verdict in COLOURS and t.checked_numeric.size]
    if not compared:
        raise ValueError("there is nothing to draw: no gradient was compared")
    worst = max(compared, key=lambda t: (t.verdict != "ok", t.max_relative_error))
    with figures() as Figure:
        is_path = isinstance(target, str | os.PathLike)
        if target is None or is_path:
            figure = Figure(figsize=(15, 4.6))
            axes = figure.subplots(1, 3)
        else:
            axes = list(target)
            if len(axes) != 3:
                raise ValueError(f"target must be a path or three axes, got {len(axes)} axes")
            figure = axes[0].figure
        _scatter(axes[0], label, compared)
        _heatmap(axes[1], worst)
        _error_by_step(axes[2], experiment, worst)
        if is_path:
            figure.savefig(target, dpi=120)
    return figure


def _scatter(axes: Any, label: str, compared: list[TensorReport]) -> None:
    every = [np.zeros(1)]
    for verdict, marker, words in (("ok", ".", "right"), ("WRONG", "x", "wrong")):
        drawn = [t for t in compared if t.verdict == verdict]
        for t in drawn:
            axes.plot(t.checked_numeric, t.checked_analytic, marker, color=COLOURS[verdict], alpha=0.6)
            every += [t.checked_numeric, t.checked_analytic]
        if drawn:
            names = ", ".join(t.name for t in drawn[:3]) + f" and {len(drawn) - 3} more" * (len(drawn) > 3)
            axes.plot([], [], marker, color=COLOURS[verdict], label=f"{words}: {names}")
    low, high = np.nanmin(np.concatenate(every)), np.nanmax(np.concatenate(every))
    axes.plot([low, high], [low, high], "-", color=GREY, linewidth=1, zorder=0)
    axes.legend(loc="best", fontsize="small")
    axes.set(title=f"{label}: gradients", xlabel="numerical", ylabel="backward")


def _heatmap(axes: Any, tensor: TensorReport) -> None:
    errors = tensor.spread(np.maximum(tensor.absolute_error, 1e-17))
    if tensor.time_axis is not None:
        errors = np.moveaxis(errors, tensor.time_axis, 0)
    if errors.ndim == 0:
        errors = errors.reshape(1, 1)
    rows = errors.reshape(errors.shape[0], -1) if errors.ndim > 1 else errors.reshape(1, -1)
    image = axes.imshow(np.log10(rows), aspect="auto", cmap="magma", interpolation="nearest", vmin=-17, vmax=0)
    axes.figure.colorbar(image, ax=axes, label="log10 |backward - numerical|")
    vertical = "time step, from 0" if tensor.time_axis is not None else "axis 0" if errors.ndim > 1 else ""
    horizontal = "the other axes, flattened" if errors.ndim > 2 else f"axis {max(errors.ndim - 1, 0)}"
    axes.set(title=f"{tensor.name} {tensor.shape}: error by place", xlabel=horizontal, ylabel=vertical)
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_major_locator().set_params(integer=True)
    if len(rows) == 1:
        axes.set_yticks([])


def _error_by_step(axes: Any, experiment: Experiment, tensor: TensorReport) -> None:
    """Differences give a U: truncation error to the right, round-off to the left. The complex step is flat."""
    name, u = tensor.name, experiment.u
    v = np.random.default_rng(0).standard_normal(tensor.shape)
    v /= np.linalg.norm(v)
    f, point = experiment.function, experiment.point
    if experiment.method == METHODS[0]:
        truth = u @ complex_step(experiment.complex_function, point, name, v)
    else:
        truth = u @ experiment.jacobian(name, [v])[0][:, 0]

    def relative(derivative: Any) -> float:
        return max(float(abs(derivative - truth)) / (abs(float(truth)) or 1.0), 1e-17)

    def curve(style: str, color: str, label: str, steps: Array, derivative: Callable[[float], Array]) -> None:
        axes.loglog(steps, [relative(u @ derivative(h)) for h in steps], style, color=color, label=label)

    here = f(point)
    curve(":", GREY, "forward difference", STEPS, lambda h: (f({**point, name: point[name] + h * v}) - here) / h)
    curve("-", ORANGE, "central difference", STEPS, lambda h: central(f, point, name, v, h))
    if experiment.method == METHODS[0]:
        g, steps = experiment.complex_function, np.concatenate([10.0 ** np.arange(-30, -14.9, 1), STEPS])
        curve("-", BLUE, "complex step", steps, lambda h: complex_step(g, point, name, v, h))
    if tensor.analytic is not None and tensor.analytic.shape == v.shape:
        error = relative(np.sum(tensor.analytic * v))
        axes.axhline(error, color=COLOURS[tensor.verdict], linestyle="--", linewidth=1, label="backward")
    axes.legend(fontsize="small")
    axes.set(title=f"{name}: error along one direction", xlabel="step h", ylabel="relative error", ylim=(3e-18, 1e2))
