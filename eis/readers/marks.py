"""What formats are told by, so that a file nobody recognises can be said to be nearly one of them.

Usage
    Each reader lists its marks in ``MARKS``, the first one first; `nearest` compares a file with all of them. It
    is asked only when no reader recognises a file, and looks at no more than its two ends.
Layout
    None.
Units and sign
    None.
Uncertainty
    None: what is near is counted, and a guess.
Known variants
    A mark that was damaged, changed in case, or lost a few characters counts half.
Source of the facts
    None of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from eis.readers.source import HEAD, Source

MOST_NAMED = 3
_ALIKE = 0.6
"""Part of a beginning that has to be equal for it to be taken as damaged."""
_SHORTEST_HALF = 4
"""Halves of words shorter than this stand in any text."""
_DAMAGED, _SUFFIX, _KIND = 0.5, 0.25, 0.1
"""What a damaged mark counts, the right suffix, and that both or neither are binary; all marks together are 1."""

Form = str | bytes | re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing a format is told by: any of some forms.

    Parameters
    ----------
    said : str
        What it is, after the word "no": ``"line 'EC-Lab ASCII FILE' at the beginning"``.
    begins : tuple of str or bytes
        What the file may begin with, spaces and quotes aside.
    holds : tuple of str, bytes or pattern
        What may stand near its beginning; bytes also near its end.
    """

    said: str
    begins: tuple[str | bytes, ...] = ()
    holds: tuple[Form, ...] = ()


class Marked(Protocol):
    """What is asked of a reader."""

    NAME: str
    SUFFIXES: tuple[str, ...]
    MARKS: tuple[Mark, ...]


def nearest(source: Source, readers: Sequence[Marked]) -> list[str]:
    """Name the formats a file is nearest to, and say of each which marks it lacks.

    Parameters
    ----------
    source : Source
        A file no reader recognises.
    readers : sequence
        The formats.

    Returns
    -------
    list of str
        As many as `MOST_NAMED`, the nearest first, such as ``"Gamry DTA: no EXPLAIN at the beginning"``.
    """
    suffix = source.path.suffix.lower()
    is_binary = b"\0" in source.raw and not source.encoding.startswith("utf-16")
    ranked = []
    for place, reader in enumerate(readers):  # of equals the later, which asks for less, is nearer
        found = [_found(mark, source) for mark in reader.MARKS]
        score = sum(found) / len(found) + _SUFFIX * (suffix in reader.SUFFIXES)
        score += _KIND * (_is_binary(reader) == is_binary)
        lacking = [mark.said for mark, how in zip(reader.MARKS, found, strict=True) if how < 1]
        said = f"no {', no '.join(lacking)}" if lacking else "its words are there, but not where they belong"
        ranked.append((-score, -place, f"{reader.NAME}: {said}"))
    return [said for _, _, said in sorted(ranked)[:MOST_NAMED]]


def _is_binary(reader: Marked) -> bool:
    return any(isinstance(begin, bytes) for begin in reader.MARKS[0].begins)


def _found(mark: Mark, source: Source) -> float:
    """Return 1 if a mark is there, `_DAMAGED` if something like it is, else 0."""
    head, raw = source.head, source.raw
    ends = raw[:HEAD] + raw[-HEAD:]
    text = head[:200].lstrip('" \t\r\n')
    best = 0.0
    for begin in mark.begins:
        start = raw[:200] if isinstance(begin, bytes) else text
        whole = raw.startswith(begin) if isinstance(begin, bytes) else text.startswith(begin)
        same = sum(one == other for one, other in zip(start, begin, strict=False))
        best = max(best, 1.0 if whole else _DAMAGED if same >= _ALIKE * len(begin) else 0.0)
    for form in mark.holds:
        if isinstance(form, re.Pattern):
            best = max(best, 1.0 if form.search(head) else 0.0)
        elif isinstance(form, bytes):
            best = max(best, 1.0 if form in ends else 0.0)
        else:
            best = max(best, 1.0 if form in head else _DAMAGED if _half(form.lower(), head.lower()) else 0.0)
    return best


def _half(form: str, head: str) -> bool:
    """Whether one half of a word is there: that with the damage is not."""
    middle = len(form) // 2
    return middle >= _SHORTEST_HALF and (form[:middle] in head or form[middle:] in head)
