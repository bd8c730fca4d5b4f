"""What objects that show themselves in a notebook, by `_repr_html_`, have in common: safe text, and tables."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from numpy_rnn.display import terminal as shading

__all__ = ["escape", "paragraph", "table"]


def escape(value: object) -> str:
    r"""Return `str(value)` as text for a page: nothing in it is a tag, an entity or the end of an attribute.

    Control characters and lone surrogates, which no page may hold, are spelt as in Python, such as \x1b for ESC.
    """
    return html.escape(shading.escape(str(value)))


def paragraph(text: str) -> str:
    """Return a paragraph in which lines stay lines."""
    return f'<p style="white-space:pre-wrap;margin:0.4em 0">{escape(text)}</p>'


def table(header: Sequence[object], rows: Iterable[Sequence[object]], caption: str | None = None) -> str:
    """Return a table in HTML: its first column to the left, as names are read, the others to the right, as numbers.

    Parameters
    ----------
    header : sequence
        The name of each column.
    rows : iterable of sequences
        The cells of each row. They are shown by `str`, and escaped, as are header and caption.
    caption : str, optional
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
