"""What a row of names means is worked out once: a folder of files from one program has the same names in each."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

Understood = TypeVar("Understood")

MOST_ROWS = 64
MOST_NAMES, MOST_CHARACTERS = 100, 2000
"""Rows longer than any program's are understood anew each time, so that no file can fill the memory."""


def remembered(understand: Callable[[tuple[str, ...]], Understood]) -> Callable[[tuple[str, ...]], Understood]:
    """Return a function of a row of names that remembers what it returned for the latest ones.

    Parameters
    ----------
    understand : callable
        From names to what they mean; depends on nothing else, and nobody changes what it returns.
    """
    known = lru_cache(maxsize=MOST_ROWS)(understand)

    def meaning(names: tuple[str, ...]) -> Understood:
        usual = len(names) <= MOST_NAMES and len("".join(names)) <= MOST_CHARACTERS
        return known(names) if usual else understand(names)

    return meaning
