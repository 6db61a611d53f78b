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
    Shared texts and texts in the cell; the spoken form of a text (``rPh``) is left out.
Source of the facts
    ECMA-376 part 1, 18.2 to 18.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MOST_SHEETS = 2000
MOST_TEXTS = 200_000
MOST_COLUMNS = 256
NO_VALUE = "(formula without a value)"


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


class Cells(Part):
    """The cells of a sheet, as many as `budget` allows."""

    def __init__(self, sheet: Sheet, texts: list[str], budget: int) -> None:
        self.sheet, self.texts, self.budget = sheet, texts, budget
        self.row = self.column = -1
        self.kind = "n"
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
