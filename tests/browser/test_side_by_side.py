"""The lesson of docs/lesson.py: what has the same label lights up together, in any window and without a mouse."""

import re

import pytest

from tests.browser.conftest import PICTURES
from tests.browser.test_looks import luminance
from tests.documents.test_equation_labels import DEFINED
from tests.optional import Optional

pytestmark = pytest.mark.browser
lesson = Optional("docs.lesson")
LABELS = [label for _, label in DEFINED]

LIT = """() => Object.fromEntries(["main", ".code", ".numbers"].map((side) => [
  side.replace(".", ""), [...document.querySelectorAll(side + " .lit")].map((e) => e.textContent.trim())]))"""
IN_SIGHT = """(element) => {
  const part = element.closest(".code, .numbers")?.getBoundingClientRect() ?? { top: 0, bottom: innerHeight };
  const { top, bottom } = element.getBoundingClientRect();
  return top >= part.top - 1 && bottom <= part.bottom + 1;
}"""


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    path = tmp_path_factory.mktemp("side-by-side") / "lesson.html"
    path.write_text(lesson.build(), encoding="utf-8")
    return path


@pytest.fixture
def open_page(visit, built):
    with visit(built) as page:
        yield page


def lit(page):
    page.settle()
    return page.tab.evaluate(LIT)


def follow(page, label):
    page.tab.evaluate("(name) => { location.hash = name; }", label.lower())
    page.settle()
    return lit(page)


def test_every_label_lights_up_everywhere(open_page):
    for label in LABELS:
        found = follow(open_page, label)
        assert any(f"({label})" in text for text in found["main"]), label
        assert found["code"], label
        assert all(f"({label})" in text for text in found["code"]), label
        own = [text for text in found["numbers"] if text.startswith("(")]
        assert {text.partition(")")[0] for text in own} == {f"({label}"}, label
        for selector in (f"#{label.lower()}", ".row.lit", ".numbers .lit:not(.head)"):
            assert open_page.find(selector).first.evaluate(IN_SIGHT), (label, selector)


def test_a_click_on_the_right_leads_to_the_equation(open_page):
    open_page.find(".code .row").filter(has_text="tanh' = 1 - tanh^2").locator("a").first.click()
    open_page.tab.mouse.move(300, 20)
    assert open_page.tab.evaluate("location.hash") == "#r4"
    assert open_page.find("#r4").evaluate(IN_SIGHT)
    found = lit(open_page)
    assert "(R4)   dz_1 = dh_1 * slope_1 = [-0.2623, 0.0124]" in found["numbers"]
    assert len(found["numbers"]) == 4
    assert [text for text in found["main"] if text.startswith("(R4). tanh is elementwise")]
    open_page.find(".numbers .line").filter(has_text="W_ihᵀ dz_2").locator("a").click()
    assert open_page.tab.evaluate("location.hash") == "#r6"


@pytest.mark.parametrize("label", ["r3", "r1", "ls4", "gr7"])
def test_a_click_lights_up_what_was_clicked(open_page, label):
    """It scrolls the label away, so that another one may be under the pointer afterwards."""
    link = open_page.find(f"#{label}")
    link.evaluate("element => scrollTo(0, element.getBoundingClientRect().top + scrollY - 0.6 * innerHeight)")
    link.hover()
    open_page.tab.mouse.down()
    open_page.tab.mouse.up()
    open_page.tab.wait_for_timeout(500)
    found = lit(open_page)["code"]
    assert found
    assert all(f"({label.upper()})" in text for text in found)


def test_pointing_lights_up_until_the_pointer_leaves(open_page):
    follow(open_page, "R1")
    open_page.find("tr[data-labels=R2]").hover()
    assert lit(open_page)["code"] == ["46        h[t + 1] = np.tanh(z)  # (R2)"]
    open_page.tab.mouse.move(300, 20)
    assert all("(R1)" in text for text in lit(open_page)["code"])


def test_code_and_numbers_follow_the_section(open_page):
    def current():
        open_page.settle()
        rows = open_page.find(".row.current").all_text_contents()
        lines = open_page.find(".numbers .line:visible:not(.head)").all_text_contents()
        return [
            {label for text in texts for label in re.findall(r"\(([A-Z]+\d+)\)", text)} for texts in (rows, lines)
        ]

    for anchor, labels in [("embedding", {"E1", "E2"}), ("adam", {"A1", "A2", "A3"}), ("the-lstm", None)]:
        follow(open_page, anchor)
        labels = labels or {label for label in LABELS if label.startswith("LS")}
        rows, lines = current()
        assert labels <= rows
        assert lines == labels
    follow(open_page, "backward")  # of the worked example, whose numbers are in the text
    assert not open_page.find(".numbers").is_visible()


def test_reading_lights_up_the_line_that_is_read(open_page):
    open_page.find("tr[data-labels=L3]").evaluate("(row) => scrollBy(0, row.getBoundingClientRect().top - 340)")
    assert lit(open_page)["code"][0] == "68        dW += dlogits[t].T @ h[t + 1]  # (L3)"
    assert open_page.find(".row.lit").first.evaluate(IN_SIGHT)


