"""Keys, slider, buttons and focus."""

import pytest

from tests.browser.printed import printed

pytestmark = pytest.mark.browser


def test_arrow_keys_move_through_steps_and_epochs(page, lesson):
    page.choose(epoch=0, step=0)
    epochs, T, path = lesson.epochs, lesson.T, page.place[2:]
    page.press("ArrowRight")
    assert page.place == (0, 2, *path)
    page.press("ArrowUp", "ArrowUp", "ArrowUp")
    assert page.place == (epochs[3], 2, *path)
    assert page.text("#loss") == f"loss {lesson.traces[3].loss:.4f}"
    assert page.text("#forward-title") == "Forward at step 2"
    page.press("ArrowLeft", "ArrowDown")
    assert page.place == (epochs[2], 1, *path)
    page.press("ArrowLeft")
    assert page.place[1] == 1
    page.press(*["ArrowRight"] * (T + 1))
    assert page.place[1] == T
    page.press(*["ArrowDown"] * 3)
    assert page.place[0] == epochs[0]
    page.press(*["ArrowUp"] * (len(epochs) + 1))
    assert page.place[0] == epochs[-1]
    page.press("Control+ArrowLeft", "Alt+ArrowUp", "a")
    assert page.place[:2] == (epochs[-1], T)


def test_letter_keys_move_through_units_and_characters(page, lesson):
    page.choose(epoch=2, step=3)
    z, logits = lesson.traces[2].z[3, 0], lesson.traces[2].logits[3, 0]

    def shown():
        """Return the selected unit and character, each with the result of its equation."""
        texts = [page.find(f"#forward [data-label={label}] .numbers").text_content() for label in ("R1", "L1")]
        return [(text[text.index("[") + 1 : text.index("]")], text.rpartition(" = ")[2]) for text in texts]

    def expected(unit, character):
        return [(str(unit), printed(z[unit])), (f"‘{lesson.characters[character]}’", printed(logits[character]))]

    page.press(*["k"] * lesson.H, *["Shift+K"] * lesson.V)
    assert shown() == expected(0, 0)
    page.press("j", "j", "Shift+J")
    assert shown() == expected(2, 1)
    page.press(*["j"] * lesson.H, *["Shift+J"] * lesson.V, "k", "Shift+K")
    assert shown() == expected(lesson.H - 2, lesson.V - 2)


def test_after_a_drag_the_arrow_keys_move_the_step(page, lesson):
    page.choose(epoch=0, step=0)
    box = page.find("#epoch").bounding_box()
    page.tab.mouse.click(box["x"] + box["width"] - 5, box["y"] + box["height"] / 2)
    assert page.place[0] == lesson.epochs[-1]
    page.press("ArrowRight")
    assert page.place[:2] == (lesson.epochs[-1], 2)


def test_shift_and_arrow_keys_move_through_the_heatmap(page, lesson):
    T, place = lesson.T, page.place[:2]
    page.click(page.find("#pairs .grid"), (T, T), (3, 2))
    for key, loss, state in [
        ("Shift+ArrowRight", 4, 4),
        ("Shift+ArrowRight", 4, 4),  # there is no state after the loss
        ("Shift+ArrowDown", 5, 4),
        ("Shift+ArrowLeft", 5, 3),
        ("Shift+ArrowUp", 4, 3),
        ("Shift+ArrowUp", 3, 3),
        ("Shift+ArrowUp", 2, 2),  # the state moves along
    ]:
        page.press(key)
        assert page.place == (*place, loss, state)
    page.press(*["Shift+ArrowLeft"] * 3)
    assert page.place[2:] == (2, 1)
    page.press(*["Shift+ArrowUp"] * 2)
    assert page.place[2:] == (1, 1)
    page.press(*["Shift+ArrowDown"] * (T + 1))
    assert page.place == (*place, T, 1)


def test_escape_hides_the_tooltip(page, lesson):
    strip = page.find('[data-step="2"] .strip')
    for leave in (lambda: page.press("Escape"), lambda: page.tab.mouse.move(5, 5)):
        assert page.hover(strip, (lesson.H, 1), (3, 0))[0].startswith("h_3[3] = ")
        leave()
        assert page.tooltip is None


