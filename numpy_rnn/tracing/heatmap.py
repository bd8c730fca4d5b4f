"""A trace as text for a terminal: shades for |dL_s/dh_t|, and what is left of a gradient d steps back."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from unicodedata import east_asian_width

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.text.vocabulary import Vocabulary
from numpy_rnn.tracing.items import Items, labels, norms, what_is_left

__all__ = ["text_heatmap"]

SHADES = "█▓▒░·"  # each a tenth of the one before
GAP = "    "
MARGIN = 8  # columns left of the cells: "  H → e ", where wide characters take up the blanks in front


def text_heatmap(
    traces: Mapping[str, Items], vocabulary: Vocabulary, sequence: int = 0, width: int = 100, state: str = "h"
) -> str:
    """Return a heatmap of each trace, side by side where they fit, with a legend and a table, as lines of text.

    `traces` are of the same text, by title. `sequence` is an index into the batch, `width` the maximum line length,
    `state` is "h", or "c" for an LSTM's cell state.
    """
    if width < 40:
        raise ValueError(f"width must be at least 40 characters, got {width}")
    reads, follow = labels(next(iter(traces.values())), vocabulary, sequence)
    all_norms = {title: norms(trace, sequence, state) for title, trace in traces.items()}
    T = len(reads)
    wide = any(east_asian_width(character) in "WF" for character in reads + follow)
    cell = 2 if wide or width >= MARGIN + 2 * T else 1
    shown = min(T, (width - MARGIN) // cell)
    size = MARGIN + cell * shown

    names = [f"{_pad(a, 2)} → {_pad(b, 2)} " if wide else f"  {a} → {b} " for a, b in zip(reads, follow, strict=True)]
    blocks = []
    for title, values in all_norms.items():
        block = [title, "", " " * MARGIN + "".join(_pad(character, cell) for character in reads[:shown])]
        for s, row in enumerate(values[:shown] / (values.max() or 1)):
            block.append(names[s] + "".join(_shade(share) * cell for share in row[: s + 1]))
        blocks.append(block)
    if len(blocks) * size + (len(blocks) - 1) * len(GAP) <= width:
        lines = [GAP.join(_pad(line, size) for line in row) for row in zip_longest(*blocks, fillvalue="")]
    else:
        lines = [line for block in blocks for line in [*block, ""]][:-1]

    rest = T - shown
    head = [
        f"|dL_s/d{state}_t|: how strongly the loss of each prediction (row: read → next) pulls at the state",
        "after each character read (column). Shades are relative to the largest of each heatmap:",
        f"{SHADES[0]} above 1/10  {SHADES[1]} 1/100  {SHADES[2]} 1/1000  {SHADES[3]} 1/10000  {SHADES[4]} less",
        *([f"(cut off: the first {shown} of {T} steps; {rest} step{'s' * (rest > 1)} not shown)"] * (rest > 0)),
    ]
    return "\n".join(line.rstrip() for line in [*head, "", *lines, "", *_table(all_norms, state)]) + "\n"


def _table(all_norms: dict[str, Array], state: str) -> list[str]:
    """What is left of a gradient 1, 2, 4, ... steps back: one row per trace."""
    T = len(next(iter(all_norms.values())))
    distances = [2**i for i in range(8) if 2**i < T]
    if not distances:
        return ["(a single step: no way back)"]
    indent = max(len(title.partition(",")[0]) for title in all_norms) + 2
    lines = [
        f"|dL_s/d{state}_{{s-d}}| / |dL_s/d{state}_s|, median over s: what is left of a gradient d steps back",
        f"{'d':>{indent - 2}}  " + "".join(f"{d:>9}" for d in distances),
    ]
    for title, values in all_norms.items():
        left = [what_is_left(values, d) for d in distances]
        numbers = "".join(f"{np.median(ratios):9.2g}" if ratios.size else f"{'-':>9}" for ratios in left)
        lines.append(f"{title.partition(',')[0]:<{indent}}{numbers}")
    return lines


def _shade(share: float) -> str:
    return next((shade for i, shade in enumerate(SHADES) if share >= 10.0 ** -(i + 1)), SHADES[-1])


def _pad(text: str, size: int) -> str:
    return text + " " * (size - sum(2 if east_asian_width(character) in "WF" else 1 for character in text))
