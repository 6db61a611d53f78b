"""Excel workbooks (`.xlsx`): every sheet that is a table of impedance.

Usage
    ``eis.read_all("cells.xlsx")``; ``eis.read`` if one sheet holds one spectrum.
Layout
    A sheet as `eis.readers.table_layout` expects a table; empty rows, and empty columns to the left, do not
    matter. See `eis.readers.workbook` for the file around it.
Units and sign
    As in `eis.readers.table_columns`.
Uncertainty
    None is stored.
Known variants
    Older and other formats (`.xls`, `.xlsb`, `.ods`) are refused by name. Formulas are not computed: the value
    stored with them is read.
Source of the facts
    ECMA-376; OpenDocument 1.3 part 2 (the entry ``mimetype``).
"""

from __future__ import annotations

from collections.abc import Callable

from eis.errors import ReadError
from eis.readers.cells import Grid, shorten
from eis.readers.columns import ColumnMap, applied
from eis.readers.headings import Heading
from eis.readers.marks import Mark
from eis.readers.source import Notes, Source
from eis.readers.table import without_headings
from eis.readers.table_columns import spectra_of
from eis.readers.table_coordinates import counted, notes_above
from eis.readers.table_layout import Layout, is_value, locate
from eis.readers.workbook import sheets
from eis.readers.workbook_parts import MOST_COLUMNS, Sheet
from eis.spectrum import Spectrum

NAME: str = "Excel workbook"
SUFFIXES: tuple[str, ...] = (".xlsx", ".xlsm")

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OPEN_DOCUMENT = b"mimetypeapplication/vnd.oasis.opendocument."
_OLD_BOOK = "Workbook".encode("utf-16-le")
_NEAR = 65536
"""How far from either end of the file the name of the workbook's main part is looked for."""
_SAVE = "Save it as .xlsx, or the sheet as .csv."
MARKS: tuple[Mark, ...] = (
    Mark("beginning of a ZIP file", begins=(_ZIP,)),
    Mark("part xl/workbook.xml", holds=(b"xl/workbook.xml", b"xl/worksheets/")),
)


def recognises(source: Source) -> bool:
    """Whether the file is a workbook: a ZIP file with its parts, an OpenDocument, or Excel's older format."""
    return _kind(source.raw) is not None


def read(source: Source) -> list[Spectrum]:
    """Read the spectra of all sheets that are tables of impedance.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    list of Spectrum
        With ``sheet`` in the metadata.

    Raises
    ------
    ReadError
        If the file is not safe or not sound, no sheet is a table of impedance, or one that is has a fault.
    """
    return _read(source, _table)


def read_mapped(source: Source, columns: ColumnMap) -> list[Spectrum]:
    """Read the spectra of the sheets that have the columns the user has named.

    Parameters
    ----------
    source : Source
        The file.
    columns : ColumnMap
        Which column holds what; see `eis.readers.columns.parse`.

    Returns
    -------
    list of Spectrum
        As `read` returns them.

    Raises
    ------
    ReadError
        As `read`; or if no sheet has the columns.
    """

    def table(rows: list[list[str]]) -> Layout | None:
        above: list[str] = []
        for number, cells in enumerate(rows):
            found = applied(columns, cells, above, is_value) if any(cells) else None
            if found is not None:
                headings, is_row = found
                return Layout(headings, number, number if is_row else number + 1, [])
            above = cells if any(cells) else above
        return None

    return _read(source, table)


def _read(source: Source, find: Callable[[list[list[str]]], Layout | None]) -> list[Spectrum]:
    kind = _kind(source.raw)
    if kind != "workbook":
        raise source.fail(f"This is {kind}, which is not read", mend=_SAVE)
    found = sheets(source)
    made: list[Spectrum] = []
    others = []
    for sheet in found:
        rows = _rows(sheet)
        layout = find(rows) if rows else None
        if layout is None:
            others.append(sheet.name)
        else:
            made += _of_sheet(source, sheet, rows, layout)
    if not made:
        names = ", ".join(sheet.name for sheet in found) or "none"
        raise source.fail(
            f"No sheet is a table of impedance; the sheets are {shorten(names, 200)}",
            mend="Name the columns in a first line, e.g. frequency_hz,z_real_ohm,z_imag_ohm.",
        )
    if others:
        said = f"Sheets without a table of impedance: {shorten(', '.join(others), 200)}."
        made = [one.with_metadata(dropped=[*one.metadata["dropped"], said]) for one in made]
    return counted(made)


