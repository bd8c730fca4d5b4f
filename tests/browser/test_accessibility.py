"""axe-core finds no fault with any of the pages: names, roles, landmarks, headings, and what the keyboard reaches."""

import pytest

from tests.browser.test_looks import stops, tutorial
from tests.browser.test_side_by_side import built
from tests.gradient_checking.backward_report import wrong_rnn_report
from tests.optional import Optional

pytestmark = pytest.mark.browser
axe = Optional("axe_playwright_python.sync_playwright")
__all__ = ["built", "tutorial"]  # fixtures

any_width = pytest.mark.parametrize("width", [1280, 390])
# Contrast is what test_looks measures, for every text in every state, in a fraction of the time. axe does not read
# MathML: it takes the heading of a column that is a formula for empty.
RULES = {name: {"enabled": False} for name in ("color-contrast", "empty-table-header")}


def violations(page):
    """Return what axe-core finds, a line for each element."""
    page.settle()
    options = {"resultTypes": ["violations"], "rules": RULES}
    found = axe.Axe().run(page.tab, options=options).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}" for rule in found for node in rule["nodes"]
    ]


@any_width
def test_the_explorer(visit, tutorial, width):
    with visit(tutorial, width) as page:
        for stop in stops(page):
            assert violations(page) == [], stop
        page.find("summary").click()
        assert violations(page) == []


@any_width
def test_the_lesson(visit, built, width):
    with visit(built, width) as page:
        page.find("tr[data-labels=R3] .label").click()  # on a phone, this opens the panel
        page.find("summary").click()
        assert violations(page) == []


@any_width
def test_the_report_of_gradcheck(visit, write_report, width):
    with visit(write_report(wrong_rnn_report()), width) as page:
        page.find(".backward .row").filter(has_text="db +=").focus()
        assert violations(page) == []


def test_a_fault_is_found(page):
    page.tab.evaluate("document.querySelector('#theme').removeAttribute('aria-label')")
    page.tab.evaluate("document.querySelector('#theme').textContent = ''")
    (fault,) = violations(page)
    assert fault.startswith("button-name: ")
