"""The s x t heatmap of a trace as text: for a terminal, without colour."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from unicodedata import east_asian_width

import numpy as np

from numpy_rnn.checks import Array
from numpy_rnn.text.vocabulary import Vocabulary
from numpy_rnn.tracing.items import Items, labels, norms, what_is_left

__all__ = ["text_heatmap"]

SHADES = "█▓▒░·"  # a factor of 10 each
GAP = "    "


def text_heatmap(traces: Mapping[str, Items], vocabulary: Vocabulary, sequence: int = 0, width: int = 100) -> str:
    """Draw one heatmap for each of the titled traces, side by side where they fit, with a legend.

    Parameters
    ----------
    traces : mapping of str to Items
        Of the same text.
    vocabulary : Vocabulary
    sequence : int, default 0
        Which one of the batch.
    width : int, default 100
        In characters; a longer text is cut off, and that is said.

    Returns
    -------
    str
        Lines, each ending in a newline.
    """
    if width < 40:
        raise ValueError(f"width must be at least 40 characters, got {width}")
    reads, follow = labels(next(iter(traces.values())), vocabulary, sequence)
    all_norms = {title: norms(trace, sequence) for title, trace in traces.items()}
    T = len(reads)
    wide = any(east_asian_width(character) in "WF" for character in reads + follow)
    margin = 8  # "  H → e ", where wide characters take the blanks in front
    cell = 2 if wide or margin + 2 * T <= width else 1
    shown = min(T, (width - margin) // cell)

    blocks = []
    for title, values in all_norms.items():
        largest = values.max() or 1
        block = [title, "", " " * margin + "".join(_pad(character, cell) for character in reads[:shown]).rstrip()]
        for s in range(shown):
            label = f"{_pad(reads[s], 2 if wide else 1)} → {_pad(follow[s], 2 if wide else 1)}"
            cells = "".join(_shade(values[s, t] / largest) * cell for t in range(s + 1))
            block.append(f"{' ' * (0 if wide else 2)}{label} {cells}".rstrip())
        blocks.append(block)
    size = margin + cell * shown
    if len(blocks) * size + (len(blocks) - 1) * len(GAP) <= width:
        lines = [_beside(row, size) for row in zip_longest(*blocks, fillvalue="")]
    else:
        lines = [line for block in blocks for line in [*block, ""]][:-1]

    steps = "step" if T - shown == 1 else "steps"
    head = [
        "|dL_s/dh_t|: how strongly the loss of each prediction (row: read → next) pulls at the state",
        "after each character read (column). Shades are relative to the largest of each heatmap:",
        f"{SHADES[0]} above 1/10  {SHADES[1]} 1/100  {SHADES[2]} 1/1000  {SHADES[3]} 1/10000  {SHADES[4]} less",
        *([f"(cut off: the first {shown} of {T} steps; {T - shown} {steps} not shown)"] * (shown < T)),
    ]
    return "\n".join([*head, "", *lines, "", *_table(all_norms)]) + "\n"


def _table(all_norms: dict[str, Array]) -> list[str]:
    """What is left of a gradient 1, 2, 4, ... steps back: one row a trace."""
    T = len(next(iter(all_norms.values())))
    distances = [2**i for i in range(8) if 2**i < T]
    if not distances:
        return ["(a single step: there is no way back)"]
    indent = max(len(title.partition(",")[0]) for title in all_norms) + 2
    lines = [
        "|dL_s/dh_{s-d}| / |dL_s/dh_s|, median over s: what is left of a gradient d steps back",
        f"{'d':>{indent - 2}}  " + "".join(f"{d:>9}" for d in distances),
    ]
    for title, values in all_norms.items():
        left = [what_is_left(values, d) for d in distances]
        numbers = "".join(f"{np.median(ratios):9.2g}" if ratios.size else f"{'-':>9}" for ratios in left)
        lines.append(f"{title.partition(',')[0]:<{indent}}{numbers}")
    return lines


def _shade(share: float) -> str:
    return next((shade for i, shade in enumerate(SHADES) if share >= 10.0 ** -(i + 1)), SHADES[-1])


def _columns(text: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _pad(text: str, size: int) -> str:
    return text + " " * (size - _columns(text))


def _beside(row: tuple[str, ...], size: int) -> str:
    return GAP.join(_pad(line, size) for line in row).rstrip()
