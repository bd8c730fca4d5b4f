"""HTML helpers for notebooks: a cell shows its text and nothing else, whatever the text is."""

import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpy_rnn.display import terminal
from numpy_rnn.display.html import escape, paragraph, table

# The page is parsed as XML here, which does not allow these two characters; HTML does.
characters = st.characters(exclude_characters="\ufffe\uffff") | st.sampled_from("<>&\"'\0\x1b\ud800")
texts = st.text(characters, max_size=8)


LEFT, RIGHT = (f' style="text-align:{side}"' for side in ("left", "right"))


def cells(page, tag):
    return ["".join(cell.itertext()) for cell in page.iter(tag)]


@given(st.lists(texts, max_size=3), st.lists(st.lists(texts, max_size=3), max_size=3), texts)
def test_a_table_shows_the_texts_and_nothing_else(header, rows, caption):
    page = ElementTree.fromstring(table(header, rows, caption).encode())  # fails if a lone surrogate is left
    assert cells(page, "caption") == [terminal.escape(caption)]
    assert cells(page, "th") == [terminal.escape(name) for name in header]
    assert [cells(row, "td") for row in page.find("tbody")] == [[terminal.escape(x) for x in row] for row in rows]
    assert {element.tag for element in page.iter()} <= {"table", "caption", "thead", "tbody", "tr", "th", "td"}


@given(texts)
def test_a_paragraph_shows_its_text(text):
    assert "".join(ElementTree.fromstring(paragraph(text)).itertext()) == terminal.escape(text)


def test_cells_are_converted_with_str():
    assert table(["n", "x"], [(1, None), (2.5, "a")]) == (
        f"<table><thead><tr><th{LEFT}>n</th><th{RIGHT}>x</th></tr></thead>"
        f"<tbody><tr><td{LEFT}>1</td><td{RIGHT}>None</td></tr><tr><td{LEFT}>2.5</td><td{RIGHT}>a</td></tr></tbody></table>"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<script>", "&lt;script&gt;"),
        ('a" onload="b', "a&quot; onload=&quot;b"),
        ("&lt;", "&amp;lt;"),
        ("\x1b\ud800", "\\x1b\\ud800"),
    ],
)
def test_markup_is_escaped(value, expected):
    assert escape(value) == expected
