"""Workbooks, put together from their parts."""

from __future__ import annotations

import io
import zipfile
from xml.sax.saxutils import escape

import numpy as np

from tests.vendors import FREQUENCY, Written, cell

F = FREQUENCY
Z = cell(F)
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def column_name(number):
    return chr(65 + number)


def cell_xml(place, value, texts):
    if value is None:
        return ""
    if isinstance(value, tuple):  # a formula and the value stored with it
        return f'<c r="{place}"><f>{escape(value[0])}</f><v>{value[1]!r}</v></c>'
    if not isinstance(value, str):
        return f'<c r="{place}"><v>{float(value)!r}</v></c>'
    if texts is None:
        return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    if value not in texts:
        texts.append(value)
    return f'<c r="{place}" t="s"><v>{texts.index(value)}</v></c>'


def workbook(sheets, shared=True, left=0, method=zipfile.ZIP_DEFLATED, more=()):
    """Write sheets, a mapping of names to rows of cells, as a workbook."""
    texts = [] if shared else None
    parts = {}
    for number, rows in enumerate(sheets.values(), 1):
        body = ""
        for at, row in enumerate(rows, 1):
            cells = (cell_xml(f"{column_name(n + left)}{at}", value, texts) for n, value in enumerate(row))
            body += f'<row r="{at}">{"".join(cells)}</row>'
        parts[f"xl/worksheets/sheet{number}.xml"] = (
            f'<worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData></worksheet>'
        )
    listed = "".join(
        f'<sheet name="{escape(name)}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(sheets, 1)
    )
    parts["xl/workbook.xml"] = f'<workbook xmlns="{MAIN}" xmlns:r="{RELATED}"><sheets>{listed}</sheets></workbook>'
    targets = "".join(
        f'<Relationship Id="rId{n}" Target="worksheets/sheet{n}.xml"/>' for n in range(1, len(sheets) + 1)
    )
    parts["xl/_rels/workbook.xml.rels"] = f"<Relationships>{targets}</Relationships>"
    if texts:
        items = "".join(f"<si><t>{escape(text)}</t></si>" for text in texts)
        parts["xl/sharedStrings.xml"] = f'<sst xmlns="{MAIN}">{items}</sst>'
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as package:
        for name, text in [*parts.items(), *more]:
            info = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
            info.compress_type = method
            package.writestr(
                info, text if isinstance(text, bytes) else '<?xml version="1.0" encoding="UTF-8"?>' + text
            )
    return file.getvalue()


def rows(head, *columns):
    return [head, *zip(*(np.asarray(c).tolist() for c in columns), strict=True)]


RECTANGULAR = rows(("f (Hz)", "Z' (Ohm)", "-Z'' (Ohm)"), F, Z.real, -Z.imag)
POLAR = rows(("Frequency (kHz)", "|Z| (mΩ)", "Phase (deg)"), F / 1e3, np.abs(Z) * 1e3, np.degrees(np.angle(Z)))
FORMULAS = [RECTANGULAR[0], *((f, ("A2*1", re), im) for f, re, im in RECTANGULAR[1:])]

FILES = {
    "one_sheet.xlsx": Written(
        workbook({"EIS": RECTANGULAR}), [(F, Z)], 1e-15, is_text=False, expected={"sheet": "EIS"}
    ),
    "several_sheets.xlsx": Written(
        workbook({"Notes": [("Cell", "7"), ("Area", 1.1)], "before": RECTANGULAR, "after": POLAR}),
        [(F, Z), (F, Z)],
        1e-14,
        is_text=False,
        expected={"sheet": "before", "cycle": 1},
    ),
    "formulas_inline_moved.xlsx": Written(
        workbook({"A & B": [(), ("Pouch cell",), (), *FORMULAS]}, shared=False, left=2, method=zipfile.ZIP_STORED),
        [(F, Z)],
        1e-15,
        is_text=False,
        expected={"sheet": "A & B"},
    ),
}