def test_it_works_with_the_keyboard(open_page):
    open_page.find("summary").focus()
    open_page.press("Enter", "Tab")
    assert open_page.tab.evaluate("document.activeElement.textContent") == "The rules"
    open_page.press("Enter")
    assert open_page.tab.evaluate("location.hash") == "#the-rules"
    open_page.find(".row a[href='#r6']").first.focus()
    open_page.press("Shift+Tab", "Tab")
    assert all("(R6)" in text for text in lit(open_page)["code"])
    open_page.press("Enter")
    assert open_page.find("#r6").evaluate(IN_SIGHT)
    open_page.find(".code").focus()
    before = open_page.tab.evaluate("[scrollY, document.querySelector('.code').scrollTop]")
    open_page.press("ArrowDown")
    open_page.tab.wait_for_function("(top) => document.querySelector('.code').scrollTop > top", arg=before[1])
    assert open_page.tab.evaluate("scrollY") == before[0]


def test_an_index_is_lower_with_and_without_a_font_for_formulas(visit, built, tmp_path):
    other = tmp_path / "lesson.html"
    other.write_text(
        built.read_text(encoding="utf-8").replace('"STIX Two Math", ', '"DejaVu Serif", '), encoding="utf-8"
    )
    for path in (built, other):
        with visit(path, width=390) as page:
            base, index = (
                page.find("msub").filter(has_text=re.compile("^ht$")).first.locator("> *").nth(i) for i in (0, 1)
            )
            bottoms = [part.evaluate("(e) => e.getBoundingClientRect().bottom") for part in (base, index)]
            assert bottoms[1] > bottoms[0] + 2


def test_nothing_moves_for_those_who_do_not_want_it(open_page):
    assert open_page.tab.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    assert open_page.tab.evaluate("document.getAnimations().length") == 0


def test_a_phone_shows_the_lines_of_the_label(visit, built):
    with visit(built, width=390) as page:
        assert not page.find(".code").is_visible()
        page.find("tr[data-labels=R2] .label").tap()
        page.settle()
        assert page.find(".code h3:visible").all_text_contents() == ["textbook.py"]
        assert page.find(".row:visible").all_text_contents() == ["46        h[t + 1] = np.tanh(z)  # (R2)\n"]
        lines = [line.partition(" = ")[0] for line in page.find(".numbers .line:visible").all_text_contents()]
        assert lines == ["(R2)   h_1", "(R2)   h_2"]
        assert page.find("#r2").evaluate(IN_SIGHT)
        panel = page.find(".panel").bounding_box()
        assert panel["y"] + panel["height"] == pytest.approx(844, abs=1)
        assert page.find("#open").get_attribute("aria-expanded") == "true"
        page.find("#open").tap()
        assert not page.find(".code").is_visible()
        assert page.find("#open").get_attribute("aria-expanded") == "false"


@pytest.mark.parametrize("width", [1280, 390])
def test_without_scripts_everything_is_shown(width, browser, built):
    context = browser.new_context(viewport={"width": width, "height": 844}, java_script_enabled=False, offline=True)
    tab = context.new_page()
    tab.goto(built.as_uri() + "#r3")
    assert tab.locator(".row:visible").count() == tab.locator(".row").count() > 300
    assert tab.locator(".numbers .line:visible").count() == tab.locator(".numbers .line").count() > 80
    context.close()


@pytest.fixture(params=[(1440, "light"), (1020, "dark"), (390, "light")], ids=str)
def look(request, visit, built):
    width, scheme = request.param
    with visit(built, width, scheme) as page:
        yield page, width, scheme


def test_looks(look):
    page, width, scheme = look
    PICTURES.mkdir(parents=True, exist_ok=True)
    for place in ("where-every-gradient-comes-from", "r3", "c4", "vanishing-and-exploding", "ls6", "gr9", "a3"):
        follow(page, place)
        if width < 600 and place == "r3":
            page.find("#open").tap()
        page.tab.screenshot(path=PICTURES / f"lesson-{place}-{width}-{scheme}.png")
    words = page.tab.evaluate("textColours()")
    assert len(words) > 2000
    for text, ink, ground in words:
        light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ink, ground)
    assert (luminance(words[0][2]) > 0.5) == (scheme == "light")


def test_nothing_is_cut_off(look):
    page, width, _ = look
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= width
    too_wide = page.tab.evaluate("""() => [...document.querySelectorAll("main *")].filter((element) => {
      const { right, width } = element.getBoundingClientRect();
      return width && right > document.querySelector("main").getBoundingClientRect().right + 0.5
        && !element.closest("pre, .display, .plain, .equations");
    }).map((element) => element.outerHTML.slice(0, 100))""")
    assert too_wide == []
    scrolls = page.find("main [tabindex='0']")  # what is wider than the text can be scrolled, also with the keyboard
    wide = page.tab.evaluate("[...document.querySelectorAll('main div, main pre')].filter("
                             "(e) => e.scrollWidth > e.clientWidth).length")  # fmt: skip
    assert scrolls.count() == wide
    assert page.find(".equations[tabindex='0']").count() == 0  # but an equation fits
    assert page.tab.evaluate("[...document.querySelectorAll('.code, .numbers')].every("
                             "(e) => e.scrollWidth <= e.clientWidth)")  # fmt: skip
    if width > 1000:
        text, panel = (page.find(selector).bounding_box() for selector in ("main", ".panel"))
        assert text["x"] + text["width"] <= panel["x"]
        tops = [page.find(f"{part}").first.bounding_box()["y"] for part in (".panel", "main")]
        assert tops[0] == pytest.approx(tops[1], abs=2)
