"""The page of a report in the browser: what lights up, time steps, keyboard, touch."""

import pytest

import numpy_rnn as nr
from tests.documents.wrong_rnn import at, rnn_backward, rnn_forward
from tests.gradient_checking.backward_report import STEPS, H, Line, Place, Report, X, Z, number, wrong_rnn_report
from tests.gradient_checking.test_page import HOSTILE, hostile_report

pytestmark = pytest.mark.browser


@pytest.fixture
def page(visit, write_report):
    with visit(write_report(wrong_rnn_report()), width=1440) as page:
        yield page


def lit(page):
    """Return the expressions of forward and the lines of backward that are lit."""
    numbers = page.find(".backward .row.lit .number").all_text_contents()
    return page.find(".place.lit").all_text_contents(), [int(text) for text in numbers]


def row(page, start):
    """Return the line of backward that starts so, without its quantities."""
    rows = page.find(".backward .row").filter(has=page.tab.get_by_text(str(number(start)), exact=True))
    return rows.locator(":scope > code")


def place(page, text):
    return page.find(".place").filter(has_text=text).last  # the innermost


def test_pointing_at_backward_lights_forward(page):
    for start, expected in [
        ("dz =", [Z.text, "h"]),
        ("dx[:, t]", [X.text]),
        ("db +=", [Z.text]),
        ("dh_next =", [H.text]),
        ("dWx +=", []),
    ]:
        row(page, start).hover()
        texts, numbers = lit(page)
        assert (sorted(texts), numbers) == (sorted(expected), [number(start)])
    page.find("h1").hover()
    assert lit(page) == ([], [])


def test_each_quantity_of_a_line_has_its_own_expression(page):
    right, wrong = page.find(".note").filter(has_text="dz =").all()
    right.hover()
    assert lit(page) == ([Z.text], [number("dz =")])
    wrong.hover()
    assert lit(page) == (["h"], [number("dz =")])


def test_pointing_at_forward_lights_backward(page):
    place(page, X.text).hover()
    assert lit(page) == ([X.text], [number("dx[:, t]")])
    place(page, H.text).hover()
    assert lit(page) == ([H.text], [number("dh_next =")])
    box = page.find(f'.place:has-text("{Z.text}")').bounding_box()
    page.tab.mouse.move(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)  # the b at its end
    assert lit(page) == ([Z.text], [number("dz ="), number("db +=")])


def test_the_keyboard_does_the_same(page):
    reached = []
    page.find("#step").focus()
    for _ in range(25):
        page.press("Tab")
        reached.append(lit(page))
    assert ([X.text], [number("dx[:, t]")]) in reached  # from either side
    assert ([Z.text], [number("dz ="), number("db +=")]) in reached  # from forward
    assert ([Z.text], [number("db +=")]) in reached  # from backward
    assert ([Z.text], [number("dz =")]) in reached  # one quantity of two


def test_enter_and_click_scroll_to_the_other_side(page):
    page.tab.set_viewport_size({"width": 1440, "height": 420})
    place(page, H.text).focus()
    assert not in_sight(page, row(page, "dh_next ="))
    page.press("Enter")
    assert in_sight(page, row(page, "dh_next ="))
    page.tab.evaluate("scrollTo(0, 0)")
    place(page, H.text).click()
    assert in_sight(page, row(page, "dh_next ="))


def in_sight(page, element):
    page.settle()
    box = element.bounding_box()
    return box["y"] >= 0 and box["y"] + box["height"] <= page.tab.viewport_size["height"]


def notes(page):
    return page.find(".note:visible").all_text_contents()


def verdict(page, start):
    return row(page, start).locator("..").locator(".verdict .mark").get_attribute("aria-label")


def test_every_line_is_shown_with_its_verdict(page):
    assert notes(page) == [
        f"✓dz = dL/d({Z.text}) (line 10) · t = 5",
        f"✗wrong: dz = the part of dL/d({Z.text}) through h (line 11) · t = 1–4",
        "✓dx[:, t] = dL/d(x[:, t]) (line 10) · t = 5",
        "↳follows from a wrong one: dx[:, t] · t = 1–4",
        "↳follows from a wrong one: dWx",
        f"✓db = dL/d({Z.text}), summed (line 10) · t = 5",
        "✓dh_next = the part of dL/d(h) through h @ Wh (line 10) · t = 5",
        "↳follows from a wrong one: dh_next",
    ]
    expected = {"dx, dWx": "not a gradient", "dz =": "wrong", "dWx +=": "follows from a wrong one", "db +=": "right"}
    assert {start: verdict(page, start) for start in expected} == expected
    assert page.find("#verdicts li").all_text_contents() == [
        "✗wrong",
        "↳follows from a wrong one",
        "✓right",
        "–not a gradient",
    ]


