"""A trace as a notebook shows it: the s x t heatmap, and what a truncation would lose of each gradient."""

from __future__ import annotations

import math

import numpy as np

from numpy_rnn.display.html import paragraph, table
from numpy_rnn.tracing.items import Items, norms

__all__ = ["html"]

MAX_STEPS = 40  # drawn of the heatmap: each has a row of cells
CELL = 12  # pixels
BLUE = "#0072B2"


def html(trace: Items) -> str:
    """Return a heading, the heatmap of the first sequence as SVG, and a table; a cell's title is its value."""
    T, B, H = trace.dh.shape
    words = f"Trace of T = {T} steps, B = {B}, H = {H}, loss {trace.loss:.4f}"
    return "\n".join([paragraph(words), _heatmap(trace), _table(trace)])


def _heatmap(trace: Items) -> str:
    values = norms(trace, 0)[:MAX_STEPS, :MAX_STEPS]
    T, largest = len(values), float(values.max())
    cells = []
    for s, t in zip(*np.tril_indices(T), strict=True):
        value = float(values[s, t])
        # Opacity, over whatever ground the notebook has: one at the largest, less by an equal step each power of ten.
        opacity = max(0.0, 1 + math.log10(value / largest) / 5) if value > 0 else 0.0
        cells.append(
            f'<rect x="{(t + 2) * CELL}" y="{s * CELL}" width="{CELL}" height="{CELL}" fill="{BLUE}" '
            f'fill-opacity="{opacity:.2f}"><title>|dL_{s + 1}/dh_{t + 1}| = {value:.4g}</title></rect>'
        )
    labelled = [k for k in range(T) if k == 0 or (k + 1) % 5 == 0]
    style = 'font-size="10" fill="currentColor" text-anchor="middle"'
    cells += [f'<text x="{CELL}" y="{(k + 0.85) * CELL}" {style}>{k + 1}</text>' for k in labelled]
    cells += [f'<text x="{(k + 2.5) * CELL}" y="{(T + 0.9) * CELL}" {style}>{k + 1}</text>' for k in labelled]
    more = f", the first {T} of {len(trace.dh)} steps" if len(trace.dh) > T else ""
    sequence = ", first sequence" if trace.dh.shape[1] > 1 else ""
    words = (
        f"|dL_s/dh_t|, row s: the loss of a step, column t: the state after a step{more}{sequence}; "
        f"full colour at {largest:.2e}, a fifth paler each power of ten below"
    )
    size = f'width="{(T + 3) * CELL}" height="{(T + 1) * CELL}"'
    return f'{paragraph(words)}\n<svg {size} role="img">{"".join(cells)}</svg>'


def _table(trace: Items) -> str:
    distances = [2**i for i in range(8) if 2**i < len(trace.dh)]
    header = ["parameter", "shape", "norm of gradient", *(f"k = {k}" for k in distances)]
    rows = [
        [
            name,
            gradient.shape,
            f"{np.linalg.norm(gradient):.3g}",
            *(f"{100 * trace.truncation_lost[name][k - 1]:.2g} %" for k in distances),
        ]
        for name, gradient in trace.gradients.items()
    ]
    return table(
        header, rows, "What is missing of each gradient if each loss goes back k steps only, its own included"
    )
