"""Wrong signs, degrees for radians, kHz for Hz: told from the numbers alone, and never where nothing is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from eis.readers import read
from eis.readers.sanity import doubts
from eis.spectrum import Spectrum
from eis.validation import validate
from fitting import fit
from fitting.circuit import parse
from fitting.elements import ELEMENTS

TYPICAL = {
    "ohm": 30.0,
    "F": 1e-5,
    "H": 1e-6,
    "s": 1e-2,
    "S s^a": 2e-4,
    "ohm s^-1/2": 20.0,
    "ohm s^a": 1e-5,
    "": 0.85,
}
CIRCUITS = [f"{'' if letter[:4] in ('TLMe', 'TLMi') else 'R0-'}{letter}1" for letter in sorted(ELEMENTS)]
WITH_ARC = [text for text in CIRCUITS if text not in ("R0-R1", "R0-L1", "R0-La1")]
"""Those whose phase is large enough to be expected of the modulus."""


def noisy(text: str, seed: int, scale: float = 1.0, noise: float = 5e-3) -> tuple[np.ndarray, np.ndarray]:
    circuit = parse(text)
    frequency = np.geomspace(1e6, 1e-2, 57)
    z = scale * circuit.impedance(2 * np.pi * frequency, [TYPICAL[one.unit] for one in circuit.parameters])
    random = np.random.default_rng(seed)
    return frequency, z * (1 + noise * (random.standard_normal(57) + 1j * random.standard_normal(57)))


@pytest.mark.parametrize("text", CIRCUITS)
def test_a_sound_spectrum_of_any_element_and_size_is_not_doubted(text):
    for seed in range(10):
        for scale in (1e-5, 1.0, 1e8):
            assert doubts(Spectrum.of(*noisy(text, seed, scale))) == []


@pytest.mark.parametrize("text", WITH_ARC)
def test_an_inverted_sign_is_seen(text):
    for seed in range(10):
        frequency, z = noisy(text, seed)
        (said,) = doubts(Spectrum.of(frequency, z.conj()))
        assert "sign of the imaginary part" in said


@pytest.mark.parametrize("text", WITH_ARC)
def test_radians_taken_for_degrees_are_seen(text):
    frequency, z = noisy(text, 0, noise=0.0)
    z = np.abs(z) * np.exp(1j * np.radians(np.angle(z)))
    (said,) = doubts(Spectrum.of(frequency, z))
    assert "in radians where degrees" in said


@pytest.mark.parametrize("text", CIRCUITS)
def test_a_real_part_below_zero_is_no_passive_cell(text):
    frequency, z = noisy(text, 0)
    (said,) = doubts(Spectrum.of(frequency, -z.real + 1j * z.imag))
    assert "real part is negative at" in said


def test_a_resistance_with_its_sign_turned_is_doubted_even_of_three_points():
    (said,) = doubts(Spectrum.of([10.0, 5.0, 1.0], [-100.0, -101.0, -102 + 1j]))
    assert "real part is negative at 3 of 3 points" in said


@pytest.mark.parametrize("reactance", [-1.0, 1.0])
def test_noise_around_a_real_part_of_nothing_is_no_negative_one(reactance):
    random = np.random.default_rng(1)
    for _ in range(50):
        f = np.geomspace(1e6, 1e-2, 57)
        z = 1j * reactance * f ** (1.0 if reactance > 0 else -1.0)
        z = z + 0.01 * np.abs(z) * random.standard_normal(57)
        assert doubts(Spectrum.of(f, z)) == []


def sweep_with_clock(frequency_as_said, frequency):
    z = 10 + 50 / (1 + 1j * frequency)
    return Spectrum.of(frequency_as_said, z, columns={"time_s": np.cumsum(0.1 + 2 / frequency)})


def test_kilohertz_taken_for_hertz_are_seen_by_the_clock():
    frequency = np.geomspace(1e5, 1.0, 41)
    assert doubts(sweep_with_clock(frequency, frequency)) == []
    (said,) = doubts(sweep_with_clock(frequency / 1e3, frequency))
    assert "seem to be in kHz" in said


@pytest.mark.parametrize(("short", "is_said"), [(8, False), (9, True), (10, True)])
@pytest.mark.parametrize("way", [1, -1])
def test_frequencies_are_doubted_where_more_than_four_fifths_of_the_slow_points_are_short(short, is_said, way):
    frequency = np.concatenate([[2.0], np.geomspace(0.9, 0.1, 10)])
    periods = np.where(np.arange(10) < short, 0.24, 3.0)
    time_s = np.concatenate([[0.0], np.cumsum(periods / frequency[:-1])])  # in periods of the shorter kind
    columns = {"time_s": time_s[::way], "acquired_order": np.arange(11.0)[::way]}  # rows may stand upside down
    found = doubts(Spectrum.of(frequency[::way], 10 + 50 / (1 + 1j * frequency[::way]), columns=columns))
    assert any("seem to be in kHz" in one for one in found) == is_said


def test_a_time_beyond_all_numbers_is_no_point_that_took_long():
    frequency = np.geomspace(0.9, 0.1, 11)
    time_s = np.cumsum(0.01 / frequency)
    time_s[-2:] = -1.7e308, 1.7e308  # the last point would have taken infinitely long
    (said,) = doubts(Spectrum.of(frequency, 10 + 50 / (1 + 1j * frequency), columns={"time_s": time_s}))
    assert "seem to be in kHz" in said


@pytest.mark.parametrize(("frequency", "ohm", "said"), [(1e12, 1.0, "1e+12 Hz"), (1e3, 1e-10, "1e-10 ohm")])
def test_what_no_instrument_measures_is_said(frequency, ohm, said):
    assert said in doubts(Spectrum.of([frequency], [ohm]))[0]


def test_a_table_with_the_wrong_sign_is_read_and_doubted(tmp_path):
    frequency, z = noisy("R0-Zarc1", 0)
    rows = "".join(
        f"{f!r},{one.real!r},{-one.imag!r}\n" for f, one in zip(frequency.tolist(), z.tolist(), strict=True)
    )
    (tmp_path / "wrong.csv").write_text("freq/Hz,Re(Z)/Ohm,Im(Z)/Ohm\n" + rows)
    wrong = read(tmp_path / "wrong.csv")
    assert validate(wrong).verdict == "invalid"
    assert any("sign of the imaginary part" in note for note in fit("R0-Zarc1", wrong).because)
    metadata = wrong.metadata
    assert "sign of the imaginary part" in metadata["doubts"][0]
    assert metadata["doubts"][0] in metadata["warnings"]
    (tmp_path / "right.csv").write_text("freq/Hz,Re(Z)/Ohm,-Im(Z)/Ohm\n" + rows)
    assert "doubts" not in read(tmp_path / "right.csv").metadata
