"""How much is drawn: few schedules, seeds and kills every day, many where ``EIS_THOROUGH=1`` is set."""

from __future__ import annotations

import os

THOROUGH = os.environ.get("EIS_THOROUGH", "0") not in ("", "0")


def number(everyday: int, *, thorough: int) -> int:
    """Return how many are to be drawn; of a sequence the everyday ones come first, so that both are the same."""
    return thorough if THOROUGH else everyday
