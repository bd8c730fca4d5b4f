"""Equations, arrows, lines of textbook.py and words of the story light up together."""

import inspect

import pytest

from numpy_rnn.textbook import forward

pytestmark = pytest.mark.browser

NONE = {"equation": [], "arrow": [], "row": [], "word": [], "cells": []}


def test_pointing_at_one_lights_the_others(page):
    expected = {"equation": ["R1"], "arrow": ["R1"], "row": ["R1"], "word": ["R1"], "cells": []}
    page.choose(direction="forward")
    for selector in (".equation[data-labels=R1]", ".row[data-labels=R1]", ".word[data-labels=R1]"):
        page.find(selector).hover()
        assert page.lit() == expected, selector
        page.find("h1").hover()
        assert page.lit() == NONE
    page.find(".arrow[data-labels=R1]").nth(2).dispatch_event("pointerover", {"bubbles": True})
    assert page.lit() == expected


def test_a_line_of_two_equations(page):
    page.choose(direction="backward")
    page.find(".row[data-labels='L2 R3']").hover()
    assert page.lit()["equation"] == ["L2", "R3", "R3 R6"]
    for label in ("L2", "R3"):
        page.find(f".equation[data-labels={label}]").hover()
        assert "L2 R3" in page.lit()["row"]


def test_it_works_with_the_keyboard(page):
    page.find(".row[data-labels=R2]").focus()
    assert page.lit() == {**NONE, "equation": ["R2"], "row": ["R2"], "word": ["R2"], "cells": ["R2"]}
    page.find(".word[data-labels=E1]").focus()
    assert page.lit()["equation"] == ["E1"]
    page.find("#theme").focus()
    assert page.lit() == NONE


def test_every_label_is_a_line_of_the_textbook(page):
    for direction in ("forward", "backward"):
        page.choose(direction=direction)
        labels = page.find(".equation, #network [data-labels], .word, #contribution").evaluate_all(
            "(all) => all.flatMap((element) => element.dataset.labels.split(' '))"
        )
        assert len(set(labels)) > 4
        for label in set(labels):
            assert page.find(".row").filter(has_text=f"({label})").count() >= 1, label


def test_an_equation_has_its_line_on_a_phone(visit, lesson_page):
    with visit(lesson_page, width=390) as page:
        line = page.find(".equation[data-labels=R2] .line")
        assert line.is_visible()
        assert line.text_content() == "h[t + 1] = np.tanh(z)  # (R2)"
        assert line.text_content() in inspect.getsource(forward)


def test_a_line_out_of_sight_is_scrolled_to_in_its_panel(page):
    page.tab.evaluate("document.getElementById('source').scrollTop = 0")
    page.choose(direction="backward")
    before = page.tab.evaluate("scrollY")
    page.find(".equation[data-labels=R4]").dispatch_event("pointerover", {"bubbles": True})
    row, panel = page.find(".row[data-labels=R4]").bounding_box(), page.find("#source").bounding_box()
    assert panel["y"] <= row["y"] <= panel["y"] + panel["height"]
    assert page.tab.evaluate("scrollY") == before
