"""The text and its model, training, the cursor, the keyboard, focus, light and dark."""

import numpy as np
import pytest

import numpy_rnn as nr
from tests.browser.printed import printed

pytestmark = pytest.mark.browser


def submit(page, **values):
    for name, value in values.items():
        page.find(f"#form input[name={name}]").fill(str(value))
    page.find("#form button").click()


def finish(page, button="#train"):
    """Wait until training or a wave has come to its end."""
    while page.text(button) == "Pause":
        page.settle()


def test_training_is_that_of_the_textbook(page, lesson):
    page.find("#train").click()
    finish(page)
    assert page.place[0] == lesson.epochs
    losses = page.tab.evaluate("model.losses")
    np.testing.assert_allclose(losses[: lesson.epochs], lesson.losses, rtol=1e-9)
    assert page.text("#epoch-name") == f"epoch 40 of 40, loss {printed(lesson.trace(40).loss)}"
    page.find("#train").click()  # on from there
    finish(page)
    assert page.place[0] == 2 * lesson.epochs


def test_training_steps_pauses_and_rewinds(page, lesson):
    for _ in range(3):
        page.find("#on").click()
    assert page.text("#epoch-name") == f"epoch 3 of 3, loss {printed(lesson.losses[3])}"
    page.find("#back").click()
    assert page.text("#epoch-name") == f"epoch 2 of 3, loss {printed(lesson.losses[2])}"
    page.find("#on").click()  # this one is known
    assert page.text("#epoch-name") == f"epoch 3 of 3, loss {printed(lesson.losses[3])}"
    page.find("#rewind").click()
    assert page.text("#epoch-name") == f"epoch 0 of 3, loss {printed(lesson.losses[0])}"
    page.find("#back").click()
    assert page.place[0] == 0
    page.tab.evaluate("() => { window.setTimeout = (tick) => { window.tick = tick; return 1; }; }")
    page.find("#train").click()
    page.tab.evaluate("tick()")
    page.find("#train").click()
    assert (page.text("#train"), page.place[0]) == ("Train", 20)
    page.find("#train").click()
    page.find("#epoch").fill("7")  # moving the slider pauses too
    assert (page.text("#train"), page.place[0]) == ("Train", 7)


def test_what_the_model_writes_and_the_curve(page, lesson):
    for epoch in (0, 5, lesson.epochs):
        page.choose(epoch=epoch)
        written = page.tab.evaluate("generate(weights(), model.tokens[0], model.T + 1)")
        signs = [lesson.signs[i] for i in written]
        assert page.text("#generated") == "".join(signs)
        wrong = page.find("#generated span").evaluate_all("(all) => all.map((e) => e.classList.contains('wrong'))")
        assert wrong == [sign != wanted for sign, wanted in zip(signs, "Hello,␣world", strict=True)]
    assert not any(wrong)
    points = page.find("#curve path").get_attribute("d").removeprefix("M ").split(" L ")
    x, y = np.array([point.split(",") for point in points], float).T
    np.testing.assert_allclose(x, 200 * np.arange(41) / 40)
    losses = [*lesson.losses, lesson.trace(40).loss]
    np.testing.assert_allclose((37 - y) / 33, losses / np.max(losses), rtol=1e-6)


def test_a_text_of_ones_own(page):
    submit(page, text="  aé😀 ", size=6, lr=0.02, seed=4)
    assert page.find(".column .reads").all_text_contents() == ["␣", "␣", "a", "é", "😀"]
    assert page.find(".column .next").evaluate_all("(all) => all.map((e) => e.firstChild.data)") == list("␣aé😀␣")
    assert page.tab.evaluate("[model.V, model.H, model.lr, model.seed]") == [4, 6, 0.02, 4]
    assert page.tab.evaluate("model.signs") == ["␣", "a", "é", "😀"]
    first = page.tab.evaluate("model.history[0]")
    submit(page, seed=5)
    assert page.tab.evaluate("model.history[0]") != first
    submit(page, seed=4)
    assert page.tab.evaluate("model.history[0]") == first
    page.find("#on").click()
    assert page.place[0] == 1
    moved = np.abs(page.items["fc.bias"] - first["fc.bias"])
    np.testing.assert_allclose(moved, 0.02, rtol=1e-4)  # Adam's first step is lr, whatever the gradient


def test_the_weights_of_python_come_back(page, lesson):
    """The text, size and seed of the command line have NumPy's weights, whatever was tried in between."""
    submit(page, text="other")
    submit(page, text=lesson.text)
    np.testing.assert_array_equal(page.items["fc.weight"], lesson.weights[0]["fc.weight"])


def test_a_text_that_cannot_be(page):
    place = page.find(".column .reads").all_text_contents()
    for text in ("a", ""):
        submit(page, text=text)
        assert page.find(".column .reads").all_text_contents() == place
    submit(page, text="😀")  # two code units, but one character
    assert page.text("#message") == "The text needs at least two characters."
    assert page.find(".column .reads").all_text_contents() == place
    page.find("#form input[name=text]").fill("")
    page.find("#form input[name=text]").press_sequentially("x" * 70)
    assert len(page.find("#form input[name=text]").input_value()) == 60
    submit(page, text="fine")
    assert page.text("#message") == ""


