"""The tutorial's page on a desktop and on a phone, light and dark: screenshots and measurements."""

import numpy as np
import pytest

from numpy_rnn.cli import main
from tests.browser.conftest import PICTURES
from tests.optional import Optional

pytestmark = pytest.mark.browser
image = Optional("matplotlib.image")


@pytest.fixture(scope="session")
def tutorial(tmp_path_factory):
    path = tmp_path_factory.mktemp("tutorial") / "explorer.html"
    assert main(["explain", "-o", str(path)]) == 0
    return path


@pytest.fixture(params=[(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")], ids=str)
def look(request, visit, tutorial):
    width, scheme = request.param
    with visit(tutorial, width, scheme) as page:
        yield page, width, scheme


def stops(page):
    """Go to each stop of the story."""
    for k in range(6):
        page.find("#stops button").nth(k).click()
        yield k + 1


def test_pictures_of_every_stop(look):
    page, width, scheme = look
    PICTURES.mkdir(parents=True, exist_ok=True)
    for stop in stops(page):
        path = PICTURES / f"explorer-{stop}-{width}-{scheme}.png"
        page.tab.screenshot(path=path, full_page=width < 600)
        pixels = image.imread(path)[:, :, :3]  # (height, width, 3), from 0 to 1
        assert pixels.shape[1] == width
        # Background and panels are most of the page, but there is ink.
        assert (np.median(pixels) > 0.9) if scheme == "light" else (np.median(pixels) < 0.15)
        assert pixels.max() - pixels.min() > 0.8
        assert len(np.unique(pixels[::8, ::8].reshape(-1, 3), axis=0)) > 200


def luminance(colour):
    """Return WCAG 2's relative luminance of (red, green, blue) from 0 to 255."""
    share = np.array(colour[:3]) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


def test_text_is_readable(look):
    """All text has a contrast of at least 4.5:1 with its background, as WCAG 2 asks for, also where it lights up."""
    page, *_ = look
    page.find("summary").click()
    for _ in stops(page):
        page.tab.evaluate("showTooltip('words', { clientX: 50, clientY: 50 })")
        for lights in ([], ["R1", "R2", "R3", "R4", "L1", "L2", "C3", "C4", "A1"]):
            page.tab.evaluate("(labels) => light(labels)", lights)
            words = page.tab.evaluate("textColours()")
            assert len(words) > 200
            for text, ink, ground in words:
                light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ink, ground)


def test_nothing_is_cut_off(look):
    """Nothing sticks out of the window, except columns of the network, which scroll."""
    page, width, _ = look
    for _ in stops(page):
        assert page.tab.evaluate("document.documentElement.scrollWidth") <= width
        assert page.tab.evaluate("sticksOut()") == []
        assert page.tab.evaluate("overlaps()") == []


def test_the_controls_leave_room_for_the_page(look):
    page, _, _ = look
    page.tab.evaluate("scrollTo(0, 600)")
    assert page.find(".controls").bounding_box()["height"] < 140


def test_tapping_shows_and_selects(visit, lesson, lesson_page):
    with visit(lesson_page, width=390) as page:

        def tap(grid, shape, cell):
            page.tap(grid, shape, cell)
            return float(page.tooltip.split(" = ")[-1])

        items = page.items
        assert tap(page.find('[data-step="2"] .strip').nth(1), (lesson.H, 1), (6, 0)) == items["h"][3, 6]
        assert page.place[1] == 3
        assert page.text(".equation[data-labels=R2] .numbers").startswith("h3[6] = ")
        assert page.lit()["equation"] == ["R2"]
        assert tap(page.find(".equation[data-labels=E1] .grid"), (1, lesson.E), (0, 4)) == items["x"][2, 4]
        gradient = np.array(items["gradients"]["rnn.weight_hh_l0"])
        assert tap(page.find("#gradient .grid"), gradient.shape, (3, 2)) == gradient[3, 2]
        page.find("#parameters-title").tap()
        assert page.tooltip is None