def _kind(raw: bytes) -> str | None:
    if raw.startswith(_OLE):
        return "a workbook of Excel before 2007 (.xls)" if _OLD_BOOK in raw else None
    if not raw.startswith(_ZIP):
        return None
    if raw[30:].startswith(_OPEN_DOCUMENT):
        return "an OpenDocument file (.ods)"
    ends = raw[:_NEAR], raw[-_NEAR:]
    if any(b"xl/workbook.bin" in end for end in ends):
        return "a binary workbook (.xlsb)"
    return "workbook" if any(b"xl/workbook.xml" in end or b"xl/worksheets/" in end for end in ends) else None


def _rows(sheet: Sheet) -> list[list[str]]:
    """Return the rows of a sheet from its first, without the empty columns to the left."""
    if not sheet.rows:
        return []
    first = min(column for cells in sheet.rows.values() for column in cells)
    rows = []
    for number in sorted(sheet.rows):
        cells = sheet.rows[number]
        rows.append([cells.get(column, "") for column in range(first, max(cells) + 1)])
    return rows


def _table(rows: list[list[str]]) -> Layout | None:
    return locate(lambda number: rows[number], [" ".join(row) for row in rows[:200]])


def _of_sheet(source: Source, sheet: Sheet, rows: list[list[str]], layout: Layout) -> list[Spectrum]:
    try:
        return _spectra(source, sheet, rows, layout)
    except ReadError as error:
        what = f"In the sheet {shorten(sheet.name)}, row {error.line}: {error.what}"
        raise source.fail(what, line=error.line, mend=error.mend) from error


def _spectra(source: Source, sheet: Sheet, rows: list[list[str]], layout: Layout) -> list[Spectrum]:
    """Return the spectra of a sheet; a row that repeats the headings begins another table."""
    numbers = sorted(sheet.rows)
    heading = rows[layout.line]
    starts = [layout.line]
    if layout.headings and layout.first > layout.line:
        starts += [n for n in range(layout.first, len(rows)) if rows[n] == heading]
    made: list[Spectrum] = []
    for place, (start, end) in enumerate(zip(starts, [*starts[1:], len(rows)], strict=True)):
        notes = Notes()
        if sheet.hidden:
            notes.warnings.append(f"The sheet {shorten(sheet.name)} is hidden.")
        if sheet.cut:
            notes.dropped.append(f"The columns of the sheet {shorten(sheet.name)} beyond the {MOST_COLUMNS}th.")
        notes_above(notes, [", ".join(row) for row in rows[: layout.line]], layout.above)
        headings = layout.headings or [Heading(f"column {n + 1}") for n in range(len(rows[layout.first]))]
        needed = [n for n, one in enumerate(headings) if one.quantity not in (None, "lumped")] or range(
            len(headings)
        )
        first, last = start + layout.first - layout.line, end
        while end < len(rows) and last > first and not any(map(is_value, rows[last - 1])):
            last -= 1  # the title of the table below
        taken = [n for n in range(first, last) if any(place < len(rows[n]) and rows[n][place] for place in needed)]
        if not taken:
            raise source.fail(
                f"The table of the sheet {shorten(sheet.name)} has no rows",
                line=numbers[start] + 1,
                mend="Fill it, or delete its headings.",
            )
        width = len(headings)
        cells = [(rows[n] + [""] * width)[:width] for n in taken]
        grid = Grid(source, notes, tuple(one.text for one in headings), cells, [numbers[n] + 1 for n in taken])
        if layout.headings:
            found = spectra_of(grid, headings, numbers[start], NAME)
        else:
            found = without_headings(grid, numbers[layout.first])
        more = {"sheet": sheet.name, "format": NAME} | ({"table": place + 1} if len(starts) > 1 else {})
        made += [one.with_metadata(**more) for one in found]
    return made
