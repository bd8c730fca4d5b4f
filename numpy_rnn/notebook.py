"""What objects that show themselves in a notebook, by `_repr_html_`, have in common: safe text, and tables."""

from __future__ import annotations

import html
from collections.abc import Iterable

from numpy_rnn import shading

__all__ = ["escape", "table"]


def escape(value: object) -> str:
    r"""Return `str(value)` as text for a page: nothing in it is a tag, an entity or the end of an attribute.

    Control characters and lone surrogates, which no page may hold, are spelt as in Python, such as \x1b for ESC.
    """
    return html.escape(shading.escape(str(value)))


def table(header: Iterable[object], rows: Iterable[Iterable[object]], caption: str | None = None) -> str:
    """Return a table in HTML.

    Parameters
    ----------
    header : iterable
        The name of each column.
    rows : iterable of iterables
        The cells of each row. They are shown by `str`, and escaped, as are header and caption.
    caption : str, optional
    """
    top = "" if caption is None else f"<caption>{escape(caption)}</caption>"
    names = "".join(f"<th>{escape(name)}</th>" for name in header)
    lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{top}<thead><tr>{names}</tr></thead><tbody>{lines}</tbody></table>"
