"""Text of EC-Lab and BT-Lab: what is refused, what is warned of, and which spectra one file holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eis.errors import ReadError
from eis.readers import ec_lab
from eis.readers.source import Source
from eis.spectrum import Quality
from tests.vendors import FREQUENCY
from tests.vendors.ec_lab import PEIS, electrodes, header, loops, one, several, text

ROWS = 29


def read(content: bytes):
    return ec_lab.read(Source("cell.mpt", Path("cell.mpt"), content))


def fault(content: bytes) -> ReadError:
    with pytest.raises(ReadError) as caught:
        read(content)
    return caught.value


def test_a_file_of_settings_is_refused_with_the_names_of_those_that_hold_data():
    error = fault(b"EC-LAB SETTING FILE\r\n\r\nNumber of linked techniques : 1\r\n")
    assert "settings" in error.what
    assert ".mpr or .mpt" in error.mend


def test_another_technique_is_named():
    content = text(header("Cyclic Voltammetry"), {"time/s": np.arange(3.0), "Ewe/V": np.arange(3.0)})
    error = fault(content)
    assert "'Cyclic Voltammetry'" in error.what
    assert error.line == 22


@pytest.mark.parametrize("unit", ["Ohm.cm2", "Ohm.cm²", "furlong"])
def test_an_impedance_in_another_unit_is_refused_by_its_name(unit):
    table = one()[0]
    renamed = {name.replace("Z)/Ohm", f"Z)/{unit}"): values for name, values in table.items() if "|" not in name}
    assert f"the unit of 'Re(Z)/{unit}' is not one of impedance" in fault(text(header(PEIS), renamed)).what


def test_a_frequency_in_another_unit_is_refused_by_its_name():
    table = one()[0]
    with_tone = {"freq/rpm": table["freq/Hz"], "Re(Z)/Ohm": table["Re(Z)/Ohm"], "-Im(Z)/Ohm": table["-Im(Z)/Ohm"]}
    assert "unit of 'freq/rpm'" in fault(text(header(PEIS), with_tone)).what


def test_units_are_converted():
    table, truth = one()
    scaled = {"freq/kHz": table["freq/Hz"] / 1e3, "Re(Z)/mOhm": table["Re(Z)/Ohm"] * 1e3}
    scaled["-Im(Z)/kOhm"] = table["-Im(Z)/Ohm"] / 1e3
    (spectrum,) = read(text(["EC-Lab ASCII FILE", "Nb header lines : 3"], scaled))
    np.testing.assert_allclose(spectrum.frequency_hz, FREQUENCY, rtol=1e-7)
    np.testing.assert_allclose(spectrum.z_ohm, truth[0][1], rtol=3e-7)


@pytest.mark.parametrize("comma", [False, True])
def test_a_file_without_rows_says_so(comma):
    empty = {name: values[:0] for name, values in one()[0].items()}
    assert "no data rows" in fault(text(header(PEIS), empty, comma=comma)).what


def test_a_modulus_that_contradicts_its_parts_is_warned_of_with_its_row():
    table = one()[0]
    table["|Z|/Ohm"][4] *= 1.01
    warnings = read(text(header(PEIS), table))[0].metadata["warnings"]
    assert "first in row 5" in warnings[0]


def test_names_that_were_exchanged_are_warned_of_by_the_phase():
    table = one()[0]
    assert read(text(header(PEIS), table))[0].metadata["warnings"] == []
    table["Re(Z)/Ohm"], table["-Im(Z)/Ohm"] = table["-Im(Z)/Ohm"], table["Re(Z)/Ohm"]  # |Z| is the same
    metadata = read(text(header(PEIS), table))[0].metadata
    assert "Phase(Z)/deg" in metadata["warnings"][0]
    assert "first in row 1" in metadata["warnings"][0]
    assert metadata["warnings"][0] in metadata["doubts"]


def test_one_cell_that_was_changed_is_no_doubt_of_the_others():
    table = one()[0]
    table["Phase(Z)/deg"][3] += 1
    metadata = read(text(header(PEIS), table))[0].metadata
    assert "1 of 29 rows" in metadata["warnings"][0]
    assert "doubts" not in metadata


def test_the_columns_of_one_electrode_are_no_doubt_of_another():
    pairs, _ = electrodes(["", "ce"])
    table = dict(pairs)
    names = ["Re(Zce)/Ohm", "-Im(Zce)/Ohm"]
    table[names[0]], table[names[1]] = table[names[1]], table[names[0]]
    we, ce = read(text(header(PEIS), table))
    assert "doubts" not in we.metadata
    assert "Phase(Zce)/deg" in ce.metadata["doubts"][0]


def test_a_sign_that_the_phase_contradicts_is_warned_of():
    table = one()[0]
    table["-Im(Z)/Ohm"] = -table["-Im(Z)/Ohm"]
    assert any("Phase(Z)/deg" in said for said in read(text(header(PEIS), table))[0].metadata["doubts"])


def test_a_phase_of_another_turn_is_the_same_phase():
    table = one()[0]
    table["Phase(Z)/deg"] = table["Phase(Z)/deg"] + 360.0
    assert read(text(header(PEIS), table))[0].metadata["warnings"] == []


def test_phases_of_more_than_a_whole_turn_are_refused_where_the_impedance_follows_from_them():
    table = {name: values for name, values in one()[0].items() if name not in ("Re(Z)/Ohm", "-Im(Z)/Ohm")}
    degrees = table.pop("Phase(Z)/deg")
    assert "more than a whole turn" in fault(text(header(PEIS), table | {"Phase(Z)/rad": degrees})).what


def test_a_conversion_of_units_is_noted():
    table = one()[0]
    scaled = {
        "freq/kHz": table["freq/Hz"] / 1e3,
        "Re(Z)/kOhm": table["Re(Z)/Ohm"] / 1e3,
        "-Im(Z)/kOhm": table["-Im(Z)/Ohm"] / 1e3,
    }
    converted = read(text(header(PEIS), scaled))[0].metadata["converted"]
    for name in scaled:
        assert any(said.startswith(f"{name} was converted to ") for said in converted)


def test_loops_that_overlap_are_not_used_and_that_is_said():
    columns, _ = several(2, {"cycle number": [1, 1]})
    wrong = ["Number of loops : 2", "Loop 0 from point number 0 to 28", "Loop 1 from point number 20 to 57", ""]
    found = read(text(header(PEIS, more=wrong), columns))
    assert len(found) == 2  # for the frequency starts over
    assert "loop" not in found[0].metadata
    assert "overlap" in found[0].metadata["warnings"][0]


def test_loops_that_count_other_rows_than_there_are_are_warned_of():
    columns, _ = several(2, {"cycle number": [1, 1]})
    found = read(text(header(PEIS, more=loops(3)), columns))
    assert [spectrum.metadata["loop"] for spectrum in found] == [0, 1]
    assert f"{3 * ROWS} points in 3 loops; there are {2 * ROWS}" in found[0].metadata["warnings"][0]


def test_one_loop_is_not_worth_a_word():
    (spectrum,) = read(text(header(PEIS, more=loops(1)), one()[0]))
    assert "loop" not in spectrum.metadata
    assert not any("Loop" in key for key in spectrum.metadata["vendor"])


def test_a_second_electrode_that_was_not_measured_does_not_cost_the_first():
    pairs, _ = electrodes(["", "ce"])
    nothing = [(name, 0 * values if "Zce" in name else values) for name, values in pairs]
    (spectrum,) = read(text(header(PEIS), nothing))
    assert "nothing was measured" in spectrum.metadata["dropped"][0]
    assert "electrode" not in spectrum.metadata
    content = text(header(PEIS), pairs).decode("cp1252").split("\n")
    cells = content[25].split("\t")
    cells[6] = "XXX"
    content[25] = "\t".join(cells)
    (spectrum,) = read("\n".join(content).encode("cp1252"))
    assert "-Im(Zce)/Ohm" in spectrum.metadata["dropped"][0]
    assert "'XXX'" in spectrum.metadata["dropped"][0]


def test_every_electrode_has_its_own_potential():
    pairs, _ = electrodes(["", "ce"])
    we, ce = read(text(header(PEIS), pairs))
    assert (we.columns["e_dc_v"] == 0.1).all()
    assert (ce.columns["e_dc_v"] == -0.2).all()
    np.testing.assert_allclose(we.columns["i_dc_a"], 3e-8)  # the first of the two columns of that name


def test_electrodes_and_cycles_are_told_apart_together():
    columns, _ = several(2, {"cycle number": [4, 5]})
    both = columns | {name.replace("Z", "Zce"): 2 * columns[name] for name in ("Re(Z)/Ohm", "-Im(Z)/Ohm")}
    found = read(text(header(PEIS), both))
    coordinates = [(one.metadata["electrode"], one.metadata["cycle"]) for one in found]
    assert coordinates == [("we", 4), ("we", 5), ("ce", 4), ("ce", 5)]
    np.testing.assert_allclose(found[3].z_ohm, 2 * found[1].z_ohm, rtol=2e-7)


def test_cycle_numbers_that_come_again_are_counted():
    columns, _ = several(4, {"cycle number": [1, 2, 1, 2]})
    assert [one.metadata["cycle"] for one in read(text(header(PEIS), columns))] == [1, 2, 3, 4]


def test_steps_and_cycles_are_both_kept():
    columns, _ = several(4, {"Ns": [0, 0, 1, 1], "cycle number": [1, 2, 1, 2]})
    found = read(text(header(PEIS), columns))
    coordinates = [(one.metadata["step"], one.metadata["cycle"]) for one in found]
    assert coordinates == [(0, 1), (0, 2), (1, 1), (1, 2)]


def test_the_error_mark_becomes_a_flag():
    table = one()[0]
    table["error"] = (np.arange(ROWS) == 3).astype(float)
    (spectrum,) = read(text(header(PEIS), table))
    assert list(np.flatnonzero(spectrum.quality)) == [3]
    assert spectrum.quality[3] == Quality.OVERLOAD_WARNING
    assert "1 row carries" in spectrum.metadata["warnings"][0]


@pytest.mark.parametrize("date", ["13/02/2024 10:02:46.125", "02/13/2024 10:02:46", "13.02.2024 10:02:46,125"])
def test_dates_are_kept_as_they_stand(date):
    content = text(header(PEIS), one()[0]).replace(b"13/02/2024 10:02:46.125", date.encode())
    assert read(content)[0].metadata["acquired"] == date


def test_the_numbers_do_not_depend_on_the_locale_or_the_generation():
    table = one()[0]
    plain = read(text(header(PEIS), table))[0]
    for other in (text(header(PEIS), table, comma=True, end="\r\n"), text([], table, comma=True)):
        np.testing.assert_array_equal(read(other)[0].z_ohm, plain.z_ohm)


@pytest.mark.parametrize("first", ["", "freq\tre\tim", "EC-Lab", "Frequency/Hz\tRe(Z)/Ohm", "freq/Hz,Re(Z)/Ohm"])
def test_files_of_others_are_not_claimed(first):
    assert not ec_lab.recognises(Source("a.txt", Path("a.txt"), f"{first}\n1\t2\n".encode()))
