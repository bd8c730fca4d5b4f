"""The page opens from disk for any text: no errors, no dialogs, no requests (checked by `visit`)."""

import pytest

from tests.browser.lesson import Lesson

pytestmark = pytest.mark.browser

TEXTS = {
    "two": "ab",
    "markup": "</script><b>&amp;<!--<script>alert(1)</script>",
    "quotes and indices": "\"'\\`${alert(1)} a_b^2 - _{x}",
    "unseen and wide": "a\n\t\r\0\u2028\u2029\u202e é \u0301 😀 日本語",
    "long": "The quick brown fox jumps over the lazy dog; the dog sleeps on, " + "and on, " * 5 + "and on.",
}


def use_all(page):
    """Use everything on the page: each key, each parameter, each fold."""
    for key in ("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown", "ArrowDown"):
        page.press(key, f"Shift+{key}")
    for tab in page.find("#tabs button").all():
        tab.click()
    for summary in page.find("summary").all():
        summary.click()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_any_text(visit, tmp_path, text):
    lesson = Lesson(text, embedding_dim=3, hidden_size=4, epochs=2)
    with visit(lesson.write(tmp_path)) as page:
        use_all(page)
        assert page.find(".step .reads").all_text_contents() == lesson.reads
        assert page.tab.title() == f"Where every gradient comes from: {''.join(lesson.reads)}{lesson.follows[-1]}"
        for width in (1280, 360):
            page.tab.set_viewport_size({"width": width, "height": 800})
            assert page.tab.evaluate("document.documentElement.scrollWidth") <= width
            assert page.tab.evaluate("overlaps()") == []


def test_a_single_stage_of_training(visit, tmp_path):
    lesson = Lesson("ab ab", embedding_dim=3, hidden_size=4, epochs=2)
    with visit(lesson.write(tmp_path, epochs=[2])) as page:
        assert page.find("#epoch").is_disabled()
        use_all(page)
        assert page.place[0] == 2
        assert page.text("#loss") == f"loss {lesson.traces[-1].loss:.4f}"
