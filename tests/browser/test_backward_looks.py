"""The page of a report on a desktop and on a phone, light and dark: screenshots and measurements."""

import pytest

from tests.browser.conftest import PICTURES
from tests.browser.test_looks import luminance
from tests.gradient_checking.backward_report import wrong_rnn_report

pytestmark = pytest.mark.browser


@pytest.fixture(params=[(width, scheme) for width in (1440, 1000, 400) for scheme in ("light", "dark")], ids=str)
def look(request, visit, write_report):
    width, scheme = request.param
    with visit(write_report(wrong_rnn_report()), width, scheme) as page:
        page.tab.set_viewport_size({"width": width, "height": 2000})
        page.find(".backward .row").filter(has_text="db +=").focus()
        yield page, width, scheme


def test_looks(look):
    page, width, scheme = look
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.tab.screenshot(path=PICTURES / f"backward-{width}-{scheme}.png", full_page=True)
    words = page.tab.evaluate("textColours()")
    assert len(words) > 100
    for text, ink, ground in words:
        light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ink, ground)
    assert (luminance(words[0][2]) > 0.5) == (scheme == "light")  # behind the heading
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= width
    assert page.tab.evaluate("sticksOut()") == []
    sides = [page.find(f".{side}").bounding_box() for side in ("forward", "backward")]
    assert (sides[0]["x"] + sides[0]["width"] <= sides[1]["x"]) == (width > 900)
