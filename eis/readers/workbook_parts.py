"""What the XML files of an Excel workbook say: names of sheets, where they are, shared texts, cells.

Usage
    `eis.readers.workbook` tells each part of its elements and texts, one after the other.
Layout
    See `eis.readers.workbook`.
Units and sign
    None.
Uncertainty
    None.
Known variants
    Shared texts and texts in the cell; the spoken form of a text (``rPh``) is left out. Dates, times, and truth
    values are given as words.
Source of the facts
    ECMA-376 part 1, 18.2 to 18.4; for formats of dates 18.8.30 and 18.8.31.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

MOST_SHEETS = 2000
MOST_TEXTS = 200_000
MOST_COLUMNS = 256
MOST_STYLES = 100_000
NO_VALUE = "(formula without a value)"
_DATES = frozenset([*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)])
"""Numbers of the formats of dates and times that every program has."""
_QUOTED = re.compile(r'"[^"]*"|\\.|_.|\[[^\]]*\]')
"""What letters in a format stand for themselves, and colours, languages and conditions."""
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_TRUTH = {"0": "FALSE", "1": "TRUE"}


@dataclass
class Sheet:
    """One sheet.

    Parameters
    ----------
    name : str
        Its name.
    hidden : bool
        Whether the program does not show it.
    rows : dict of int to dict of int to str
        Text of each cell that holds something, by row and column (from 0).
    cut : bool
        Whether there are columns beyond `MOST_COLUMNS`, which were left out.
    """

    name: str
    hidden: bool = False
    rows: dict[int, dict[int, str]] = field(default_factory=dict)
    cut: bool = False


class RefusedError(Exception):
    """What a workbook may not hold; `eis.readers.workbook` turns it into a ReadError."""


class Part:
    """One XML file of a workbook: told of every element by its name without its namespace, and of texts."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""

    def text(self, data: str) -> None:
        """Some text stands in it."""

    def end(self, name: str) -> None:
        """It ends."""


class Book(Part):
    """The list of sheets, with the relation of each."""

    def __init__(self) -> None:
        self.sheets: list[tuple[Sheet, str]] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Take a sheet."""
        if name == "sheet":
            if len(self.sheets) >= MOST_SHEETS:
                raise RefusedError("too many sheets")
            relation = next((value for key, value in attributes.items() if key.endswith(":id")), "")
            hidden = attributes.get("state", "visible") != "visible"
            self.sheets.append((Sheet(attributes.get("name", "")[:100], hidden), relation))


class Targets(Part):
    """Where each relation leads inside the workbook."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Take a relation."""
        if name == "Relationship" and attributes.get("TargetMode") != "External":
            self.found[attributes.get("Id", "")] = attributes.get("Target", "")


class Texts(Part):
    """The shared texts."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.parts: list[str] = []
        self.inside = False
        self.spoken = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Begin a text."""
        if name == "si":
            self.parts = []
            if len(self.found) >= MOST_TEXTS:
                raise RefusedError(f"more than {MOST_TEXTS} texts")
        elif name == "rPh":
            self.spoken = True
        self.inside = name == "t" and not self.spoken

    def text(self, data: str) -> None:
        """Take a part of it."""
        if self.inside:
            self.parts.append(data)

    def end(self, name: str) -> None:
        """Keep it."""
        self.inside = False
        if name == "si":
            self.found.append("".join(self.parts))
        elif name == "rPh":
            self.spoken = False


class Styles(Part):
    """Which of the styles that cells refer to show a number as a date or a time."""

    def __init__(self) -> None:
        self.dates: set[str] = set()
        self.own: set[str] = set()
        self.inside = False
        self.count = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Take a format, or a style of cells."""
        if name == "cellXfs":
            self.inside = True
        elif name == "numFmt" and is_date_format(attributes.get("formatCode", "")):
            self.own.add(attributes.get("numFmtId", ""))
        elif name == "xf" and self.inside:
            if self.count >= MOST_STYLES:
                raise RefusedError(f"more than {MOST_STYLES} styles")
            number = attributes.get("numFmtId", "")
            if number in self.own or (number.isdecimal() and len(number) < 4 and int(number) in _DATES):
                self.dates.add(str(self.count))
            self.count += 1

    def end(self, name: str) -> None:
        """End the styles of cells."""
        self.inside = self.inside and name != "cellXfs"


def is_date_format(code: str) -> bool:
    """Whether a format shows a date or a time: it has one of their letters outside of quotes and brackets."""
    code = code[:1000]
    plain = _QUOTED.sub("", code).lower().replace("general", "")
    return bool(_ELAPSED.search(code)) or any(letter in plain for letter in "dmyhs")


class Cells(Part):
    """The cells of a sheet, as many as `budget` allows; `dates` are the styles that show dates."""

    def __init__(self, sheet: Sheet, texts: list[str], dates: Set[str], budget: int) -> None:
        self.sheet, self.texts, self.dates, self.budget = sheet, texts, dates, budget
        self.row = self.column = -1
        self.kind, self.is_date = "n", False
        self.parts: list[str] = []
        self.inside = self.formula = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Begin a row or a cell."""
        self.inside = name in ("v", "t")
        if name == "c":
            place = attributes.get("r", "")
            column = _column(place)
            self.column = self.column + 1 if column is None else column
            self.kind = attributes.get("t", "n")
            self.is_date = self.kind == "n" and attributes.get("s", "") in self.dates
            self.parts, self.formula = [], False
        elif name == "f":
            self.formula = True
        elif name == "row":
            number = attributes.get("r", "")
            self.row = int(number) - 1 if number.isdecimal() and len(number) < 9 else self.row + 1
            self.column = -1

    def text(self, data: str) -> None:
        """Take a part of its value."""
        if self.inside:
            self.parts.append(data)

    def end(self, name: str) -> None:
        """Keep the cell."""
        self.inside = False
        if name != "c":
            return
        said = "".join(self.parts)
        if self.kind == "s" and said.strip().isdecimal() and len(said) < 9:
            number = int(said)
            if number >= len(self.texts):
                raise RefusedError(f"text {number} of {len(self.texts)} is asked for")
            said = self.texts[number]
        elif self.kind == "b":
            said = _TRUTH.get(said.strip(), said)
        elif self.is_date and said.strip():
            said = f"(a date or a time, day {said.strip()[:20]})"
        said = said.strip() or (NO_VALUE if self.formula else "")
        if not said:
            return
        if not 0 <= self.column < MOST_COLUMNS:
            self.sheet.cut = True
            return
        self.budget -= 1
        if self.budget < 0:
            raise RefusedError("more cells than are read")
        self.sheet.rows.setdefault(self.row, {})[self.column] = said


def _column(place: str) -> int | None:
    """Return the column of a cell's place, ``A1`` → 0; None if it is not one."""
    letters = place.rstrip("0123456789")
    if not letters or len(letters) > 3 or not letters.isascii() or not letters.isalpha() or letters == place:
        return None
    number = 0
    for letter in letters.upper():
        number = 26 * number + ord(letter) - 64
    return number - 1
