"""A trace in a notebook: the heatmap of |dL_s/dh_t|, and what truncation would lose of each gradient."""

from __future__ import annotations

import math

import numpy as np

from numpy_rnn.display.html import paragraph, table
from numpy_rnn.display.pictures import BLUE
from numpy_rnn.tracing.items import Items, norms

__all__ = ["html"]

MAX_STEPS = 40  # more are not drawn
CELL = 12  # pixels


def html(trace: Items) -> str:
    """Return a heading, the heatmap of the first sequence as SVG (hover over a cell for its value), and a table."""
    T, B, H = trace.dh.shape
    words = f"Trace of T = {T} steps, B = {B}, H = {H}, loss {trace.loss:.4f}"
    return "\n".join([paragraph(words), _heatmap(trace), _table(trace)])


def _heatmap(trace: Items) -> str:
    values = norms(trace, 0)[:MAX_STEPS, :MAX_STEPS]
    T, largest = len(values), float(values.max())
    cells = []
    for s, t in zip(*np.tril_indices(T), strict=True):
        value = float(values[s, t])
        # Opacity works on any background: 1 for the largest norm, a fifth less for each power of ten below it.
        opacity = max(0.0, 1 + math.log10(value / largest) / 5) if value > 0 else 0.0
        cells.append(
            f'<rect x="{(t + 2) * CELL}" y="{s * CELL}" width="{CELL}" height="{CELL}" fill="{BLUE}" '
            f'fill-opacity="{opacity:.2f}"><title>|dL_{s + 1}/dh_{t + 1}| = {value:.4g}</title></rect>'
        )
    labelled = [k for k in range(T) if k == 0 or (k + 1) % 5 == 0]
    style = 'font-size="10" fill="currentColor" text-anchor="middle"'
    cells += [f'<text x="{CELL}" y="{(k + 0.85) * CELL}" {style}>{k + 1}</text>' for k in labelled]
    cells += [f'<text x="{(k + 2.5) * CELL}" y="{(T + 0.9) * CELL}" {style}>{k + 1}</text>' for k in labelled]
    more = f" The first {T} of {len(trace.dh)} steps." if len(trace.dh) > T else ""
    sequence = " The first sequence of the batch." if trace.dh.shape[1] > 1 else ""
    words = (
        f"|dL_s/dh_t|: row s is the loss of a step, column t the state after a step.{more}{sequence} "
        f"Full colour is {largest:.2e}; each power of ten below is a fifth paler."
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
    caption = "How much of each gradient is lost if each loss is sent back only k steps, counting its own step"
    return table(header, rows, caption)
