"""HTML for notebooks, used by the `_repr_html_` methods: escaped text, paragraphs and tables."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from numpy_rnn.display import terminal

__all__ = ["escape", "paragraph", "table"]


def escape(value: object) -> str:
    r"""Return `str(value)` escaped for HTML text and attributes.

    Control characters and lone surrogates, which HTML does not allow, are written as in Python, such as \x1b for ESC.
    """
    return html.escape(terminal.escape(str(value)))


def paragraph(text: str) -> str:
    """Return a paragraph that keeps its line breaks."""
    return f'<p style="white-space:pre-wrap;margin:0.4em 0">{escape(text)}</p>'


def table(header: Sequence[object], rows: Iterable[Sequence[object]], caption: str | None = None) -> str:
    """Return an HTML table with the first column left-aligned, for names, and the others right-aligned, for numbers.

    Cells can be anything: they are converted with `str`, and escaped.
    """
    top = "" if caption is None else f'<caption style="text-align:left;caption-side:top">{escape(caption)}</caption>'
    lines = "".join(_row("td", row) for row in rows)
    return f"<table>{top}<thead>{_row('th', header)}</thead><tbody>{lines}</tbody></table>"


def _row(tag: str, cells: Sequence[object]) -> str:
    inner = (
        f'<{tag} style="text-align:{"right" if column else "left"}">{escape(cell)}</{tag}>'
        for column, cell in enumerate(cells)
    )
    return f"<tr>{''.join(inner)}</tr>"
