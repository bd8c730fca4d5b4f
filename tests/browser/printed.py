"""Numbers as the page prints them; test_printed.py compares this with the page's own `number`."""

from decimal import ROUND_HALF_UP, Context

FOUR_DIGITS = Context(prec=4, rounding=ROUND_HALF_UP)  # JavaScript rounds halves away from zero


def printed(x):
    """Return four digits, with an exponent outside [0.001, 10000)."""
    if x == 0:
        return "0"
    rounded = FOUR_DIGITS.create_decimal_from_float(float(x))
    if abs(x) >= 1e-3 and abs(rounded) < 10000:
        return f"{rounded:.{3 - rounded.adjusted()}f}"
    return f"{rounded:.3e}"


def term(x):
    """Return what follows an operator: negative numbers are in brackets."""
    return f"({printed(x)})" if x < 0 else printed(x)
