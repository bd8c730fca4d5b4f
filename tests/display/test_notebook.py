"""The helpers of what shows itself in a notebook: whatever a cell holds, the page shows it and nothing else."""

import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpy_rnn.display import terminal as shading
from numpy_rnn.display.html import escape, paragraph, table

# Two characters are no text to XML, by whose reader the page is read here; HTML has them.
characters = st.characters(exclude_characters="\ufffe\uffff") | st.sampled_from("<>&\"'\0\x1b\ud800")
texts = st.text(characters, max_size=8)


LEFT, RIGHT = (f' style="text-align:{side}"' for side in ("left", "right"))


def cells(page, tag):
    return ["".join(cell.itertext()) for cell in page.iter(tag)]


@given(st.lists(texts, max_size=3), st.lists(st.lists(texts, max_size=3), max_size=3), texts)
def test_a_table_shows_the_texts_and_nothing_else(header, rows, caption):
    page = ElementTree.fromstring(table(header, rows, caption).encode())  # no lone surrogate is left, or this fails
    assert cells(page, "caption") == [shading.escape(caption)]
    assert cells(page, "th") == [shading.escape(name) for name in header]
    assert [cells(row, "td") for row in page.find("tbody")] == [[shading.escape(x) for x in row] for row in rows]
    assert {element.tag for element in page.iter()} <= {"table", "caption", "thead", "tbody", "tr", "th", "td"}


@given(texts)
def test_a_paragraph_shows_its_text(text):
    assert "".join(ElementTree.fromstring(paragraph(text)).itertext()) == shading.escape(text)


def test_a_cell_may_be_anything_that_has_a_text():
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
def test_what_would_have_a_meaning_in_a_page_has_none(value, expected):
    assert escape(value) == expected
