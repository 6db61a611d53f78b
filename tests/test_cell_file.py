"""Cell files, and numbers with units as people write them."""

import dataclasses

import pytest

from eis.cell_file import cell_of, load_cell
from eis.errors import ConfigError
from eis.spectrum import Cell
from eis.units import read_quantity


def written(tmp_path, text):
    path = tmp_path / "cell.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("area_cm2 = 0.0", "area_cm2 is 0; give"),
        ("area_cm2 = -1.0", "area_cm2 is -1; give"),
        ("area_cm2 = nan", "area_cm2: Input should be a finite number"),
        ("area_cm2 = true", "area_cm2: Input should be a valid number"),
        ('area_cm2 = "1.131"', "area_cm2: '1.131' has no unit"),
        ('area = "113.1 mm"', "'mm' cannot be turned into cm2"),
        ('area = "113.1 mohm"', "'mohm' cannot be turned into cm2"),
        ('area = "113.1 sqmm"', "'sqmm' in '113.1 sqmm' is not a unit known here"),
        ('area = "wide"', "'wide' is not a number with a unit"),
        ('area = "1e999 cm2"', "is not a number with a unit"),
        ("area = 1.131", "area: has no unit; write area_cm2"),
        ('area = "1 cm2"\narea_cm2 = 1.0', "area: area_cm2 is given as well"),
        ('kind = "symmetric"', "area_cm2: is missing"),
        ("[area]\ncm2 = 1.0", "area: has no unit"),
    ],
)
def test_what_is_wrong_with_an_area_is_said_with_its_key(tmp_path, line, says):
    with pytest.raises(ConfigError, match=r"cell\.toml") as caught:
        load_cell(written(tmp_path, line))
    assert says in caught.value.mend
    assert caught.value.exit_code == 2


def test_all_faults_are_told_at_once_each_with_its_key(tmp_path):
    text = (
        'area = "113.1 mm"\nthickness_cm = -0.05\nkind = "symetric"\ninterfaces_in_path = 2.5\n'
        'colour = "red"\ntemperature = "25 MPa"\nu_temperature = "1 %"\nu_thickness = "1 bar"\n'
    )
    with pytest.raises(ConfigError) as caught:
        load_cell(written(tmp_path, text))
    for key in (
        "area_cm2:",
        "thickness_cm is -0.05",
        "kind:",
        "interfaces_in_path:",
        "colour: there is no such key",
    ):
        assert key in caught.value.mend
    for key in ("temperature_c:", "u_temperature_c: '1 %' has no meaning", "u_thickness_cm:"):
        assert key in caught.value.mend


def test_a_file_that_is_no_cell_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_cell(tmp_path / "missing.toml")
    with pytest.raises(ConfigError, match=r"not TOML.*line 1"):
        load_cell(written(tmp_path, "area_cm2 = \n"))
    latin = tmp_path / "latin.toml"
    latin.write_bytes('thickness = "500 µm"'.encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_cell(latin)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_cell(tmp_path)


def test_a_cell_may_be_written_with_units(tmp_path):
    text = (
        'area = "113.1 mm²"\nu_area = "1 %"\ninterfaces_in_path = 2\nkind = "symmetric"\nthickness = "500 µm"\n'
        'temperature = "298.15 K"\nu_temperature = "0.5 K"\npressure = "50 bar"\nu_pressure_mpa = 0.25\n'
    )
    cell = load_cell(written(tmp_path, text))
    assert cell.area_cm2 == pytest.approx(1.131, rel=1e-12)
    assert cell.u_area_cm2 == pytest.approx(0.01131, rel=1e-12)
    assert cell.thickness_cm == pytest.approx(0.05, rel=1e-12)
    assert cell.temperature_c == pytest.approx(25.0, abs=1e-9)
    assert cell.u_temperature_c == 0.5
    assert (cell.pressure_mpa, cell.u_pressure_mpa) == (pytest.approx(5.0), 0.25)
    assert (cell.interfaces_in_path, cell.kind) == (2, "symmetric")


def test_a_cell_may_stand_under_its_own_heading(tmp_path):
    assert load_cell(written(tmp_path, "[cell]\narea_cm2 = 2\n")) == Cell(area_cm2=2.0)
    with pytest.raises(ConfigError, match=r"cell\.area_cm2 is 0"):
        load_cell(written(tmp_path, "[cell]\narea_cm2 = 0\n"))


def test_every_field_of_a_cell_can_be_written(tmp_path):
    cell = Cell(1.0, 0.01, 2, "symmetric", 0.05, 25.0, 10.0)
    names = {field.name for field in dataclasses.fields(Cell)}
    given = {name: value for name, value in cell.to_dict().items() if name in names}
    assert cell_of(given, where="cell.toml") == cell


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("3 mΩ·cm²", "ohm cm2", 3e-3),
        ("3 mohm cm2", "ohm cm2", 3e-3),
        ("3 mOhm*cm^2", "ohm cm2", 3e-3),
        ("3 mohm/cm2", "ohm/cm2", 3e-3),
        ("0.2 Ω m2", "ohm cm2", 2000.0),
        ("1e2 mm2", "cm2", 1.0),
        (".5 mm", "cm", 0.05),
        ("-20 °C", "degC", -20.0),
        ("253.15 K", "degC", -20.0),
        ("100 kPa", "MPa", 0.1),
        ("1 atm", "MPa", 0.101325),
        ("90 min", "s", 5400.0),
        ("10 uohm", "ohm", 1e-5),
    ],
)
def test_a_number_with_a_unit_is_read_in_the_unit_wanted(text, unit, value):
    assert read_quantity(text, unit, where="here") == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(("text", "unit"), [("3 mohm/cm2", "ohm cm2"), ("3 mohm", "ohm cm2"), ("5 cm", "degC")])
def test_a_unit_of_another_quantity_is_refused(text, unit):
    with pytest.raises(ConfigError, match="does not fit"):
        read_quantity(text, unit, where="here")
