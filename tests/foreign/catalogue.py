"""All slips: 197 in 19 layers."""

from __future__ import annotations

from tests.foreign.feedforward import FEEDFORWARD
from tests.foreign.recurrent import RECURRENT

__all__ = ["SLIPS"]

SLIPS = [*RECURRENT, *FEEDFORWARD]
