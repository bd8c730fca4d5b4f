"""Shading: text for a terminal, each character in a colour that says how probable it was."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import groupby, pairwise
from unicodedata import category

__all__ = ["escape", "legend", "shade", "visible"]

# From surprising to expected, red to blue: (upper bound of the probability, number among a terminal's 256 colours).
# Each has a contrast of at least 3 to 1 with black and with white.
CLASSES = ((0.01, 196), (0.1, 166), (0.3, 136), (0.6, 65), (0.9, 31), (1.0, 27))

SIGNS = {" ": "␣", "\n": "↵", "\t": "⇥", "\x7f": "␡", "\xa0": "⍽"}


def shade(text: str, probabilities: Iterable[float]) -> str:
    """Return `text` with each character in the colour of its probability, for a terminal of 256 colours.

    Every run of one colour ends with a reset and none goes across a newline, so that lines may be cut, paged and
    printed one by one. What could control the terminal, or could not be printed, is made visible: see `escape`.

    Parameters
    ----------
    text : str
    probabilities : iterable of float
        One for each character, in [0, 1], as `stream` yields them; nan leaves the character as it is.

    Returns
    -------
    str
    """
    probabilities = [float(p) for p in probabilities]
    if len(probabilities) != len(text):
        raise ValueError(f"probabilities has length {len(probabilities)}, expected one per character = {len(text)}")
    for position, p in enumerate(probabilities):
        if not (0 <= p <= 1 or math.isnan(p)):
            raise ValueError(f"probabilities must be in [0, 1], got {p} at position {position}")
    colours = [None if character == "\n" else _colour(p) for character, p in zip(text, probabilities, strict=True)]
    runs = groupby(zip(text, colours, strict=True), key=lambda pair: pair[1])
    return "".join(_paint(escape("".join(character for character, _ in run)), colour) for colour, run in runs)


def legend() -> str:
    """Return one line that shows what each colour of `shade` stands for."""
    bounds = [0.0, *(bound for bound, _ in CLASSES)]
    ranges = [f"{low:g}-{high:g}" for low, high in pairwise(bounds)]
    return "probability: " + " ".join(_paint(r, colour) for r, (_, colour) in zip(ranges, CLASSES, strict=True))


def escape(text: str) -> str:
    r"""Return `text` with control characters and lone surrogates spelt as in Python, such as \x1b for ESC.

    Newline and tab stay. All others of C0 and C1 could move the cursor, change the colour or set the title of the
    terminal that prints them; a lone surrogate has no UTF-8.
    """
    return "".join(
        repr(character)[1:-1] if character not in "\n\t" and category(character) in ("Cc", "Cs") else character
        for character in text
    )


def _colour(p: float) -> int | None:
    """Return the colour of the class that p falls in, [low, high) but for the last, [low, 1]; None for nan."""
    if math.isnan(p):
        return None
    return next((colour for bound, colour in CLASSES if p < bound), CLASSES[-1][1])


def _paint(text: str, colour: int | None) -> str:
    return text if colour is None else f"\x1b[38;5;{colour}m{text}\x1b[0m"


def visible(character: str) -> str:
    """Return a visible sign for a character: ␣ for a space, ↵ for a newline, and itself for one that is visible."""
    if character in SIGNS:
        return SIGNS[character]
    if ord(character) < 32:
        return chr(0x2400 + ord(character))  # Unicode's control pictures
    return "\ufffd" if category(character)[0] in "CMZ" else character
