"""What is wrong with a spectrum is named: drift, an excitation too large, a range set off, lone points, mains."""

from __future__ import annotations

import json

import numpy as np
import pytest

import eis
from eis import shipped
from eis.quantities import format_si
from eis.spectrum import Spectrum
from eis.validation import validate
from tests.truth import FREQUENCY, TwoArcs, noisy

CELL = TwoArcs()
SECONDS = np.cumsum(0.4 + 3 / FREQUENCY)


def spectrum(z, **columns):
    return Spectrum.of(FREQUENCY, z, columns=columns)


@pytest.mark.parametrize(
    ("frequency", "z", "said"),
    [
        (np.geomspace(1e6, 0.1, 15), None, "15 points over 7.0 decades are too few"),
        (np.geomspace(1e3, 1e2, 11), None, "11 points over 1.0 decades are too few"),
        (FREQUENCY, np.full(71, 10.0), "a resistor; there is no process"),
        (FREQUENCY, 1e-3 + 2e-6j * np.pi * FREQUENCY, "inductive at every frequency"),
    ],
)
def test_what_cannot_hold_a_process_is_said_in_words(frequency, z, said):
    found = validate(Spectrum.of(frequency, CELL.z(frequency) if z is None else z))
    assert said in found.because[0]
    assert found.verdict == ("suspect" if "too few" in said else "valid")


def test_noise_that_would_hide_everything_is_not_valid():
    assert validate(CELL.spectrum(0.02, seed=1)).causes == ("noise",)
    assert validate(CELL.spectrum(0.04, seed=1)).verdict == "invalid"


def test_noise_of_one_percent_is_noise_and_its_size_is_told():
    for seed in range(5):
        found = validate(CELL.spectrum(0.01, seed=seed))
        assert found.verdict == "valid"
        assert found.noise == pytest.approx(0.01, rel=0.25)


def test_noise_that_grows_tenfold_towards_low_frequency_is_not_a_fault():
    scale = 3e-4 * np.where(FREQUENCY < 30, 10.0, np.where(FREQUENCY < 3e3, 3.0, 1.0))
    verdicts = [validate(spectrum(noisy(CELL.z(), scale, seed))).verdict for seed in range(10)]
    assert verdicts.count("valid") >= 9
    assert "invalid" not in verdicts


def test_points_measured_again_show_a_drift_that_kramers_kronig_cannot():
    found = validate(eis.read(shipped.folder() / "reference" / "drifting.csv"))
    assert (found.verdict, found.causes[0]) == ("invalid", "drift")
    assert "measured again" in found.because[0]
    assert found.faults[0].size == pytest.approx(0.02, rel=0.15)


def test_points_measured_again_on_a_steady_cell_are_no_drift():
    order = np.concatenate([FREQUENCY, FREQUENCY[::-1]])
    z = noisy(CELL.z(order), 1e-3, 3)
    found = validate(Spectrum.of(order, z, columns={"time_s": np.cumsum(0.4 + 3 / order)}))
    assert found.verdict == "valid"


def test_the_sweep_back_up_shows_a_drift():
    first = spectrum(noisy(CELL.z(), 1e-3, 1))
    assert validate(first, repeats=[spectrum(noisy(CELL.z(), 1e-3, 2))]).verdict == "valid"
    found = validate(first, repeats=[spectrum(noisy(1.02 * CELL.z(), 1e-3, 2))])
    assert (found.verdict, found.causes) == ("invalid", ("drift",))


def test_a_fast_drift_is_seen_from_one_sweep_and_the_band_that_holds_is_told():
    # an interface that grows by 6 % while the last decade is measured, and whose sweep has a clock
    share = SECONDS / SECONDS[-1]
    z = np.array([TwoArcs(r2=17.683 * (1 + 0.06 * s)).z(FREQUENCY[k : k + 1])[0] for k, s in enumerate(share)])
    found = validate(spectrum(noisy(z, 5e-4, 1), time_s=SECONDS))
    assert (found.verdict, found.causes) == ("suspect", ("drift",))  # told from one sweep alone
    assert 0.1 < found.f_min_hz < 10
    assert found.f_max_hz == FREQUENCY[0]
    assert "Below" in found.cut[0]
    assert found.detectable_drift < 0.03


