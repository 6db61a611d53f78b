"""Exports of RelaxIS: what is refused, what is not believed, and the real one."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from eis.errors import ReadError
from eis.readers import relaxis
from eis.readers.source import Source, load
from tests.real_data import FOLDER, real_file
from tests.vendors.relaxis import ABOUT, NAMES, UNTRUSTED, rows, text

REAL = "hybrid-drt/PEIS_LPSCl_IonBlocking_-25C_RelaxIS.txt"


def read(content: bytes):
    return relaxis.read(Source("export.txt", Path("export.txt"), content))


def fault(content: bytes) -> ReadError:
    with pytest.raises(ReadError) as caught:
        read(content)
    return caught.value


def test_a_row_that_describes_the_spectrum_must_be_there():
    assert "row that describes the spectrum is missing" in fault(text(rows())).what
    assert "row that describes the spectrum is missing" in fault(text([])).what


def test_a_line_that_is_no_point_is_refused():
    error = fault(text([ABOUT, *rows()[:5], "oops\t1\t2\t3\t4", *rows()[5:]]))
    assert "found 'oops" in error.what
    assert error.line == 10


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["Data: Frequency", "Data: Y'", "Data: Y''", "Data: |Z|", "Data: Theta (Z)"], "real part of Z, found 0"),
        (["Data: Frequency", "Data: Z'", "Data: Z'", "Data: |Z|", "Data: Theta (Z)"], "real part of Z, found 2"),
        (
            ["Data: Frequency", "Data: Z'", "Model: Z''", "Data: |Z|", "Data: Theta (Z)"],
            "imaginary part of Z, found 0",
        ),
        (["Data: Frequency (rpm)", *NAMES[1:]], "unit of 'Frequency (rpm)'"),
    ],
)
def test_columns_that_do_not_tell_the_impedance_are_refused(names, said):
    assert said in fault(text([ABOUT, *rows()], names=names)).what


def test_magnitude_and_phase_show_that_a_number_was_changed():
    lines = rows()
    cells = lines[4].split("\t")
    lines[4] = "\t".join([cells[0], str(1.01 * float(cells[1])), *cells[2:]])
    said = "differs from what Z' and Z'' give, first in line 9: the file was edited or is damaged."
    warnings = read(text([ABOUT, *lines]))[0].metadata["warnings"]
    assert warnings == [f"The column |Z| {said}", f"The column Theta (Z) {said}"]


def test_a_turned_sign_is_turned_back():
    names = [name.replace("Z''", "-Z''") for name in NAMES]
    lines = [line.split("\t") for line in rows()]
    turned = ["\t".join([a, b, str(-float(c)), d, e]) for a, b, c, d, e in lines]
    straight = read(text([ABOUT, *rows()]))[0].z_ohm
    np.testing.assert_array_equal(read(text([ABOUT, *turned], names=names))[0].z_ohm, straight)


def test_what_describes_the_spectrum_is_kept_but_no_temperature_is_taken_from_it():
    (spectrum,) = read(text([ABOUT, *rows()]))
    assert spectrum.metadata["vendor"][UNTRUSTED] == ABOUT
    assert "temperature_c" not in spectrum.metadata
    assert "acquired" not in spectrum.metadata  # the date is that of the export


def test_the_real_file_gives_the_numbers_it_is_known_by():
    path = real_file(REAL)
    with (FOLDER / "CANONICAL.tsv").open(encoding="utf-8") as file:
        known = {row["path"]: row for row in csv.DictReader(file, delimiter="\t")}[REAL]
    (spectrum,) = relaxis.read(load(path))
    assert spectrum.all_frequency_hz.size == int(known["n"])
    last, first = spectrum.z_ohm[0], spectrum.z_ohm[-1]  # the file rises
    found = [spectrum.frequency_hz[-1], first.real, first.imag, spectrum.frequency_hz[0], last.real, last.imag]
    truth = [float(known[name]) for name in ("f_first", "re_first", "im_first", "f_last", "re_last", "im_last")]
    np.testing.assert_allclose(found, truth, rtol=1e-12)
    mean = np.log10(np.abs(spectrum.z_ohm)).mean()
    assert mean == pytest.approx(float(known["mean_log10_absZ"]), rel=1e-12)
    assert spectrum.metadata["warnings"] == []
