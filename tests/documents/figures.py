"""Redraw the figures of docs/backprop.md: `python -m tests.documents.figures [NAME ...]`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from numpy_rnn.display.pictures import BLUE, GREEN, GREY, PINK, RED, SKY, figures
from tests.documents import measure, three_cells

FOLDER = Path(__file__).parents[2] / "docs" / "figures"

ARROW = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0}
STYLE: dict[str, Any] = {  # beside that of all pictures
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.grid": True,
    "grid.color": "#e8e8e8",
    "axes.axisbelow": True,
    "lines.linewidth": 2.2,
}


def biases(figure: Any) -> None:
    left, right = panels(figure, 11.5, 5)
    grid = np.linspace(-2, 2, 81)
    losses, gradient = measure.loss_over_two_biases(grid, grid)
    filled = left.contourf(grid, grid, losses, levels=14, cmap="cividis")
    figure.colorbar(filled, ax=left, label="loss", shrink=0.8)
    here = np.array([0.1, 0.0])  # b_ih[0] and b_hh[0] of the worked example
    arrow = gradient / np.linalg.norm(gradient)
    left.annotate("", here + arrow, here, arrowprops={**ARROW, "color": "white", "linewidth": 2.5})
    left.plot(*here, "o", color="white", markersize=8)
    left.annotate("gradient", here + arrow, (8, -6), textcoords="offset points", color="white")
    left.set(title="The worked example's loss", xlabel="b_ih[0]", ylabel="b_hh[0]", aspect="equal")
    path = measure.bias_paths()
    right.plot(path[:, 0], path[:, 1], "-", color=BLUE, linewidth=1.4)
    right.plot(path[0, 0], path[0, 1], "o", color=GREY, markersize=5, linestyle="", label="before training")
    right.plot(path[-1, 0], path[-1, 1], "D", color=RED, markersize=5, linestyle="", label="after 100 epochs")
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
    right.set(title="Training of the tutorial's 32 units", xlabel="b_ih[j]", ylabel="b_hh[j]", aspect="equal")


def vanishing(figure: Any) -> None:
    left, right = panels(figure, 12, 4.8)
    distance = np.arange(41)
    for radius, colour, style in ((2.0, RED, "-"), (1.0, GREY, "--"), (0.7, BLUE, "-.")):
        norms = measure.random_reach(radius, T=len(distance))
        median = np.median(norms, axis=0)
        left.plot(distance, median, style, color=colour)
        left.fill_between(distance, norms.min(axis=0), norms.max(axis=0), color=colour, alpha=0.15, linewidth=0)
        left.plot(distance, radius**distance, ":", color=colour, linewidth=1.4)
        _label(left, f"radius {radius:g}", (distance[-1], median[-1]), colour)
    left.annotate("2^(T-t)", (20, 2.0**20), (-8, 8), textcoords="offset points", color=RED, ha="right")
    left.set(title="Random networks, three spectral radii", xlim=(0, 40), ylim=(1e-9, 1e9))
    left.set_ylabel("|∂L_T/∂h_t|, relative to t = T")
    curves = [
        ("recall, trained", measure.recall(1000), RED, "o-"),
        ("recall, untrained", measure.recall(0), GREY, "s--"),
        ("tutorial, untrained", measure.tutorial(0), PINK, "v--"),
        ("tutorial, trained", measure.tutorial(100), BLUE, "^-"),
    ]
    for name, case, colour, style in curves:
        norms = measure.reach(*case)
        right.plot(norms, style, color=colour, markersize=6)
        _label(right, name, (len(norms) - 1, norms[-1]), colour)
    right.set(title="Two models, before and after training", xlim=(0, 17), ylim=(1e-11, 1e2), xticks=range(0, 18, 2))
    for axes in (left, right):
        axes.set(yscale="log", xlabel="T - t, steps between the loss and the state")


def truncation(figure: Any) -> None:
    left, right = panels(figure, 12, 5)
    cases = [("recall", measure.recall(100), RED, "o"), ("tutorial", measure.tutorial(100), BLUE, "^")]
    ways = [("each loss reaches back k steps", measure.truncated, "-"), ("windows of k", measure.windows, ":")]
    for name, case, colour, marker in cases:
        full = measure.truncated(*case)[-1].ravel()
        for words, way, style in ways:
            parts = way(*case).reshape(-1, full.size)  # one row for each k = 1, ..., T
            k, norms = np.arange(1, len(parts) + 1), np.linalg.norm(parts, axis=1)
            cosines = parts @ full / (norms * np.linalg.norm(full))
            angles = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
            left.plot(k, angles, marker + style, color=colour, label=f"{name}: {words}")
            right.plot(k, norms / np.linalg.norm(full), marker + style, color=colour)
    left.axhline(90, color=GREY, linewidth=1)
    left.set(title="Angle between truncated and full dW_hh", ylim=(0, 180), yticks=range(0, 181, 45))
    left.yaxis.set_major_formatter("{x:.0f}°")
    right.axhline(1, color=GREY, linewidth=1)
    right.set(title="Norm of truncated dW_hh, relative to full", ylim=(0, 1.5))
    for axes in (left, right):
        axes.set(xlim=(0.5, 18.5), xticks=[1, *range(2, 19, 2)], xlabel="k, the length of the truncation")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)


def detaching(figure: Any) -> None:
    figure.set_size_inches(10, 4.4)
    axes = figure.subplots()
    model, tokens, targets = measure.recall(100)
    cut = 5
    full, parts = measure.detached(model, tokens, targets, cut)
    t = np.arange(1, len(tokens) + 1)
    axes.plot(t, full, "o-", color=RED, markersize=10)
    for part in (slice(0, cut), slice(cut, None)):
        axes.plot(t[part], parts[part], "s--", color=BLUE)
    _label(axes, "full", (t[0], full[0]), RED, 18, x=-14)
    _label(axes, "h_5 detached", (t[0], parts[0]), BLUE, 12, x=8)
    axes.axvline(cut + 0.5, color=GREY, linewidth=1.5)
    axes.annotate("cut", (cut + 0.5, 0.02), (6, 0), xycoords=("data", "axes fraction"),
                  textcoords="offset points", color=GREY)  # fmt: skip
    axes.set_xticks(t, [f"{character}\n{step}" for character, step in zip("a--------", t, strict=True)])
    axes.set(title="The gradient that reaches each hidden state", yscale="log")
    axes.set(xlabel="character read, and step t", ylabel="|dh_t|")


def clipping(figure: Any) -> None:
    left, right = panels(figure, 12, 4.8, width_ratios=(1, 1.6))
    for before, after in measure.clipped_arrows():
        left.annotate("", before, (0, 0), arrowprops={**ARROW, "color": GREY, "linewidth": 1.4, "linestyle": "--"})
        left.annotate("", after, (0, 0), arrowprops={**ARROW, "color": RED, "linewidth": 2.8})
    angle = np.linspace(0, 2 * np.pi, 200)
    left.plot(np.cos(angle), np.sin(angle), color=BLUE, linewidth=1.5)
    left.annotate("max_norm = 1", (0.9, -0.5), (8, -36), textcoords="offset points", color=BLUE)
    left.set(title="Six gradients of two numbers", xlim=(-2.5, 2.5), ylim=(-2.5, 2.5), aspect="equal")
    norms = measure.clipped_norms()
    right.plot(norms[:, 0], "--", color=GREY, linewidth=1.3, label="before")
    right.plot(norms[:, 1], "-", color=RED, linewidth=2.2, label="after")
    right.axhline(1, color=BLUE, linewidth=1.5, zorder=0)
    right.set(title="Norm of the recall model's gradient", xlabel="step of training", yscale="log")
    right.set_xlim(0, len(norms))
    right.legend(loc="upper left")


def cells(figure: Any) -> None:
    figure.set_size_inches(12, 9)
    grid = figure.subplots(2, 2, sharex="col", sharey=True)
    colours = dict(zip(three_cells.CELLS, (RED, GREEN, SKY, BLUE), strict=True))
    for dashes, column in zip((8, 30), grid.T, strict=True):
        for name, cell in three_cells.CELLS.items():
            for axes, reach in zip(column, three_cells.before_and_after(dashes, *cell), strict=True):
                for norms, style, label in ((reach.h, "-", name), (reach.c, "--", f"{name}: c")):
                    if norms is None:
                        continue
                    shades = {"color": colours[name], "alpha": 0.12, "linewidth": 0}
                    axes.semilogy(np.median(norms, axis=0), style, color=colours[name], label=label)
                    axes.fill_between(range(dashes + 1), norms.min(axis=0), norms.max(axis=0), **shades)
        for axes, when in zip(column, ("before training", f"after {three_cells.STEPS} steps"), strict=True):
            axes.set(title=f"{dashes} dashes, {when}", xlim=(0, dashes), ylim=(1e-10, 1e3))
        column[1].set_xlabel("T - t, steps between the loss and the state")
    for axes in grid[:, 0]:
        axes.set_ylabel("norm, relative to t = T")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)


def panels(figure: Any, width: float, height: float, **options: Any) -> Any:
    """Return two axes, side by side."""
    figure.set_size_inches(width, height)
    return figure.subplots(1, 2, **options)


def _label(axes: Any, words: str, point: Any, colour: str, lift: float = 0, x: float = 8) -> None:
    """Write the name of a line next to one of its points."""
    axes.annotate(
        words, point, (x, lift), textcoords="offset points", color=colour, va="center", annotation_clip=False
    )


FIGURES = {figure.__name__: figure for figure in (biases, vanishing, truncation, detaching, cells, clipping)}


def draw(names: list[str], folder: Path = FOLDER) -> list[Path]:
    """Draw the named figures, or all of them, into `folder`, and return their paths."""
    for name in names:
        if name not in FIGURES:
            raise SystemExit(f"no figure {name!r}, expected some of {', '.join(FIGURES)}")
    paths = []
    with figures() as Figure:
        import matplotlib

        matplotlib.rcParams.update(STYLE)  # until the end of the block
        for name in names or FIGURES:
            figure = Figure()
            FIGURES[name](figure)
            paths.append(folder / f"{name}.png")
            figure.savefig(paths[-1], dpi=100, metadata={"Software": None})
    return paths


if __name__ == "__main__":
    for path in draw(sys.argv[1:]):
        print(path)