def has_focus(element):
    return element.evaluate("(element) => element === document.activeElement")


def test_what_has_the_focus_keeps_it(page):
    page.choose(epoch=4, step=4)
    static = ["#next", "#theme", "#epoch", "#network", "#same-scale", "#path"]
    drawn = [
        '#tabs [data-parameter="fc.bias"]',
        "#sums button >> nth=3",
        "#norms .bar >> nth=4",
        "[data-label=L2] summary",
    ]
    for selector in static + drawn:
        page.find(selector).focus()
        page.press("ArrowUp", "ArrowRight")
        assert has_focus(page.find(selector)), selector
        page.choose(step=4)


def test_the_focus_follows_the_step(page):
    page.choose(step=3)
    page.find('[data-step="3"] .time').focus()
    page.press("ArrowRight")
    assert has_focus(page.find('[data-step="4"] .time'))


def test_the_last_bar_keeps_the_focus_when_there_are_fewer(page):
    page.choose(step=4)
    page.find("#pulls .bar").last.focus()
    page.press("ArrowRight")
    assert has_focus(page.find("#pulls .bar").last)


def test_what_is_open_stays_open(page):
    page.find("[data-label=L1] summary").click()
    page.press("ArrowRight", "ArrowUp")
    assert page.find("details[open]").count() == page.find("[data-label=L1] details[open]").count() == 1


def test_tab_reaches_every_control(page):
    controls = page.tab.evaluate("""() => {
      window.reached = new Set();
      document.addEventListener("focusin", (event) => reached.add(event.target));
      window.controls = [...document.querySelectorAll("button, input, summary, [tabindex]")]
        .filter((element) => element.checkVisibility());
      return controls.length;
    }""")
    assert controls > 50
    page.press(*["Tab"] * (controls + 1))
    missed = page.tab.evaluate("controls.filter((element) => !reached.has(element)).map((e) => e.outerHTML)")
    assert missed == []


def test_a_bar_is_chosen_by_key(page):
    page.find("#norms .bar").nth(7).focus()
    page.press("Enter")
    assert page.place[1] == 8
    assert page.tooltip is None
    page.press("ArrowLeft")
    assert page.place[1] == 7


def test_the_slider(page, lesson):
    slider, epochs = page.find("#epoch"), lesson.epochs
    box = slider.bounding_box()
    page.tab.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    assert page.place[0] == epochs[-1]
    page.tab.mouse.move(box["x"] + box["width"] - 8, box["y"] + box["height"] / 2)
    page.tab.mouse.down()
    page.tab.mouse.move(box["x"] + 2, box["y"] + box["height"] / 2)
    page.tab.mouse.up()
    assert page.place[0] == epochs[0]
    step = page.place[1]
    slider.focus()
    for key, k in [("ArrowRight", 1), ("ArrowUp", 2), ("ArrowLeft", 1), ("End", len(epochs) - 1), ("Home", 0)]:
        page.press(key)
        assert page.place[:2] == (epochs[k], step)
        assert slider.get_attribute("aria-valuetext") == f"after update {epochs[k]}"
        assert page.text("#loss") == f"loss {lesson.traces[k].loss:.4f}"


def test_the_buttons_move_one_step(page, lesson):
    page.choose(step=0)
    page.find("#previous").click()
    assert page.place[1] == 1
    page.find("#next").click()
    page.find("#next").click()
    assert page.text("#step-name") == f"step 3 of {lesson.T}: {lesson.reads[2]} → {lesson.follows[2]}"


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
        for key in ("ArrowRight", "ArrowLeft"):
            for _ in range(lesson.T):
                page.press(key)
                column, network = page.find(".step.chosen").bounding_box(), page.find("#network").bounding_box()
                names = page.find(".names").bounding_box()
                assert names["x"] + names["width"] <= column["x"] + 1
                assert column["x"] + column["width"] <= network["x"] + network["width"] + 1
