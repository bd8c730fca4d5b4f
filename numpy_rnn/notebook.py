"""What the `_repr_html_` of traces, reports and metrics share: tables and headings as HTML, everything escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["paragraph", "table"]


def paragraph(text: str) -> str:
    """Return a paragraph in which lines stay lines."""
    return f'<p style="white-space:pre-wrap;margin:0.4em 0">{escape(text)}</p>'


def table(header: Sequence[object], rows: Iterable[Sequence[object]], caption: str | None = None) -> str:
    """Return a table: its first column to the left, as names are read, all others to the right, as numbers are.

    No colours: the notebook has its own, light or dark.
    """
    lines = ['<table style="font-variant-numeric:tabular-nums">']
    if caption is not None:
        lines.append(f'<caption style="text-align:left;caption-side:top">{escape(caption)}</caption>')
    lines.append(f"<thead>{_row('th', header)}</thead>")
    lines.append(f"<tbody>{''.join(_row('td', row) for row in rows)}</tbody>")
    return "\n".join([*lines, "</table>"])


def _row(tag: str, cells: Sequence[object]) -> str:
    sides = ["left", *["right"] * (len(cells) - 1)]
    inner = "".join(
        f'<{tag} style="text-align:{side}">{escape(str(cell))}</{tag}>'
        for side, cell in zip(sides, cells, strict=True)
    )
    return f"<tr>{inner}</tr>"