def test_a_second_amplitude_shows_what_is_not_linear():
    small = TwoArcs(r2=17.683 * 1.04)
    found = validate(CELL.spectrum(5e-4, 1), other_amplitude=small.spectrum(5e-4, 2))
    assert (found.verdict, found.causes) == ("invalid", ("nonlinear",))
    assert validate(CELL.spectrum(5e-4, 1), other_amplitude=CELL.spectrum(5e-4, 2)).verdict == "valid"


def test_recorded_harmonics_show_what_is_not_linear():
    # Butler and Volmer at 20 mV peak: the resistance is 1.9 % too small (x²/8), the third harmonic 0.63 % (x²/24)
    distortion = 0.63 / (1 + (FREQUENCY / 1e3) ** 2)
    found = validate(spectrum(noisy(CELL.z(), 5e-4, 1), thd_i_percent=distortion))
    assert (found.verdict, found.causes) == ("invalid", ("nonlinear",))
    assert found.faults[0].size == pytest.approx(0.019, rel=0.05)
    assert validate(spectrum(noisy(CELL.z(), 5e-4, 1), thd_i_percent=0.1 * distortion)).verdict == "valid"


def test_a_decade_set_off_is_named_with_its_ends_and_its_size():
    z = noisy(CELL.z(), 5e-4, 1)
    z[30:40] *= 1.02
    (fault,) = validate(spectrum(z)).faults
    assert (fault.cause, fault.severity) == ("shift", "invalid")
    assert fault.frequency_hz == pytest.approx((FREQUENCY[30], FREQUENCY[39]))
    assert fault.size == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize("edge", [9, 35, 60])
@pytest.mark.parametrize("size", [0.08, -0.08])
def test_of_two_parts_set_off_from_each_other_none_is_called_the_wrong_one(edge, size):
    z = noisy(CELL.z(), 5e-4, 1)
    upper, lower = z.copy(), z.copy()
    upper[:edge] *= 1 + size
    lower[edge:] /= 1 + size  # the same but for a factor of the whole, which no Kramers-Kronig test sees
    (one,), (other,) = (validate(spectrum(z)).faults for z in (upper, lower))
    assert one.because == other.because
    assert (one.cause, one.severity) == ("shift", "invalid")
    ends = [format_si(float(FREQUENCY[i]), "Hz", digits=3) for i in (0, edge - 1, edge, -1)]
    assert f"from {ends[0]} to {ends[1]} and those from {ends[2]} to {ends[3]}" in one.because
    assert "the data cannot tell which" in one.because
    assert one.frequency_hz == pytest.approx((FREQUENCY[edge - 1], FREQUENCY[edge]))


def test_a_middle_that_is_most_of_the_sweep_is_not_called_the_wrong_part():
    z = noisy(CELL.z(), 5e-4, 1)
    z[8:60] *= 1.05
    (fault,) = validate(spectrum(z)).faults
    assert "those above and below them" in fault.because
    assert "the data cannot tell which" in fault.because


@pytest.mark.parametrize("edge", range(5, 68, 7))
def test_a_part_set_off_is_found_without_any_noise_too(edge):
    z = CELL.z().copy()
    assert validate(spectrum(z)).verdict == "valid"
    z[edge:] *= 1.08
    found = validate(spectrum(z))
    assert (found.verdict, found.causes[0]) == ("invalid", "shift")


def test_lone_points_are_marked_and_stay_where_they_are():
    z = noisy(CELL.z(), 5e-4, 1)
    z[[12, 55]] *= 1.05
    found = validate(spectrum(z))
    assert found.causes == ("outlier",)
    assert set(found.marked_hz) == {FREQUENCY[12], FREQUENCY[55]}
    assert found.frequency_hz.size == 71
    sound = ~np.isin(FREQUENCY, found.marked_hz)
    assert np.abs(found.residual_real[sound]).max() < 0.003  # what stands out does not bend the ladder
    assert found.residual_real[12] == pytest.approx(0.05, rel=0.1)


@pytest.mark.parametrize("line", [50.0, 60.0])
def test_hum_is_laid_to_its_line(line):
    f = np.sort(np.concatenate([FREQUENCY, line * np.array([1.0, 3.0, 5.0])]))[::-1]
    z = noisy(CELL.z(f), 5e-4, 1)
    on = np.isin(f, line * np.array([1.0, 3.0, 5.0]))
    z[on] *= 1.04
    found = validate(Spectrum.of(f, z))
    assert found.causes == ("mains",)
    assert f"{line:g} Hz" in found.because[0]
    assert set(f[on]) <= set(found.mains_hz)


