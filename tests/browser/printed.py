"""Numbers as the page prints them; test_printed.py compares this with the page's own `number`."""

from decimal import ROUND_HALF_UP, Context

FIVE_DIGITS = Context(prec=5, rounding=ROUND_HALF_UP)  # JavaScript rounds halves away from zero


def printed(x):
    """Return five digits, with an exponent outside [0.001, 100000)."""
    if x == 0:
        return "0"
    rounded = FIVE_DIGITS.create_decimal_from_float(float(x))
    if abs(x) >= 1e-3 and abs(rounded) < 100000:
        return f"{rounded:.{4 - rounded.adjusted()}f}"
    return f"{rounded:.4e}"


def term(x):
    """Return what follows an operator: negative numbers are in brackets."""
    return f"({printed(x)})" if x < 0 else printed(x)
