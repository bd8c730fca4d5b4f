"""Two pictures of a race: ratios per shape, and cost curves."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from benchmarks.contestants import OURS, Unavailable
from benchmarks.measure.results import Race
from benchmarks.show.curves import curve
from benchmarks.show.report import TORCH_ON_CPU, best_torch, grid_cases

__all__ = ["draw"]

# Okabe and Ito's palette, which colour-blind eyes tell apart; markers differ as well.
STYLE = {
    "numpy_rnn": ("#0072B2", "o"),
    "torch": ("#D55E00", "s"),
    "jax": ("#009E73", "^"),
    "per-step": ("#CC79A7", "D"),
    "torch-cuda": ("#E69F00", "v"),
    "floor": ("#666666", "|"),
}
WORDS = {
    "torch": "best of torch",
    "torch-fused": "torch",
    "per-step": "per-step NumPy",
    "floor": "matrix products alone",
}
RC: dict[Any, Any] = {
    "font.size": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 15,
    "axes.titlelocation": "left",
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "savefig.dpi": 160,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.12,
    "figure.constrained_layout.w_pad": 0.12,
}


def draw(race: Race, folder: Path) -> list[Path]:
    """Write ratios.png and curves.png into `folder`, each where the race has what it shows; return their paths."""
    try:
        import matplotlib
    except ModuleNotFoundError as error:
        raise Unavailable("the pictures need matplotlib: pip install 'numpy-rnn[bench]'") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    drawn = []
    with matplotlib.rc_context(RC):
        for name, picture in (("ratios.png", _ratios), ("curves.png", _curves)):
            figure = picture(race, pyplot)
            if figure is not None:
                figure.savefig(folder / name)
                pyplot.close(figure)
                drawn.append(folder / name)
    return drawn


def _ratios(race: Race, pyplot: Any) -> Any:
    """One row a shape: how many times as long as numpy_rnn the others take, with 95 % intervals."""
    cases = [i for i in grid_cases(race, "train") if OURS.name in race.best(i)]
    if not cases:
        return None
    figure, axes = pyplot.subplots(figsize=(11, 2.2 + 0.62 * len(cases)))
    for row, i in enumerate(reversed(cases)):
        times, best = race.times(i), race.best(i)
        others = {name: best.get(name) for name in STYLE} | {"torch": best_torch(best, times)}
        axes.axhline(row, color="#f0f0f0", linewidth=9, zorder=0)
        medians = {}
        for name, theirs in others.items():
            if theirs is None or name == OURS.name:
                continue
            colour, marker = STYLE[name]
            ratio = race.ratio(i, theirs, best[OURS.name])
            medians[name] = ratio.median
            axes.plot([ratio.low, ratio.high], [row, row], color=colour, linewidth=3.5, alpha=0.5)
            shape = {"markersize": 16, "markeredgewidth": 2.5} if marker == "|" else {"markersize": 9}
            axes.plot(ratio.median, row, marker, color=colour, **shape)
    axes.axvline(1, color=STYLE[OURS.name][0], linewidth=2.5)
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
    fastest, slowest = axes.get_xlim()
    axes.set_xlim(fastest / 1.5, slowest * 1.3)  # room for the names
    name_place = {"textcoords": "offset points", "color": STYLE[OURS.name][0], "fontweight": "bold"}
    axes.annotate(OURS.name, (1, len(cases) + 0.4), (6, -6), **name_place)
    _label_first_row(axes, medians, len(cases) - 1)
    return figure


def _label_first_row(axes: Any, medians: dict[str, float], row: int) -> None:
    """Write each contestant's name above its marker in the first row, a line higher where it would touch another."""
    left, right = (math.log10(x) for x in axes.get_xlim())
    ends: list[float] = []  # how far each line of text reaches
    for name, value in sorted(medians.items(), key=lambda item: item[1]):
        words = WORDS.get(name, name)
        at = (math.log10(value) - left) / (right - left)
        half = 0.0075 * len(words)
        line = next((k for k, end in enumerate(ends) if at - half > end), len(ends))
        ends[line : line + 1] = [at + half]
        axes.annotate(
            words,
            (value, row),
            (0, 13 + 17 * line),
            textcoords="offset points",
            color=STYLE[name][0],
            ha="center",
            fontweight="bold",
        )


def _curves(race: Race, pyplot: Any) -> Any:
    """Time of a training step along T, B and H, on log axes."""
    curves = {axis: curve(race, axis) for axis in ("T", "B", "H")}
    if not all(seconds for _, seconds in curves.values()):
        return None
    figure, panels = pyplot.subplots(1, 3, figsize=(14, 5), sharey=True)
    words = {"T": "T, time steps", "B": "B, sequences in a batch", "H": "H, hidden size"}
    for axes, (axis, (sizes, seconds)) in zip(panels, curves.items(), strict=True):
        for name, values in seconds.items():
            style = "torch" if name in TORCH_ON_CPU else name
            colour, marker = STYLE[style]
            axes.plot(sizes, [1e3 * s for s in values], color=colour, marker=marker if marker != "|" else None,
                      linestyle="--" if name == "floor" else "-", linewidth=2.2, markersize=6)  # fmt: skip
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(sizes, map(str, sizes))
        axes.minorticks_off()
        axes.set_xlabel(words[axis])
        axes.grid(axis="y", color="#e5e5e5")
        axes.set_axisbelow(True)
    _plain_log_ticks(panels[0].yaxis)
    panels[0].set_ylabel("ms per training step")
    figure.suptitle("What a training step costs as one size grows", x=0.01, ha="left", fontsize=16)
    _label_line_ends(panels[-1], *curves["H"])
    return figure


def _label_line_ends(axes: Any, sizes: tuple[int, ...], seconds: dict[str, list[float]]) -> None:
    """Write each contestant's name at the end of its line, moved apart where two would touch."""
    gap, lowest = 0.13, -math.inf
    for name, values in sorted(seconds.items(), key=lambda item: item[1][-1]):
        at = max(math.log10(1e3 * values[-1]), lowest + gap)
        lowest = at
        style = "torch" if name in TORCH_ON_CPU else name
        axes.annotate(
            WORDS.get(name, name),
            (sizes[-1], 10**at),
            (9, 0),
            textcoords="offset points",
            color=STYLE[style][0],
            fontweight="bold",
            va="center",
            annotation_clip=False,
        )


def _plain_log_ticks(axis: Any) -> None:
    """0.5, 1, 2, 5, 10 instead of powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(10, (1, 2, 5)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
