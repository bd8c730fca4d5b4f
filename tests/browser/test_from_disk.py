"""The page opens from disk for any text: no errors, no dialogs, no requests (checked by `visit`)."""

import numpy as np
import pytest

import numpy_rnn as nr
from numpy_rnn.display.terminal import visible
from tests.browser.lesson import Lesson

pytestmark = pytest.mark.browser

TEXTS = {
    "two": "ab",
    "markup": "</script><b>&amp;<!--<script>alert(1)</script>",
    "quotes and indices": "\"'\\`${alert(1)} a_b^2 - _{x}",
    "unseen and wide": "a\n\t\r\0\u2028\u2029\u202e é \u0301 😀 日本語",
    "long": "The quick brown fox jumps over the lazy dog; it sleeps again",
}


def use_all(page):
    """Use everything on the page: each stop, each pass, each parameter, every button."""
    for name in page.find("#parameter option").all_text_contents():
        page.choose(parameter=name)
    for button in page.find("#stops button, .bar button:not(.play), #story-buttons button").all():
        button.click()
    for direction in ("backward", "forward"):
        page.choose(direction=direction, loss=0)
    page.find("summary").click()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_any_text(visit, tmp_path, text):
    lesson = Lesson(text, embedding_dim=3, hidden_size=4, epochs=2)
    with visit(lesson.write(tmp_path)) as page:
        signs = [visible(character) for character in text]
        assert page.find(".column .reads").all_text_contents() == signs[:-1]
        assert page.tab.title() == f"Where every gradient comes from: {''.join(signs)}"
        assert page.tab.evaluate("model.signs") == lesson.signs
        page.find("#form button").click()  # a line break that the field cannot show is kept
        assert page.find(".column .reads").all_text_contents() == signs[:-1]
        use_all(page)
        for width in (1280, 360):
            page.tab.set_viewport_size({"width": width, "height": 800})
            assert page.tab.evaluate("document.documentElement.scrollWidth") <= width
            assert page.tab.evaluate("overlaps()") == []


def test_signs_are_those_of_the_terminal(page):
    characters = [chr(i) for i in (*range(0x250), *range(0x2000, 0x2070), 0x301, 0x65E5, 0x1F600, 0xD800, 0xE000)]
    assert page.tab.evaluate("(all) => all.map(visible)", characters) == [
        visible(character) for character in characters
    ]


def test_a_trained_model(visit, tmp_path):
    """Its weights stay for every text that has only its characters."""
    vocabulary = nr.Vocabulary("abcdefg ")
    model = nr.CharRNN(len(vocabulary), 3, 4, rng=0)
    path = tmp_path / "page.html"
    path.write_bytes(nr.explain(model, vocabulary, "a cab").encode())
    with visit(path) as page:
        W = model.state_dict()["fc.weight"]
        assert page.find("#form input[name=size]").is_disabled()
        assert page.find("#form input[name=seed]").is_disabled()
        for text, message in [("fed", ""), ("few", "The model does not know the character ‘w’."), ("bad egg", "")]:
            page.find("#form input[name=text]").fill(text)
            page.find("#form button").click()
            assert page.text("#message") == message
            np.testing.assert_array_equal(page.items["fc.weight"], W)
        assert page.find(".column .reads").all_text_contents() == list("bad␣eg")
        use_all(page)
        page.find("#stops button").first.click()
        page.find("#rewind").click()
        np.testing.assert_array_equal(page.items["fc.weight"], W)
