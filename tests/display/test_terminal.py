import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numpy_rnn as nr
from numpy_rnn.display.terminal import CLASSES, escape, legend

SGR = re.compile("\x1b\\[38;5;(\\d+)m(.*?)\x1b\\[0m", re.DOTALL)
# Everything a terminal may interpret as a command: C0 except newline and tab, DEL, and C1.
CONTROLS = "".join(map(chr, [*range(9), *range(11, 32), *range(127, 160)]))

any_text = st.text(st.characters() | st.sampled_from("\n\t\x1b\x9b\ud800"))
probabilities = st.floats(0, 1) | st.just(math.nan)


def coloured(shaded):
    """Return each visible character with the index of its colour, None without colour."""
    result, end = [], 0
    for match in SGR.finditer(shaded):
        result += [(character, None) for character in shaded[end : match.start()]]
        result += [(character, int(match[1])) for character in match[2]]
        end = match.end()
    return result + [(character, None) for character in shaded[end:]]


@given(any_text, st.data())
def test_every_character_has_the_colour_of_its_class(text, data):
    p = data.draw(st.lists(probabilities, min_size=len(text), max_size=len(text)))
    expected = []
    for character, p_c in zip(text, p, strict=True):
        colour = next((colour for bound, colour in CLASSES if p_c < bound), 27)
        plain = character == "\n" or math.isnan(p_c)
        expected += [(shown, None if plain else colour) for shown in escape(character)]
    assert coloured(nr.shade(text, p)) == expected


@given(any_text, st.floats(0, 1))
def test_nothing_but_colours_reaches_the_terminal(text, p):
    shaded = nr.shade(text, [p] * len(text))
    assert not set(SGR.sub("\\2", shaded)) & set(CONTROLS)
    shaded.encode("utf-8")
    for line in shaded.split("\n"):  # so lines can be cut or paged without leaving a colour on
        assert line.count("\x1b[38;5;") == line.count("\x1b[0m")
        assert not line or "\x1b" not in line or line.endswith("\x1b[0m")


def test_a_vocabulary_of_control_characters_controls_nothing():
    vocabulary = nr.Vocabulary("\x1b[2J]0;c\x07\x9b\r\x7f\x00\b")
    model = nr.CharRNN(len(vocabulary), rng=0)
    text, p = zip(*nr.stream(model, vocabulary, "\x1b[2J", 2000, temperature=5.0, rng=0), strict=True)
    assert set(text) == set(vocabulary.characters)
    shaded = nr.shade("".join(text), p)
    assert not set(SGR.sub("\\2", shaded)) & set(CONTROLS)
    assert "\\x1b" in shaded


def test_control_characters_and_surrogates_are_escaped():
    assert escape("a\x1b[31m\r\x9b\x00\x7fb") == "a\\x1b[31m\\r\\x9b\\x00\\x7fb"
    assert escape("\udc80 and \ud800") == "\\udc80 and \\ud800"
    untouched = "Zażółć\tgęślą\njaźń, 日本 \u3000 👩\u200d💻 'quotes' \"too\" \\ "
    assert escape(untouched) == untouched
    assert not set(escape(CONTROLS)) & set(CONTROLS)


def test_a_class_includes_its_lower_bound():
    colours = {p: coloured(nr.shade("a", [p]))[0][1] for p in (0, 0.0099, 0.01, 0.1, 0.3, 0.6, 0.8999, 0.9, 1)}
    assert list(colours.values()) == [196, 196, 166, 136, 65, 31, 31, 27, 27]
    assert nr.shade("a", [math.nan]) == "a"
    assert nr.shade("", []) == ""
    assert nr.shade("ab\nc", [0.95, 0.95, 0.95, 0.0]) == "\x1b[38;5;27mab\x1b[0m\n\x1b[38;5;196mc\x1b[0m"
    assert nr.shade("ab", np.array([0.5, 0.5], np.float32)) == "\x1b[38;5;65mab\x1b[0m"


def test_every_colour_is_readable_on_black_and_on_white():
    """A contrast of at least 3:1, as WCAG 2 (1.4.11) asks for."""
    for _, colour in CLASSES:
        levels = np.array([0, 95, 135, 175, 215, 255]) / 255  # the 6 x 6 x 6 colour cube starts at index 16
        rgb = levels[[(colour - 16) // 36, (colour - 16) // 6 % 6, (colour - 16) % 6]]
        luminance = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
        assert (luminance + 0.05) / 0.05 >= 3
        assert 1.05 / (luminance + 0.05) >= 3


def test_the_legend_shows_each_class_in_its_colour():
    assert SGR.findall(legend()) == [
        ("196", "0-0.01"),
        ("166", "0.01-0.1"),
        ("136", "0.1-0.3"),
        ("65", "0.3-0.6"),
        ("31", "0.6-0.9"),
        ("27", "0.9-1"),
    ]
    assert "\n" not in legend()


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="probabilities has length 1, expected one per character = 2"):
        nr.shade("ab", [0.5])
    for bad in (-0.1, 1.5, math.inf):
        with pytest.raises(ValueError, match=rf"probabilities must be in \[0, 1\], got {bad} at position 1"):
            nr.shade("ab", [0.5, bad])
