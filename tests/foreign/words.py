"""What an explanation should say: regular expressions, joined by " & ", which must all be found in it."""

from __future__ import annotations

__all__ = [
    *("AXIS", "DERIVATIVE", "FACTOR", "FLIPPED", "OVERWRITTEN", "RELU", "REVERSED", "SIGN", "STEP", "SWAPPED"),
    *("TRANSPOSED", "carried", "instead", "lacks"),
]

SIGN = "sign|negati|minus|-1"
TRANSPOSED = "transpos"
OVERWRITTEN = r"overwrit|overwrot|accumulat|\+=|add\.at|only the (last|first)"
DERIVATIVE = "derivative|tanh|sigm|logistic|exp|activation|1 - "  # that of an activation function
RELU = "relu|maximum|mask|> 0|where"
STEP = "step|t [-+] 1|wrap|before|previous|next|after"
SWAPPED = "order|block|exchanged|swapped|place|instead"
REVERSED = "order|revers|backwards|forwards|step|flip"
FLIPPED = "flip|revers|order|rotat"
FACTOR = "factor|1 ?/|times|half|twice|mean|average|scal|divi"
AXIS = "axis|axes|sum|broadcast"


def lacks(names):
    """Something is missing, and it is one of `names`, which are joined by "|"."""
    return rf"missing|lack|without|forg[eo]t|omit|left out|dropped|not added|never & \b(?:{names})\b"


def carried(name):
    """The gradient that the step after sends to the state `name` is missing."""
    return lacks(rf"d?(?:prev_|next_)?{name}(?:_?prev|_?next)?t?|next step|step after|steps?")


def instead(names):
    """Something else is used where one of `names` belongs."""
    return rf"instead|in place of|rather|should|belongs|exchanged|swapped|confus|lack|missing & \b(?:{names})\b"
