"""The picture of a learning race: validation loss against steps and against time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.contestants import OURS
from benchmarks.learning.results import Learning
from benchmarks.show.plot import STYLE, new_figure
from benchmarks.show.report import duration

__all__ = ["draw"]

_OURS, _THEIRS = STYLE[OURS.name][0], STYLE["torch"][0]


def draw(learning: Learning, path: Path) -> Path:
    """Write the picture to `path` and return it."""
    with new_figure() as figure:
        figure.set_size_inches(13, 5.4)
        left, right = figure.subplots(1, 2, sharey=True)
        _against_steps(learning, left)
        _against_seconds(learning, right)
        figure.savefig(path)
    return path


def _against_steps(learning: Learning, axes: Any) -> None:
    """Draw both curves on top of each other: a narrow line inside a wide one."""
    ours, theirs = learning.curves()
    axes.plot(ours.steps, ours.losses, color=_OURS, linewidth=7, alpha=0.4, solid_capstyle="round")
    axes.plot(theirs.steps, theirs.losses, color=_THEIRS, linewidth=1.8)
    difference, _ = learning.largest_difference(learning.chosen()[1].name)
    top = max(ours.losses[1], theirs.losses[1])
    lowest = learning.levels()[-1].loss
    bottom = lowest - 0.2 * (top - lowest)
    axes.set_ylim(bottom, top + 0.05 * (top - bottom))  # the initial loss is far above
    axes.set(xlim=(0, ours.steps[-1] * 1.02), xlabel="training steps", ylabel="validation loss, nats per character")
    axes.set_title(f"At the same step, at most {difference:.1g} nats apart")
    place = {"transform": axes.transAxes, "ha": "right", "fontweight": "bold"}
    axes.text(0.97, 0.9, "numpy_rnn (wide line)", color=_OURS, **place)
    axes.text(0.97, 0.82, "torch (narrow line)", color=_THEIRS, **place)


def _against_seconds(learning: Learning, axes: Any) -> None:
    """Draw the curves, and below them the time of each to the lowest loss that both reach."""
    last, (bottom, top) = learning.levels()[-1], axes.get_ylim()
    sides = zip(learning.curves(), ("numpy_rnn", "torch"), (_OURS, _THEIRS), (last.ours, last.theirs), strict=True)
    for k, (curve, name, colour, seconds) in enumerate(sides):
        axes.plot(curve.seconds, curve.losses, color=colour, linewidth=2.8)
        y = bottom + (0.085 - 0.055 * k) * (top - bottom)
        axes.plot([0, seconds], [y, y], color=colour, linewidth=5, solid_capstyle="butt")
        axes.plot([seconds, seconds], [y, last.loss], color=colour, linewidth=1.2, linestyle=":")
        place = {"textcoords": "offset points", "color": colour, "va": "center", "fontweight": "bold"}
        axes.annotate(f"{name} {duration(seconds)}", (seconds, y), (6, 0), annotation_clip=False, **place)
    axes.set(xlim=(0, None), xlabel="seconds of training")
    axes.set_title(f"To the same loss, torch takes {last.ratio:.2f} times as long")