def test_a_phase_error_that_grows_with_frequency_is_laid_to_the_leads_and_cut_off():
    z = CELL.z() * (1 + 0.08j * FREQUENCY**2 / 1e12 + 0.05 * FREQUENCY**2 / 1e12)
    found = validate(spectrum(noisy(z, 3e-4, 1)))
    assert "high-frequency artefact" in found.causes
    assert found.f_max_hz < FREQUENCY[0]
    assert "Above" in found.cut[0]


def test_a_point_that_the_leads_disturb_narrows_the_band_and_nothing_else():
    z = noisy(CELL.z(), 5e-4, 1)
    z[0] *= 1.02 - 0.03j
    found = validate(spectrum(z))
    assert (found.verdict, found.f_max_hz) == ("valid", FREQUENCY[1])
    assert found.marked_hz == tuple(FREQUENCY[:1])
    assert "leads and fixture" in found.because[-1]


def test_a_negative_resistance_is_valid_in_its_admittance():
    # a passivating electrode: Z passes through infinity, the admittance is that of a stable cell
    s = 2j * np.pi * FREQUENCY
    z = 20 + 1 / (1 / -50 + 1e-5 * s)
    found = validate(spectrum(noisy(z, 1e-3, 1)))
    assert found.verdict == "valid"
    assert "admittance" in found.method


def test_an_unstable_cell_is_invalid_in_either_form():
    s = 2j * np.pi * FREQUENCY
    z = 20 + 1 / (1e-5 * s + 0.1 - 1 / (5 + 1e-2 * s))  # poles of Z at +456 rad/s, of 1/Z at +160 rad/s
    assert validate(spectrum(noisy(z, 1e-3, 1))).verdict == "invalid"


def test_the_record_is_plain_json_and_says_each_fault_once():
    z = noisy(CELL.z(), 5e-4, 1)
    z[30:40] *= 1.02
    found = validate(spectrum(z))
    entry = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert entry["faults"][0]["cause"] == "shift"
    assert entry["because"] == list(found.because)
    assert set(entry["m_by"]) == {"aicc", "bic", "mu", "plateau"}
    assert len(set(found.causes)) == len(found.causes)


def test_a_drift_seen_in_less_than_a_sweep_is_reckoned_up_to_a_whole_one():
    # all of Z grows by 2 % during the sweep; its last decade is measured again, which takes half as long
    order = np.concatenate([FREQUENCY, FREQUENCY[60:]])
    time = np.linspace(0, 1, 71).tolist() + np.linspace(1, 1.5, 11).tolist()
    z = noisy(CELL.z(order) * (1 + 0.02 * np.array(time)), 2e-4, 1)
    (fault,) = [
        one for one in validate(Spectrum.of(order, z, columns={"time_s": time})).faults if one.cause == "drift"
    ]
    assert fault.size == pytest.approx(0.02, rel=0.1)
    assert "in the time of a sweep" in fault.because


@pytest.mark.parametrize(("own", "other", "error"), [(0.02, 0.01, 0.04), (0.01, 0.02, 0.01)])
def test_known_amplitudes_tell_the_error_of_the_spectrum_itself(own, other, error):
    # all of Z is too small by 100 V⁻² · amplitude², 4 % at 20 mV
    def at(amplitude, seed):
        z = (1 - 100 * amplitude**2) * CELL.z()
        return spectrum(noisy(z, 2e-4, seed), amplitude_v=np.full(71, amplitude))

    found = validate(at(own, 1), other_amplitude=at(other, 2))
    assert found.causes == ("nonlinear",)
    assert found.faults[0].size == pytest.approx(error, rel=0.1)
    assert "an error of" in found.because[0]


def test_a_few_points_that_are_far_off_make_a_spectrum_invalid_and_one_near_does_not():
    z = noisy(CELL.z(), 5e-4, 1)
    far, near = z.copy(), z.copy()
    far[[12, 40, 55]] *= 1.1
    near[55] *= 1.02
    assert validate(spectrum(far)).verdict == "invalid"
    assert validate(spectrum(near)).verdict == "suspect"
