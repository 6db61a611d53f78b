"""What a row of names or a line of a header means is worked out once: one program writes the same in each file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

Understood = TypeVar("Understood")

MOST_ROWS = 64
MOST_NAMES, MOST_CHARACTERS = 100, 2000
"""Rows longer than any program's are understood anew each time, so that no file can fill the memory."""
MOST_LINES, LONGEST_LINE = 4096, 200
"""The same of lines."""


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


def remembered_lines(understand: Callable[[str], Understood]) -> Callable[[Sequence[str]], list[Understood]]:
    """Return a function of lines that asks `understand` only for those it does not remember.

    Parameters
    ----------
    understand : callable
        From a line to what it means; depends on nothing else, and nobody changes what it returns.
    """
    known = lru_cache(maxsize=MOST_LINES)(understand)

    def meanings(lines: Sequence[str]) -> list[Understood]:
        if max(map(len, lines), default=0) <= LONGEST_LINE:
            return list(map(known, lines))
        return [known(line) if len(line) <= LONGEST_LINE else understand(line) for line in lines]

    return meanings