def test_a_learning_rate_that_is_too_large(page):
    page.tab.evaluate("load({ ...settings(), lr: 1e300 })")
    for _ in range(5):
        page.find("#on").click()
    assert page.text("#message") == "The loss is not finite: try a smaller learning rate."
    page.find("#train").click()
    assert page.text("#train") == "Train"
    assert page.place[0] < 5
    assert np.isfinite(page.items["loss"])


def test_steps(page, lesson):
    page.choose(step=0)
    page.find("#previous").click()
    assert page.place[1] == 1
    page.find("#next").click()
    page.find("#next").click()
    assert page.text("#step-name") == f"step 3 of {lesson.T}: l → l"
    assert page.text("#equations-title") == "Forward at step 3"
    page.choose(step=lesson.T - 1)
    page.find("#next").click()
    assert page.place[1] == lesson.T


def test_arrow_keys_scroll_the_page(page):
    """They move a slider that has the focus, and nothing else."""
    page.find("#step").focus()
    page.press("ArrowRight", "ArrowUp", "ArrowLeft")
    assert page.place[1] == 6
    page.choose(epoch=3)
    page.find("#epoch").focus()
    page.press("Home", "ArrowRight")
    assert page.place[:2] == (1, 6)
    page.tab.evaluate("document.activeElement.blur()")
    place, top = page.place, page.tab.evaluate("scrollY")
    page.press("ArrowRight", "ArrowDown", "ArrowDown", "j", "k")
    page.settle()
    page.tab.wait_for_timeout(300)
    assert page.place == place
    assert page.tab.evaluate("scrollY") > top


def test_units_and_characters_by_keyboard(page, lesson):
    page.find("#unit").fill("3")
    assert "[3] = " in page.text(".equation[data-labels=R2] .numbers")
    page.find("#unit").fill("99")
    assert f"[{lesson.H - 1}] = " in page.text(".equation[data-labels=R2] .numbers")
    page.find("#character").select_option("w")
    assert page.text(".equation[data-labels=C2] .numbers").startswith("p5[‘w’] = ")


def test_tab_reaches_every_control(page):
    page.choose(epoch=1)
    controls = page.tab.evaluate("""() => {
      window.reached = new Set();
      document.addEventListener("focusin", (event) => reached.add(event.target));
      const all = "button, input:not([type=radio]), select, summary, [tabindex]";
      window.controls = [...document.querySelectorAll(all)].filter((element) => element.checkVisibility());
      return controls.length;
    }""")
    assert controls > 60
    page.press(*["Tab"] * (controls + 5))
    missed = page.tab.evaluate("controls.filter((element) => !reached.has(element)).map((e) => e.outerHTML)")
    assert missed == []


def test_a_step_that_is_drawn_anew_keeps_the_focus(page):
    page.find('[data-step="3"] .time').focus()
    page.press("Enter")
    assert page.place[1] == 4
    assert page.tab.evaluate("document.activeElement.dataset.focus") == "step 3"


def test_escape_hides_the_tooltip(page, lesson):
    strip = page.find('[data-step="2"] .strip').nth(1)
    for leave in (lambda: page.press("Escape"), lambda: page.tab.mouse.move(5, 5)):
        assert page.hover(strip, (lesson.H, 1), (3, 0))[0].startswith("h_3[3] = ")
        leave()
        assert page.tooltip is None


def test_light_and_dark(page):
    def colours():
        page.settle()
        ground = page.tab.evaluate("getComputedStyle(document.body).backgroundColor")
        return ground, page.pixels(page.find("#gradient .grid"))

    light = colours()
    page.tab.emulate_media(color_scheme="dark")
    dark = colours()
    assert light[0] == "rgb(255, 255, 255)" != dark[0]
    assert light[1] != dark[1]
    page.tab.emulate_media(color_scheme="light")
    assert colours() == light
    for expected in (dark, light):
        page.find("#theme").click()
        assert colours() == expected
    page.tab.emulate_media(color_scheme="dark")
    assert colours() == light  # the button has precedence


def test_the_selected_step_is_visible(visit, lesson, lesson_page):
    with visit(lesson_page, width=390) as page:
        for button in ("#next", "#previous"):
            for _ in range(lesson.T):
                page.find(button).click()
                column, network = page.find(".column.chosen").bounding_box(), page.find("#network").bounding_box()
                names = page.find(".names").bounding_box()
                assert names["x"] + names["width"] <= column["x"] + 1
                assert column["x"] + column["width"] <= network["x"] + network["width"] + 1


def test_motion_only_where_it_is_wanted(visit, lesson_page):
    with visit(lesson_page) as page:
        for motion, animated in (("reduce", "none"), ("no-preference", "along")):
            page.tab.emulate_media(reduced_motion=motion)
            page.find(".word[data-labels=R1]").focus()
            style = page.find(".arrow.chosen[data-labels=R1]").first.evaluate(
                "(e) => getComputedStyle(e).animationName"
            )
            assert style == animated


def test_a_size_of_the_command_line_is_kept(visit, tmp_path):
    """The field allows up to 64, or what the page came with."""
    vocabulary = nr.Vocabulary.from_text("ab")
    path = tmp_path / "page.html"
    path.write_bytes(nr.explain(nr.CharRNN(2, 70, 70, rng=0), vocabulary, "ab", seed=0).encode())
    with visit(path) as page:
        submit(page, text="a third text")
        assert page.find(".column").count() == 11
        assert page.tab.evaluate("model.H") == 70
        submit(page, size=71)
        assert page.tab.evaluate("model.H") == 70
