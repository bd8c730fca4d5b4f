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
        is_new = target is None or is_path
        axes = list(Figure(figsize=(15, 4.6), dpi=120).subplots(1, 3) if is_new else target)
        if len(axes) != 3:
            raise ValueError(f"target must be a path or three axes, got {len(axes)} axes")
        figure = axes[0].figure
        _scatter(axes[0], label, compared)
        _heatmap(axes[1], worst)
        _error_by_step(axes[2], experiment, worst)
        if is_path:
            figure.savefig(target)
    return figure


def _scatter(axes: Any, label: str, compared: list[TensorReport]) -> None:
    axes.axline((0, 0), slope=1, color=GREY, linewidth=1, zorder=0)
    for t in compared:
        style = {"marker": "." if t.verdict == "ok" else "x", "color": COLOURS[t.verdict], "alpha": 0.6}
        axes.plot(t.checked_numeric, t.checked_analytic, linestyle="", label=f"{t.name}: {t.verdict}", **style)
    if len(compared) <= 8:
        axes.legend(loc="best", fontsize="small")
    axes.set(title=f"{label}: gradients", xlabel="numerical", ylabel="backward")


def _heatmap(axes: Any, tensor: TensorReport) -> None:
    errors = tensor.spread(np.maximum(tensor.absolute_error, 1e-17))
    if tensor.time_axis is not None:
        errors = np.moveaxis(errors, tensor.time_axis, 0)
    rows = errors.reshape(len(errors) if errors.ndim > 1 else 1, -1)
    image = axes.imshow(np.log10(rows), aspect="auto", cmap="magma", interpolation="nearest", vmin=-17, vmax=0)
    axes.figure.colorbar(image, ax=axes, label="log10 |backward - numerical|")
    vertical = "time step, from 0" if tensor.time_axis is not None else "axis 0"
    title = f"{tensor.name} {tensor.shape}: error by place"
    axes.set(title=title, xlabel="the other axes, flattened", ylabel=vertical)
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_major_locator().set_params(integer=True)


def _error_by_step(axes: Any, experiment: Experiment, tensor: TensorReport) -> None:
    """Differences give a U: truncation error to the right, round-off to the left. The complex step is flat."""
    name, u = tensor.name, experiment.u
    v = np.random.default_rng(0).standard_normal(tensor.shape)
    v /= np.linalg.norm(v)
    f, point = experiment.function, experiment.point
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
