"""The pictures of a race: ratios for each shape, and cost curves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.contestants import OURS
from benchmarks.measure.results import Race
from benchmarks.show.curves import curve
from benchmarks.show.report import TORCH_ON_CPU, best_torch, grid_cases
from numpy_rnn.display.pictures import BLUE, GREEN, GREY, ORANGE, PINK, RED, figures

__all__ = ["STYLE", "draw", "new_figure"]

STYLE = {
    "numpy_rnn": (BLUE, "o"),
    "torch": (RED, "s"),
    "torch-by-hand": (RED, "x"),
    "torch-compile": (ORANGE, "P"),
    "jax": (GREEN, "^"),
    "per-step": (PINK, "D"),
    "torch-cuda": (GREY, "v"),
    "floor": (GREY, "|"),
}
WORDS = {
    "torch": "torch.nn",
    "torch-fused": "torch.nn",
    "per-step": "per-step NumPy",
    "floor": "matrix products alone",
}
RC: dict[Any, Any] = {
    "font.size": 13,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.titlesize": 15,
    "grid.color": "#e5e5e5",
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "savefig.dpi": 160,
    "figure.constrained_layout.h_pad": 0.12,
    "figure.constrained_layout.w_pad": 0.12,
}


def draw(race: Race, folder: Path) -> list[Path]:
    """Draw ratios.png and curves.png, or those that the race has the data for, into `folder`; return their paths."""
    drawn = []
    for name, picture in (("ratios.png", _ratios), ("curves.png", _curves)):
        with new_figure() as figure:
            if picture(race, figure):
                figure.savefig(folder / name)
                drawn.append(folder / name)
    return drawn


@contextmanager
def new_figure() -> Iterator[Any]:
    """Yield a matplotlib Figure in this style."""
    with figures() as Figure:
        from matplotlib import rc_context

        with rc_context(RC):
            yield Figure()


def _ratios(race: Race, figure: Any) -> bool:
    """Draw one row per shape: times relative to numpy_rnn, with 95 % intervals. Return whether there are any."""
    cases = [i for i in grid_cases(race, "train") if OURS.name in race.best(i)]
    if not cases:
        return False
    figure.set_size_inches(11, 2.6 + 0.62 * len(cases))
    axes = figure.subplots()
    axes.grid(visible=False)
    for row, i in enumerate(reversed(cases)):
        best = race.best(i)
        others = {name: best.get(name) for name in STYLE} | {"torch": best_torch(best)}
        axes.axhline(row, color="#f0f0f0", linewidth=9, zorder=0)
        for name, theirs in others.items():
            if theirs is None or name == OURS.name:
                continue
            colour, marker = STYLE[name]
            ratio = race.ratio(i, theirs, best[OURS.name])
            axes.plot([ratio.low, ratio.high], [row, row], color=colour, linewidth=3.5, alpha=0.5)
            shape = {"markersize": 16, "markeredgewidth": 2.5} if marker == "|" else {"markersize": 9}
            axes.plot(ratio.median, row, marker, color=colour, label=WORDS.get(name, name), **shape)
    axes.axvline(1, color=STYLE[OURS.name][0], linewidth=2.5, label=OURS.name)
    axes.set_xscale("log")
    _plain_log_ticks(axes.xaxis)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_yticks(range(len(cases)), [race.cases[i].shape for i in reversed(cases)])
    axes.set_ylim(-0.7, len(cases) + 0.5)
    axes.text(
        -0.01, len(cases) - 0.35, "V, E, H, T, B", transform=axes.get_yaxis_transform(), ha="right", color="#666666"
    )
    axes.set_xlabel("time of one training step, relative to numpy_rnn   (left: faster, right: slower)")
    axes.set_title(f"One training step on {race.machine['cores']} CPU cores")
    _legend(figure, axes)
    return True


def _curves(race: Race, figure: Any) -> bool:
    """Draw the time of a training step against T, B and H, on log axes. Return whether the race has the curves."""
    curves = {axis: curve(race, axis) for axis in ("T", "B", "H")}
    if not all(seconds for _, seconds in curves.values()):
        return False
    figure.set_size_inches(14, 5)
    panels = figure.subplots(1, 3, sharey=True)
    words = {"T": "T, time steps", "B": "B, batch size", "H": "H, hidden size"}
    for axes, (axis, (sizes, seconds)) in zip(panels, curves.items(), strict=True):
        for name, values in seconds.items():
            style = "torch" if name in TORCH_ON_CPU else name
            colour, marker = STYLE[style]
            line = {"linestyle": "--"} if name == "floor" else {"marker": marker}
            axes.plot(sizes, [1e3 * s for s in values], color=colour, label=WORDS.get(name, name), **line)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(sizes, map(str, sizes))
        axes.minorticks_off()
        axes.set_xlabel(words[axis])
    _plain_log_ticks(panels[0].yaxis)
    panels[0].set_ylabel("ms per training step")
    panels[0].set_title("Time of a training step as one size grows")
    _legend(figure, panels[0])
    return True


def _legend(figure: Any, axes: Any) -> None:
    """Name each contestant once, above the plot."""
    names = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    figure.legend(names.values(), names, loc="outside upper right", ncols=len(names), frameon=False)


def _plain_log_ticks(axis: Any) -> None:
    """Label ticks as 0.5, 1, 2, 5, 10 instead of powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(10, (1, 2, 5)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
