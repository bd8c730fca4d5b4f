"""Text for a terminal: characters coloured by their probability, and what cannot be printed made visible."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Iterable
from itertools import groupby, pairwise
from unicodedata import category

__all__ = ["count", "escape", "legend", "quote", "shade", "visible"]

# From surprising (red) to expected (blue): (upper bound of the probability, index into the terminal's 256 colours).
# Each has a contrast of at least 3:1 on black and on white.
CLASSES = ((0.01, 196), (0.1, 166), (0.3, 136), (0.6, 65), (0.9, 31), (1.0, 27))

SIGNS = {" ": "␣", "\n": "↵", "\t": "⇥", "\x7f": "␡", "\xa0": "⍽"}


def shade(text: str, probabilities: Iterable[float]) -> str:
    """Return `text` with each character coloured by its probability, for a terminal with 256 colours.

    Each run of one colour ends with a reset and no run spans a newline, so the result can be split into lines, paged
    and printed line by line. Control characters are escaped, see `escape`.

    `probabilities` has one number in [0, 1] per character, as `stream` yields them; nan leaves it without colour.
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
    """Return one line that shows which probabilities each colour of `shade` stands for."""
    bounds = [0.0, *(bound for bound, _ in CLASSES)]
    ranges = [f"{low:g}-{high:g}" for low, high in pairwise(bounds)]
    return "probability: " + " ".join(_paint(r, colour) for r, (_, colour) in zip(ranges, CLASSES, strict=True))


def escape(text: str) -> str:
    r"""Return `text` with control characters and lone surrogates written as in Python, such as \x1b for ESC.

    Newline and tab are kept. All other control characters could move the cursor, change colours or set the terminal's
    title. Lone surrogates cannot be encoded as UTF-8.
    """
    return "".join(
        repr(character)[1:-1] if character not in "\n\t" and category(character) in ("Cc", "Cs") else character
        for character in text
    )


def quote(name: str) -> str:
    r"""Return a file name as one writes it in a shell, with control characters as in $'\x1b'."""
    name = f"./{name}" if name.startswith("-") else name  # or it would be an option
    if name.isprintable():
        return shlex.quote(name)
    plain = ((c, c.isprintable() and c not in "\\'") for c in name)
    return "$'" + "".join(c if ok else "".join(f"\\x{b:02x}" for b in os.fsencode(c)) for c, ok in plain) + "'"


def count(number: int, noun: str) -> str:
    """Return a number with its noun: 1 step, 1,200 steps."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _colour(p: float) -> int | None:
    """Return the colour of the class [low, high) that p falls in; the last one includes 1. None for nan."""
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
