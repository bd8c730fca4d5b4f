"""Pictures of a trace: how far gradients reach back, what each step contributes, and why gradients shrink or grow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.display.pictures import BLUE, GREEN, GREY, PINK, RED, SKY, figures, plain
from numpy_rnn.text.vocabulary import Vocabulary
from numpy_rnn.tracing.items import Items, labels, norms, what_is_left

__all__ = ["draw"]

# Markers and dashes differ as well as colours, for print.
STYLES = {
    "embedding.weight": (GREEN, "o-", "C, embedding.weight"),
    "rnn.weight_ih_l0": (BLUE, "s-", "W_ih, rnn.weight_ih_l0"),
    "rnn.weight_hh_l0": (RED, "D-", "W_hh, rnn.weight_hh_l0"),
    "rnn.bias_ih_l0": (PINK, "v--", "b_ih, rnn.bias_ih_l0"),
    "fc.weight": (SKY, "^-", "W, fc.weight"),
    "fc.bias": (GREY, "x--", "b, fc.bias"),
}
MAX_CHARACTERS = 50  # labels along an axis


def draw(traces: Mapping[str, Items], vocabulary: Vocabulary, sequence: int = 0, state: str = "h") -> Any:
    """Return a matplotlib Figure with four panels for each trace, given by title; all traces are of the same text."""
    reads, follow = (list(map(plain, signs)) for signs in labels(next(iter(traces.values())), vocabulary, sequence))
    pairs = [f"{a} → {b}" for a, b in zip(reads, follow, strict=True)]
    all_norms = [norms(trace, sequence, state) for trace in traces.values()]
    largest = max(float(values.max()) for values in all_norms) or 1.0
    singular_values = np.stack([trace.singular_values[:, sequence] for trace in traces.values()])
    limits = max(float(singular_values.min()), 1e-5) / 2, max(float(singular_values.max()), 1.0) * 2
    with figures() as Figure:
        if len(traces) == 1:
            figure = Figure(figsize=(14.4, 12.5), dpi=130)
            columns = [figure.subplots(2, 2).ravel()]
        else:
            figure = Figure(figsize=(7.2 * len(traces), 22), dpi=130)
            rows = figure.subplots(4, len(traces), height_ratios=(1.5, 1, 1, 1))
            for first, *others in rows[1:]:
                for axes in others:
                    axes.sharey(first)
            columns = list(rows.T)
        for (title, trace), values, panels in zip(traces.items(), all_norms, columns, strict=True):
            heat, distances, contributions, singular = panels
            _heatmap(heat, values, largest, title, state)
            _ticks(heat.xaxis, reads, "state after reading")
            _ticks(heat.yaxis, pairs, "loss of the prediction")
            _distances(distances, values, state)
            _contributions(contributions, trace)
            _ticks(contributions.xaxis, reads, "step that reads" + ", all sequences" * (trace.tokens.shape[1] > 1))
            _singular_values(singular, trace.singular_values[:, sequence], limits)
            _ticks(singular.xaxis, reads, "step that reads")
    return figure


def _heatmap(axes: Any, values: Array, largest: float, title: str, state: str) -> None:
    from matplotlib.colors import LogNorm

    smallest = 1e-7 * largest  # smaller values have the darkest colour
    shown = np.ma.masked_where(~np.tri(len(values), dtype=bool), np.maximum(values, smallest))
    image = axes.imshow(
        shown, norm=LogNorm(smallest, largest), cmap="cividis", aspect="auto", interpolation="nearest"
    )
    axes.set_title(f"{title}\n\n$|\\partial L_s / \\partial {state}_t|$: how strongly each loss pulls at each state")
    axes.figure.colorbar(image, ax=axes, extend="min", pad=0.02, aspect=30)


def _distances(axes: Any, values: Array, state: str) -> None:
    axes.set_title("What is left of a gradient $d$ steps back")
    axes.set_xlabel("$d = s - t$")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylabel(f"$|\\partial L_s / \\partial {state}_{{s-d}}|\\ /\\ |\\partial L_s / \\partial {state}_s|$")
    left = [what_is_left(values, d) for d in range(len(values))]
    points = [(d, ratio) for d, ratios in enumerate(left) for ratio in ratios if ratio > 0]
    if not points:
        return
    d, ratio = np.array(points).T
    axes.semilogy(d, ratio, ".", color=SKY, markersize=5, alpha=0.7, label="each pair of a loss and a state")
    medians = [(d, np.median(ratios)) for d, ratios in enumerate(left) if ratios.size]
    axes.semilogy(*np.array(medians).T, "o-", color=BLUE, markersize=5, label="median")
    if d.any():  # least squares on the logarithms, through 1 at d = 0
        rate = np.exp((d * np.log(ratio)).sum() / (d * d).sum())
        trend = rate ** np.arange(len(values))
        axes.semilogy(trend, "--", color=RED, label=f"trend: factor {rate:.2f} per step")
    axes.legend(loc="lower left")


def _contributions(axes: Any, trace: Items) -> None:
    axes.set_title("What each step contributes to the gradient of each parameter")
    axes.set_ylabel("norm of the contribution")
    for name, (colour, style, label) in STYLES.items():
        size = np.linalg.norm(trace.contributions[name].reshape(len(trace.tokens), -1), axis=1)
        size[size == 0] = np.nan  # from h_0 = 0 the first step adds nothing to W_hh: draw no point
        axes.semilogy(size, style, color=colour, markersize=5, linewidth=1.3, label=label)
    _legend_below(axes)


def _singular_values(axes: Any, values: Array, limits: tuple[float, float]) -> None:
    axes.set_title("Singular values of the Jacobian, $\\partial h_t / \\partial h_{t-1}$ (LSTM: of $h$ and $c$)")
    axes.set_ylabel("factor of one step back")
    axes.axhline(1, color=GREY, linewidth=1)
    T, H = values.shape
    axes.semilogy(np.repeat(np.arange(T), H), values.ravel(), "_", color=SKY, markersize=9, label="all")
    axes.semilogy(values[:, 0], "o-", color=RED, markersize=5, label="largest: bounds the growth of any gradient")
    axes.semilogy(np.median(values, axis=1), "s-", color=BLUE, markersize=4, label="median")
    axes.set_ylim(limits)
    _legend_below(axes)


def _legend_below(axes: Any) -> None:
    axes.legend(ncols=3, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.14))


def _ticks(axis: Any, signs: list[str], label: str) -> None:
    """Label an axis with the characters of a text: all of a short one, every second, third, ... of a longer one."""
    every = -(-len(signs) // MAX_CHARACTERS)
    axis.set_ticks(range(0, len(signs), every), signs[::every])
    axis.set_label_text(label)
