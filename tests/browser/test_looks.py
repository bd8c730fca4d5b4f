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


def test_picture(look):
    page, width, scheme = look
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"explorer-{width}-{scheme}.png"
    page.tab.screenshot(path=path, full_page=True)
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
    """All text has a contrast of at least 4.5:1 with its background, as WCAG 2 asks for."""
    page, *_ = look
    page.tab.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    page.tab.evaluate("showTooltip('words', { clientX: 50, clientY: 50 })")
    words = page.tab.evaluate("textColours()")
    assert len(words) > 300
    for text, ink, ground in words:
        light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ink, ground)


def test_nothing_is_cut_off(look):
    """Nothing sticks out of the window, except columns of the network, which scroll."""
    page, width, _ = look
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= width
    assert page.tab.evaluate("sticksOut()") == []
    assert page.tab.evaluate("overlaps()") == []
    for place in page.find(".scroll").all():
        assert place.evaluate("(element) => element.scrollWidth - element.clientWidth") <= 0


def test_tapping_shows_and_selects(visit, lesson, lesson_page):
    with visit(lesson_page, width=390) as page:
        epoch, *_ = page.place
        trace = lesson.traces[lesson.epochs.index(epoch)]

        def tap(selector, shape, cell):
            page.tap(page.find(selector).first, shape, cell)
            return float(page.tooltip.split(" = ")[1])

        assert tap('[data-step="2"] .strip', (lesson.H, 1), (6, 0)) == trace.h[3, 0, 6]
        assert page.place[1] == 3
        assert page.text("[data-label=R2] .numbers").startswith("h3[6] = ")
        assert tap("[data-label=E1] .grid", (1, lesson.E), (0, 4)) == trace.x[2, 0, 4]
        norm = np.linalg.norm(trace.dh_by_loss[8, 5, 0])
        assert tap("#pairs .grid", (lesson.T, lesson.T), (8, 5)) == pytest.approx(norm, rel=1e-14)
        assert page.place[2:] == (9, 6)
        assert tap("#path tbody tr:last-child .grid", (1, lesson.H), (0, 7)) == trace.dh_by_loss[8, 5, 0, 7]
        gradient = trace.gradients["rnn.weight_hh_l0"]
        assert tap("#gradient .grid", gradient.shape, (3, 2)) == gradient[3, 2]
        for bars in ("#norms", "#truncation"):
            bar = page.find(f"{bars} .bar").nth(4)
            words = bar.get_attribute("aria-label")
            bar.tap()
            assert page.tooltip == words
        page.find("#parameters-title").tap()
        assert page.tooltip is None
