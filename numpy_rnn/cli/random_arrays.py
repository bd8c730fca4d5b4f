"""Random arrays from the command line: x=4,3 and its variants, each from a stream of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["SYNTAX", "draw"]

SYNTAX = "4,3 for normal random numbers, 4,3:10 for integers from 0 to 9, 4,3:-1:1 for real numbers between -1 and 1"
SALT = 0x6E756D70795F726E6E  # any number that is no seed of anybody's


def draw(option: str, texts: Sequence[str], seed: int) -> dict[str, Any]:
    """Return the arrays that the texts of one option describe, "NAME=SHAPE", by name.

    The numbers depend on the seed, the option and the name alone, so one more input changes no other. No
    `default_rng(n)` in the user's file returns the same numbers: a backward pass that confuses two equal arrays would
    pass the check.
    """
    arrays: dict[str, Any] = {}
    for text in texts:
        name, equals, rest = (part.strip() for part in text.partition("="))
        stream = np.random.SeedSequence([SALT, seed], spawn_key=tuple(f"{option} {name}".encode()))
        try:
            if not (name and equals):
                raise ValueError
            value = _draw(rest, np.random.default_rng(stream))
        except (ValueError, OverflowError):
            raise ValueError(f"{option} expects NAME=SHAPE, such as {name or 'x'}={SYNTAX}, got {text!r}") from None
        if name in arrays:
            raise ValueError(f"{option} {name} is given twice")
        arrays[name] = value
    return arrays


def _draw(text: str, rng: np.random.Generator) -> Any:
    lengths, *limits = text.split(":")
    shape = tuple(map(int, lengths.removesuffix(",").split(","))) if lengths else ()
    if not limits:
        return rng.standard_normal(shape)
    if len(limits) == 1:
        return rng.integers(int(limits[0]), size=shape)
    low, high = map(float, limits)
    return rng.uniform(low, high, shape)
