"""Pictures of a trace: how far gradients reach back, what each step contributes, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.text.vocabulary import Vocabulary
from numpy_rnn.tracing.items import Items, labels, norms, what_is_left

__all__ = ["draw"]

# Okabe and Ito's palette, which colour-blind eyes tell apart; markers and dashes differ as well, for print.
STYLES = {
    "embedding.weight": ("#009E73", "o", "-", "C, embedding.weight"),
    "rnn.weight_ih_l0": ("#0072B2", "s", "-", "W_ih, rnn.weight_ih_l0"),
    "rnn.weight_hh_l0": ("#D55E00", "D", "-", "W_hh, rnn.weight_hh_l0"),
    "rnn.bias_ih_l0": ("#CC79A7", "v", "--", "b_ih = b_hh, rnn.bias_…"),
    "fc.weight": ("#56B4E9", "^", "-", "W, fc.weight"),
    "fc.bias": ("#666666", "x", "--", "b, fc.bias"),
}
RC: dict[Any, Any] = {
    "font.size": 11,
    "axes.titlesize": 12.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.1,
    "figure.constrained_layout.w_pad": 0.1,
}
MAX_CHARACTERS = 50  # written along an axis


def draw(traces: Mapping[str, Items], vocabulary: Vocabulary, sequence: int = 0) -> Any:
    """Return a matplotlib Figure with four panels for each of the titled traces, which are of the same text.

    Raises
    ------
    ModuleNotFoundError
        matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("matplotlib is not installed: it is the extra 'plot'") from error

    reads, follow = (
        [character.replace("$", r"\$") for character in characters]  # between two of them would be a formula
        for characters in labels(next(iter(traces.values())), vocabulary, sequence)
    )
    T = len(reads)
    largest = max(float(norms(trace, sequence).max()) for trace in traces.values()) or 1.0
    singular_values = np.stack([trace.singular_values[:, sequence] for trace in traces.values()])
    limits = max(float(singular_values.min()), 1e-5) / 2, max(float(singular_values.max()), 1.0) * 2
    with rc_context(RC):
        figure = Figure(figsize=(7.2 * max(len(traces), 2), 12.5 if len(traces) == 1 else 22), dpi=130)
        if len(traces) == 1:
            columns = [figure.subplots(2, 2).ravel()]
        else:
            rows = figure.subplots(4, len(traces), height_ratios=(1.5, 1, 1, 1))
            for row in rows[1:]:
                for axes in row[1:]:
                    axes.sharey(row[0])
            columns = list(rows.T)
        for (title, trace), (heat, distances, contributions, singular) in zip(traces.items(), columns, strict=True):
            _heatmap(heat, norms(trace, sequence), largest)
            _characters(heat, reads, "state after reading")
            heat.set_yticks(range(T), [f"{a} → {b}" for a, b in zip(reads, follow, strict=True)])
            _thin(heat.yaxis)
            heat.set_title(f"{title}\n\n{heat.get_title(loc='left')}")
            _distances(distances, norms(trace, sequence))
            _contributions(contributions, trace)
            _characters(contributions, reads, "step that reads" + ", all sequences" * (trace.tokens.shape[1] > 1))
            _singular_values(singular, trace.singular_values[:, sequence], limits)
            _characters(singular, reads, "step that reads")
    return figure


def _heatmap(axes: Any, values: Array, largest: float) -> None:
    from matplotlib.colors import LogNorm

    T = len(values)
    smallest = 1e-7 * largest  # shown as such: the darkest of the colours
    shown = np.ma.masked_where(np.arange(T)[:, None] < np.arange(T), np.maximum(values, smallest))
    image = axes.imshow(
        shown, norm=LogNorm(smallest, largest), cmap="cividis", aspect="auto", interpolation="nearest"
    )
    axes.set_title("$|\\partial L_s / \\partial h_t|$: how each loss pulls at each state")
    axes.set_ylabel("loss of the prediction")
    axes.figure.colorbar(image, ax=axes, extend="min", pad=0.02, aspect=30)


def _distances(axes: Any, values: Array) -> None:
    T = len(values)
    axes.set_title("What is left of a gradient $d$ steps back")
    axes.set_xlabel("$d = s - t$")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylabel("$|\\partial L_s / \\partial h_{s-d}|\\ /\\ |\\partial L_s / \\partial h_s|$")
    left = [what_is_left(values, d) for d in range(T)]
    points = [(d, ratio) for d, ratios in enumerate(left) for ratio in ratios if ratio > 0]
    if not points:
        return
    d, ratio = np.array(points).T
    axes.semilogy(d, ratio, ".", color="#56B4E9", markersize=5, alpha=0.7, label="each pair of a loss and a state")
    medians = [(d, np.median(ratios)) for d, ratios in enumerate(left) if ratios.size]
    axes.semilogy(*np.array(medians).T, "o-", color="#0072B2", markersize=5, label="median")
    if d.any():  # least squares on the logarithms, through 1 at d = 0
        rate = np.exp((d * np.log(ratio)).sum() / (d * d).sum())
        axes.semilogy(
            np.arange(T), rate ** np.arange(T), "--", color="#D55E00", label=f"trend: factor {rate:.2f} a step"
        )
    axes.legend(frameon=False, loc="lower left")


def _contributions(axes: Any, trace: Items) -> None:
    axes.set_title("What each step contributes to the gradient of each parameter")
    axes.set_ylabel("norm of the contribution")
    for name, (colour, marker, line, label) in STYLES.items():
        size = np.linalg.norm(trace.contributions[name].reshape(len(trace.tokens), -1), axis=1)
        size[size == 0] = np.nan  # from h_0 = 0 the first step gives W_hh nothing: no point, rather than a line to it
        axes.semilogy(size, marker + line, color=colour, markersize=5, linewidth=1.3, label=label)
    _legend_below(axes)


def _singular_values(axes: Any, values: Array, limits: tuple[float, float]) -> None:
    axes.set_title("Singular values of $\\partial h_t / \\partial h_{t-1}$")
    axes.set_ylabel("what one step back multiplies by")
    axes.axhline(1, color="#666666", linewidth=1)
    T, H = values.shape
    axes.semilogy(
        np.repeat(np.arange(T), H), values.ravel(), "_", color="#56B4E9", markersize=9, label="each of them"
    )
    axes.semilogy(values[:, 0], "o-", color="#D55E00", markersize=5, label="largest: no gradient grows by more")
    axes.semilogy(np.median(values, axis=1), "s-", color="#0072B2", markersize=4, label="median")
    axes.set_ylim(limits)
    _legend_below(axes)


def _legend_below(axes: Any) -> None:
    axes.legend(frameon=False, ncols=3, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.14))


def _characters(axes: Any, reads: list[str], label: str) -> None:
    axes.set_xticks(range(len(reads)), reads)
    axes.set_xlabel(label)
    _thin(axes.xaxis)


def _thin(axis: Any) -> None:
    """Write every character of a short text, and every second, third, ... of a longer one."""
    every = -(-len(axis.get_ticklocs()) // MAX_CHARACTERS)
    locations, texts = axis.get_ticklocs()[::every], [text.get_text() for text in axis.get_ticklabels()][::every]
    axis.set_ticks(locations, texts)
