"""All slips."""

from __future__ import annotations

from tests.foreign.feedforward import FEEDFORWARD
from tests.foreign.recurrent import RECURRENT

__all__ = ["SLIPS"]

SLIPS = [*RECURRENT, *FEEDFORWARD]
