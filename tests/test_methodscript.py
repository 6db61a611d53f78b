"""The MethodSCRIPT language: numbers as the instrument wants them, packets as it sends them, nothing guessed."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eis.errors import RejectedError
from eis.spectrum import Quality
from instruments import Sweep
from instruments.methodscript import eis_script, literal, meaning, parse_literal, parse_packet


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.12345678901234567, 1e-19, 1e30])
def test_a_number_the_language_cannot_say_exactly_is_refused(value: float) -> None:
    with pytest.raises(RejectedError):
        literal(value)


@pytest.mark.parametrize("text", ["", "1.5", "1e3", "k", "10 m", "0x1G", "1µ", "--1"])
def test_a_text_that_is_no_literal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a whole number"):
        parse_literal(text)


# --- what is no data packet


@pytest.mark.parametrize(
    "line",
    [
        "",
        "dc8000000 ;cc8000000 ;cd8000000 ",
        "P",
        "Pdc8000000 ;cc8000000 ",
        "Pcc8000000 ;dc8000000 ;cd8000000 ",
        "Pdc8000000 ;cc8000000 ;cd8000000 ;cb8000000 ",
        "Pdc800000 ;cc8000000 ;cd8000000 ",
        "Pdc8000000x;cc8000000 ;cd8000000 ",
        "Pdc800000G ;cc8000000 ;cd8000000 ",
        "PdcDF5DFF4u;cc896D904m,10,287;cd82DB1A8,10,287",
        "PdcDF5DFF4u;cc896D904m,10,287;cd82DB1A8u,1Z",
        "PdcDF5DFF4u;cc896D904m,10,287;cd82DPdcDF5DFF4u;cc896D904m,10,287;cd82DB1A8u,10,287",
    ],
)
def test_a_damaged_packet_is_no_point(line: str) -> None:
    with pytest.raises(ValueError, match=r"it |is not a"):
        parse_packet(line)


# --- the published decode vectors


@pytest.mark.parametrize(
    ("token", "value"), [("800000Am", 0.01), ("7FFFFF6m", -0.01), ("DF5CB18n", 0.099994392), ("8000000 ", 0.0)]
)
def test_a_value_is_decoded_as_published(token: str, value: float) -> None:
    assert parse_packet(f"Pda{token}", ("da",))[0].value == value


def test_an_impedance_packet_is_decoded_as_published() -> None:
    frequency, real, imaginary = parse_packet("PdcDF5DFF4u;cc896D904m,10,287;cd82DB1A8u,10,287")
    assert frequency.value == pytest.approx(99.999732, abs=1e-9)
    assert real.value == pytest.approx(9885.956, abs=1e-9)
    assert imaginary.value == pytest.approx(2.9946, abs=1e-4)
    assert frequency.quality == real.quality == imaginary.quality == Quality.OK


def test_an_underload_is_decoded_as_published() -> None:
    _, current = parse_packet("PdaDF5CB18n;ba9699F74p,14,218,40", ("da", "ba"))
    assert current.value == pytest.approx(23.699e-6, rel=1e-4)
    assert current.quality == Quality.UNDERLOAD
    assert current.status == "underload"


def test_a_packet_that_is_not_a_number_says_so() -> None:
    reading = parse_packet("Pcc     nan,12,287", ("cc",))[0]
    assert math.isnan(reading.value)
    assert reading.quality == Quality.NOT_A_NUMBER | Quality.OVERLOAD
    assert reading.status == "overload; not a number"


def test_a_blank_prefix_lost_at_the_end_of_the_line_is_a_blank() -> None:
    assert parse_packet("Pdc800000A", ("dc",))[0].value == 10.0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.015, "15m"),
        (200e3, "200k"),
        (20, "20"),
        (3162.0, "3162"),
        (0.5, "500m"),
        (6.475, "6475m"),
        (1e6, "1M"),
        (-0.2, "-200m"),
        (5e-7, "500n"),
        (1e21, "1000E"),
    ],
)
def test_a_number_is_written_without_a_decimal_point(value: float, text: str) -> None:
    assert literal(value) == text


@given(st.floats(-1e6, 1e6), st.integers(1, 7))
def test_a_number_of_seven_digits_comes_back_exactly(value: float, digits: int) -> None:
    rounded = float(f"{value:.{digits}g}")
    if rounded == 0 or abs(rounded) >= 1e-11:
        assert parse_literal(literal(rounded)) == rounded
        assert Decimal(repr(parse_literal(literal(rounded)))) == Decimal(repr(rounded))


def test_the_script_is_the_published_one_with_the_set_points_asked_for() -> None:
    sweep = Sweep(start_hz=2e5, stop_hz=0.5, points_per_decade=7, amplitude_v=0.0123456789, dc_v=-0.25)
    script = eis_script(sweep, amplitude=sweep.amplitude_v, max_bandwidth_hz=1e6, currents_a=(100e-9, 5e-3))
    assert script.splitlines() == [
        *("e", "var f", "var r", "var j", "set_pgstat_chan 0", "set_pgstat_mode 3", "set_max_bandwidth 1M"),
        *("set_range_minmax da -250m -250m", "set_range ba 5m", "set_autoranging ba 100n 5m", "set_e -250m"),
        *("cell_on", "meas_loop_eis f r j 12345680n 200k 500m 40 -250m"),
        *(
            "pck_start",
            "pck_add f",
            "pck_add r",
            "pck_add j",
            "pck_end",
            "endloop",
            "on_finished:",
            "cell_off",
            "",
        ),
    ]
    assert script.endswith("cell_off\n\n")
    assert max(map(len, script.splitlines())) < 128


def test_an_error_code_nobody_knows_is_not_explained_away() -> None:
    assert "not known" in meaning("1234")