def test_the_slider_shows_one_step(page):
    everything = notes(page)
    slider = page.find("#step")
    slider.focus()
    assert page.text("#step-name") == "all steps"
    for step in STEPS:
        page.press("ArrowRight")
        assert page.text("#step-name") == slider.get_attribute("aria-valuetext") == f"t = {step}"
        lines = [line for line in wrong_rnn_report().lines if not line.steps or step in line.steps]
        assert len(notes(page)) == sum(line.equals is not None or line.verdict != "not a gradient" for line in lines)
        assert verdict(page, "dz =") == ("right" if step == 5 else "wrong")
    page.press("ArrowRight")
    assert page.text("#step-name") == "t = 5"
    row(page, "dz =").hover()
    assert lit(page)[0] == [Z.text]  # not the h of the steps before
    slider.fill("2")
    row(page, "dz =").hover()
    assert lit(page)[0] == ["h"]
    place(page, X.text).hover()
    assert lit(page) == ([X.text], [])
    slider.focus()
    page.press("Home")
    assert notes(page) == everything


def test_without_time_steps_there_is_no_slider(visit, write_report):
    report = wrong_rnn_report()
    report.lines = [line for line in report.lines if not line.steps]
    with visit(write_report(report)) as page:
        assert page.find("#step").is_hidden()
        assert len(notes(page)) == 2


def test_the_suspect_leads_to_its_line(page):
    assert page.tab.title() == "Backward pass of rnn_forward"
    card = page.text("#suspect")
    assert f"line {number('dz =')} of " in card
    assert card.endswith("This lacks the path through h @ Wh (line 10) into the next step.")
    page.tab.set_viewport_size({"width": 1440, "height": 420})
    page.find("#suspect a").click()
    assert in_sight(page, row(page, "dz ="))
    assert lit(page)[1] == [number("dz =")]


def test_a_report_without_lines(visit, write_report):
    with visit(write_report(Report(functions=([], [])))) as page:
        assert page.find("#suspect").is_hidden()
        assert page.text("#summary").endswith("no line of backward computes a gradient")


def test_a_real_report(visit, write_report):
    with visit(write_report(nr.gradcheck((rnn_forward, rnn_backward), at())), width=1440) as page:
        row(page, "dz =").hover()
        assert lit(page) == ([Z.text], [number("dz =")])
        assert (verdict(page, "dz ="), verdict(page, "dWx +=")) == ("wrong", "follows from a wrong one")
        page.find("#step").fill("5")
        assert verdict(page, "dz =") == "right"


def test_hostile_source(visit, write_report, tmp_path):
    with visit(write_report(hostile_report(tmp_path))) as page:
        assert page.text("h1") == f"Backward pass of {HOSTILE}"
        assert page.find(".forward .row code").all_text_contents() == [f"y = '{HOSTILE}'"]
        assert page.find("[onclick]").count() == 0
        page.find(".backward .row code").first.hover()
        assert lit(page) == ([f"'{HOSTILE}'"], [2])


def test_tapping(visit, write_report):
    with visit(write_report(wrong_rnn_report()), width=390) as page:
        row(page, "dh_next =").tap()
        assert lit(page) == ([H.text], [number("dh_next =")])
        assert in_sight(page, place(page, H.text))
        page.tab.set_viewport_size({"width": 390, "height": 500})
        page.tab.evaluate("scrollTo(0, document.body.scrollHeight)")
        place(page, X.text).tap()
        assert lit(page) == ([X.text], [number("dx[:, t]")])
        assert in_sight(page, row(page, "dx[:, t]"))
        above = page.find(".forward").bounding_box()
        assert row(page, "dx[:, t]").bounding_box()["y"] >= above["y"] + above["height"]


@pytest.fixture
def long_page(visit, write_report, tmp_path):
    """A forward pass that is higher than the window; the two expressions of its last line overlap."""
    rows = [f"x{k} = x{k - 1} * 2" for k in range(1, 101)]
    path, file = tmp_path / "long.py", str(tmp_path / "long.py")
    path.write_text("\n".join([*rows, "dx = 1", "dx = 2"]), encoding="utf-8")
    last = [Place(file, 100, start, end, rows[-1][start:end]) for start, end in ((7, 12), (11, 14))]
    lines = [
        Line(file, 101, "dx = 1", "dx", None, (), "right", tuple(last)),
        Line(file, 102, "dx = 2", "dx", None, (), "right", (Place(file, 1, 0, 2, "x1"),)),
    ]
    with visit(write_report(Report(lines=lines, functions=([(file, 1, 100)], [(file, 101, 102)])))) as page:
        yield page, rows


def test_a_long_forward_scrolls_to_what_is_lit(long_page):
    page, rows = long_page
    assert page.find(".forward .row code").all_text_contents() == rows
    first, last, _ = page.find(".place").all()
    for start, end, line in ((first, last, 0), (last, first, 1)):
        assert (in_sight(page, start), in_sight(page, end)) == (True, False)
        page.find(".backward .row").nth(line).hover()
        assert in_sight(page, end)
    assert page.tab.evaluate("scrollY") == 0


def test_printed_whole(long_page):
    page, _ = long_page
    page.tab.emulate_media(media="print")
    assert page.find("#step").is_hidden()
    assert page.find(".forward").evaluate("(panel) => panel.scrollHeight - panel.clientHeight") <= 0
