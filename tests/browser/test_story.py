"""The six stops: what the page shows there, and the numbers in the text."""

import numpy as np
import pytest

import numpy_rnn as nr
from numpy_rnn import textbook
from numpy_rnn.explorer import STORY
from numpy_rnn.text.windows import inputs_and_targets
from numpy_rnn.training.tutorial import train_epochs
from tests.browser.printed import printed

pytestmark = pytest.mark.browser

TITLES = ["One step forward", "How wrong is it?", "One step back", "Back through time", "A hundred updates", STORY]


def test_the_stops(page, lesson):
    T = lesson.T
    shown = [("forward", 0, 5, None), ("forward", 0, 5, None), ("backward", 0, 5, 5), ("backward", 0, T, None)]
    shown += [("forward", 100, T, None), ("backward", 0, 1, 9)]
    for k, (title, (direction, *place)) in enumerate(zip(TITLES, shown, strict=True)):
        assert page.text("#story-title") == f"{k + 1}. {title}"
        assert page.find(f"#{direction}").is_checked()
        assert page.place == tuple(place)
        assert page.find("#stops [aria-current=step]").text_content() == str(k + 1)
        page.find("#story-next").click()
    assert page.text("#story-title") == f"6. {TITLES[5]}"  # there is no next one
    page.find("#stops button").nth(2).click()
    assert page.text("#story-title") == f"3. {TITLES[2]}"
    page.find("#story-back").click()
    assert page.text("#story-title") == f"2. {TITLES[1]}"


def test_the_text_has_the_numbers_of_the_page(page, lesson):
    def text(k):
        page.find("#stops button").nth(k).click()
        return " ".join(page.text("#story-text").split())

    items, target = page.items, int(lesson.targets[4])
    assert "At step 5 it reads ‘o’ and looks up the vector" in text(0)
    assert f"gives it a probability of {printed(items['p'][4][target])}." in text(1)
    assert f"minus the logarithm of that, {printed(items['losses'][4])}." in text(1)
    assert f"log {lesson.V} = {printed(np.log(lesson.V))} at every step" in text(1)
    assert f"the mean over all steps, {printed(items['loss'])}." in text(1)
    last = items["norms"][-1]
    assert f"{printed(last[0] / last[-1])} is left at the first state, {lesson.T - 1} steps back." in text(3)
    five = text(4)
    assert f"100 times to make the loss smaller. It went from {printed(items['loss'])} to " in five
    assert f"to {printed(page.items['loss'])}. Starting from ‘H’, the model now writes “Hello,␣world”." in five


def survives(model, vocabulary):
    norms = np.linalg.norm(nr.trace(model, *inputs_and_targets(vocabulary, STORY)).dh_by_loss[-1, :, 0], axis=1)
    return norms[0] / norms[-1]


def test_what_survives_is_what_python_finds(page):
    vocabulary = nr.Vocabulary.from_text(STORY)
    model = nr.CharRNN(2, 32, 32, dtype=np.float64, rng=0)
    model.load_state_dict(textbook.init(2, 32, 32, np.random.default_rng(0)))
    before = survives(model, vocabulary)
    list(train_epochs(model, vocabulary, STORY, epochs=100))
    after = survives(model, vocabulary)
    assert (round(before, 3), round(after, 2)) == (0.007, 0.99)
    page.find("#stops button").nth(5).click()
    text = " ".join(page.text("#story-text").split())
    assert f"Before training, {printed(before)} of the gradient of the last loss survives the eight steps" in text
    assert f"After 100 updates, {printed(after)} of it does." in text
    for name, epoch, share in (("after training", 100, after), ("before training", 0, before)):
        page.find("#story-buttons button").filter(has_text=name).click()
        assert page.place == (epoch, 1, 9)
        assert page.text('[data-step="0"] .left') == printed(share)


def test_the_readers_text_comes_back(page, lesson):
    page.find("#form input[name=text]").fill("my own text")
    page.find("#form input[name=size]").fill("7")
    page.find("#form button").click()
    page.find("#stops button").nth(5).click()
    assert page.find("#form input[name=text]").input_value() == STORY
    page.find("#story-back").click()
    values = [page.find(f"#form input[name={name}]").input_value() for name in ("text", "size", "lr", "seed")]
    assert values == ["my own text", "7", "0.01", "0"]
    assert page.find(".column .reads").all_text_contents() == list("my␣own␣tex")
