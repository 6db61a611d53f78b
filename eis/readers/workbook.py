"""The parts of an Excel workbook (.xlsx) that hold its cells, taken out without trusting any of it.

Usage
    `sheets` returns the cells of every sheet as text.
Layout
    A ZIP file with ``xl/workbook.xml`` (names of the sheets), its relations, ``xl/sharedStrings.xml``,
    ``xl/styles.xml`` and one XML file a sheet (Office Open XML, transitional or strict).
Units and sign
    None.
Uncertainty
    None.
Known variants
    Texts in the cell or shared; formulas: the value that was stored with them is taken, nothing is computed. What
    the program took for a date (``3.12`` in many countries) is stored as a count of days, and is no number here.
Source of the facts
    ECMA-376 part 1 (SpreadsheetML) and part 2 (packages); PKWARE's ZIP application note.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from xml.parsers import expat

from eis.readers.cells import shorten
from eis.readers.source import Source
from eis.readers.workbook_parts import Book, Cells, Part, RefusedError, Sheet, Styles, Targets, Texts

MOST_ENTRIES = 2000
MOST_BYTES = 64 * 1024 * 1024
"""Sum of the sizes the entries declare; more is refused before anything is unpacked."""
MOST_RATIO = 200
SMALL = 1024 * 1024
"""An entry no larger than this may be packed to any ratio."""
MOST_CELLS = 400_000
MOST_DEPTH = 40

_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x07"
_SAVE = "Open it in a spreadsheet program and save it again as .xlsx, or the sheet as .csv."
_ERRORS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, LookupError, RuntimeError, struct.error)


def sheets(source: Source) -> list[Sheet]:
    """Return the sheets of a workbook.

    Parameters
    ----------
    source : Source
        The file.

    Returns
    -------
    list of Sheet
        In the order of the workbook.

    Raises
    ------
    ReadError
        If the file is damaged, larger than it may be, or holds what no workbook needs (document types, entities,
        names that lead out of it).
    """
    _check_end(source)
    try:
        with zipfile.ZipFile(io.BytesIO(source.raw)) as package:
            entries = _entries(source, package)
            return _sheets(source, package, entries)
    except _ERRORS as error:
        raise source.fail(f"The workbook is damaged: {shorten(str(error))[1:-1]}", mend=_SAVE) from error


def _check_end(source: Source) -> None:
    """Check what the end of the file says of its directory, before any of it is read."""
    raw = source.raw
    at = raw.rfind(_END, max(0, len(raw) - 65557))
    if at < 0 or len(raw) < at + 22:
        raise source.fail("The workbook is cut: it has no directory at its end", mend="Copy the file again.")
    count, size = struct.unpack_from("<10xHI", raw, at)
    if count > MOST_ENTRIES or size > MOST_ENTRIES * 300 or raw[at - 20 : at - 16] == _END_64:
        raise source.fail(f"The workbook declares {count} files in itself, more than {MOST_ENTRIES}", mend=_SAVE)


def _entries(source: Source, package: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    entries: dict[str, zipfile.ZipInfo] = {}
    infos = package.infolist()
    total = sum(info.file_size for info in infos)
    if len(infos) > MOST_ENTRIES or total > MOST_BYTES:
        raise source.fail(
            f"The workbook declares {total} bytes in {len(infos)} files; no more than {MOST_BYTES // 1024**2} MiB "
            "are read",
            mend="Save the sheet with the spectra alone, as .xlsx or .csv.",
        )
    for info in infos:
        name = info.filename
        parts = name.split("/")
        if name.startswith("/") or ".." in parts or "\\" in name or ":" in name or "\\" in info.orig_filename:
            raise source.fail(
                f"The workbook holds a file called {shorten(name)}, which leads out of it", mend=_SAVE
            )
        if name in entries:
            raise source.fail(f"The workbook holds {shorten(name)} twice", mend=_SAVE)
        if info.file_size > SMALL and info.file_size > MOST_RATIO * max(info.compress_size, 1):
            raise source.fail(
                f"{shorten(name)} declares {info.file_size} bytes in {info.compress_size}, more than {MOST_RATIO} "
                "times what there is",
                mend=_SAVE,
            )
        entries[name] = info
    return entries


def _sheets(source: Source, package: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo]) -> list[Sheet]:
    book = Book()
    _parse(source, package, entries, "xl/workbook.xml", book)
    targets = Targets()
    _parse(source, package, entries, "xl/_rels/workbook.xml.rels", targets)
    texts = Texts()
    if "xl/sharedStrings.xml" in entries:
        _parse(source, package, entries, "xl/sharedStrings.xml", texts)
    styles = Styles()
    if "xl/styles.xml" in entries:
        _parse(source, package, entries, "xl/styles.xml", styles)
    found = []
    budget = MOST_CELLS
    for sheet, relation in book.sheets:
        target = targets.found.get(relation, "")
        name = target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
        if not target or "worksheets/" not in name:
            continue  # a sheet that is a chart
        cells = Cells(sheet, texts.found, styles.dates, budget)
        _parse(source, package, entries, name, cells)
        budget = cells.budget
        found.append(sheet)
    return found


def _parse(
    source: Source,
    package: zipfile.ZipFile,
    entries: Mapping[str, zipfile.ZipInfo],
    name: str,
    part: Part,
) -> None:
    """Tell a part of the workbook what its XML holds; document types and entities end it."""
    info = entries.get(name)
    if info is None:
        raise source.fail(f"The workbook lacks {shorten(name)}", mend=_SAVE)
    data = package.read(info)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    depth = 0

    def refuse(*_: object) -> int:
        raise RefusedError("a document type or an entity, which no workbook has")

    def start(element: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MOST_DEPTH:
            raise RefusedError(f"elements more than {MOST_DEPTH} deep")
        part.start(element.rpartition(":")[2], attributes)

    def end(element: str) -> None:
        nonlocal depth
        depth -= 1
        part.end(element.rpartition(":")[2])

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = part.text
    try:
        parser.Parse(data, True)
    except RefusedError as error:
        raise source.fail(f"{shorten(name)} of the workbook holds {error}", mend=_SAVE) from error
    except expat.ExpatError as error:
        raise source.fail(f"{shorten(name)} of the workbook is damaged: {error}", mend=_SAVE) from error
