"""The report as a picture: analytic against numeric, the places of the error, and the error against the step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.gradient_checking.derivatives import central, complex_step
from numpy_rnn.gradient_checking.experiment import METHODS, Experiment
from numpy_rnn.gradient_checking.tensors import TensorReport

__all__ = ["plot"]

STEPS = 10.0 ** np.arange(-15, 0.01, 0.5)
RIGHT, WRONG, GREY = "#2b6cb0", "#c53030", "#718096"


def plot(label: str, tensors: Mapping[str, TensorReport], experiment: Experiment, target: Any = None) -> Any:
    """Draw the report; return the figure.

    Parameters
    ----------
    label, tensors, experiment
        Those of the report.
    target : path or sequence of three matplotlib axes, optional
        A file to write, or the axes to draw on. None: a new figure, which is returned.

    Raises
    ------
    ModuleNotFoundError
        matplotlib is not installed: it is the extra 'plot'.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise ModuleNotFoundError("matplotlib is not installed: it is the extra 'plot'") from None

    if target is None or isinstance(target, str) or hasattr(target, "__fspath__"):
        figure = Figure(figsize=(15, 4.6), layout="constrained")
        axes = figure.subplots(1, 3)
    else:
        axes = list(target)
        if len(axes) != 3:
            raise ValueError(f"target must be a path or three axes, got {len(axes)} axes")
        figure = axes[0].figure
    compared = [t for t in tensors.values() if t.verdict in ("ok", "WRONG") and t.checked_numeric.size]
    if not compared:
        raise ValueError("there is nothing to draw: no gradient was compared")
    worst = max(compared, key=lambda t: (t.verdict == "WRONG", t.max_relative_error))
    _scatter(axes[0], label, compared)
    _heatmap(axes[1], worst)
    _error_by_step(axes[2], experiment, worst)
    if target is not None and not isinstance(target, list | tuple | np.ndarray):
        figure.savefig(target, dpi=120)
    return figure


def _scatter(axes: Any, label: str, compared: list[TensorReport]) -> None:
    every = [np.zeros(1)]
    for t in compared:
        color, marker = (WRONG, "x") if t.verdict == "WRONG" else (RIGHT, ".")
        axes.plot(t.checked_numeric, t.checked_analytic, marker, color=color, alpha=0.6, label=None)
        every += [t.checked_numeric, t.checked_analytic]
    low, high = np.nanmin(np.concatenate(every)), np.nanmax(np.concatenate(every))
    axes.plot([low, high], [low, high], "-", color=GREY, linewidth=1, zorder=0)
    for verdict, marker, color in (("ok", ".", RIGHT), ("WRONG", "x", WRONG)):
        names = [t.name for t in compared if t.verdict == verdict]
        if names:
            words = "right" if verdict == "ok" else "wrong"
            shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            axes.plot([], [], marker, color=color, label=f"{words}: {shown}")
    axes.legend(loc="best", fontsize="small", frameon=False)
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
    if len(rows) == 1:
        axes.set_yticks([])


def _error_by_step(axes: Any, experiment: Experiment, tensor: TensorReport) -> None:
    """The U of differences, truncation to the right and round-off to the left; the complex step is flat."""
    name, u = tensor.name, experiment.u
    v = np.random.default_rng(0).standard_normal(tensor.shape)
    v /= np.linalg.norm(v)
    f, point = experiment.function, experiment.point
    if experiment.method == METHODS[0]:
        truth = u @ complex_step(experiment.complex_function, point, name, v)
    else:
        truth = u @ experiment.jacobian(name, [v])[0][:, 0]

    def relative(derivatives: list[Array]) -> list[float]:
        return [max(float(abs(u @ d - truth)) / (abs(float(truth)) or 1.0), 1e-17) for d in derivatives]

    here = f(point)
    forward = [(f({**point, name: point[name] + h * v}) - here) / h for h in STEPS]
    axes.loglog(STEPS, relative(forward), ":", color=GREY, label="forward difference")
    middle = [central(f, point, name, v, h) for h in STEPS]
    axes.loglog(STEPS, relative(middle), "-", color="#dd6b20", label="central difference")
    if experiment.method == METHODS[0]:
        g = experiment.complex_function
        smaller = 10.0 ** np.arange(-30, -14.9, 1)
        steps = np.concatenate([smaller, STEPS])
        by_complex = [complex_step(g, point, name, v, h) for h in steps]
        axes.loglog(steps, relative(by_complex), "-", color=RIGHT, label="complex step")
    if tensor.analytic is not None and tensor.analytic.shape == v.shape:
        error = abs(float(np.sum(tensor.analytic * v) - truth))
        error = max(error / (abs(float(truth)) or 1.0), 1e-17)
        color = WRONG if tensor.verdict == "WRONG" else RIGHT
        axes.axhline(error, color=color, linestyle="--", linewidth=1, label="backward")
    axes.legend(fontsize="small", frameon=False)
    axes.set(title=f"{name}: error along one direction", xlabel="step h", ylabel="relative error", ylim=(3e-18, 1e2))
