"""The fixture is taken out exactly, uncertainty is carried along, and nothing is corrected twice or invented."""

import numpy as np
import pytest

from eis.archive import read_netcdf, write
from eis.compensation import compensate, short_residual, spectrum_digest
from eis.errors import ConfigError, SpectrumError
from eis.spectrum import Quality, Spectrum

F = np.geomspace(1e6, 0.1, 71)
OMEGA = 2 * np.pi * F
CELL = 0.004 + 0.003 / (1 + (2j * np.pi * F * 1e-3) ** 0.9)
LEADS = 0.002 + 1j * OMEGA * 10e-9
LEAK = 1e-6 + 1j * OMEGA * 20e-12
LOAD_OHM = 0.010


def through(z, leads=LEADS, leak=LEAK):
    """Return what is measured: leads in series, and a leak across the contacts behind them."""
    return leads + 1 / (leak + 1 / z)


OPEN, SHORT, LOAD = LEADS + 1 / LEAK, LEADS, through(LOAD_OHM)
X = through(CELL)
WAYS = {
    "series-shunt": {},
    "symmetric": {"model": "symmetric"},
    "load": {"load": LOAD, "load_ohm": LOAD_OHM},
    "short": {"open_": None},
    "open": {"short": None},
}


def spectrum(z, u=None, frequency=F, **more):
    columns = {} if u is None else {"u_z_ohm": np.full(np.size(frequency), u)}
    return Spectrum.of(frequency, z, columns=columns, **more)


def standards(way, u=None, open_=OPEN, short=SHORT):
    """Return the standards of a correction as keyword arguments, each with the uncertainty `u`."""
    given = {"open_": open_, "short": short, **WAYS[way]}
    arrays = {name: value for name, value in given.items() if isinstance(value, np.ndarray)}
    words = {name: given[name] for name in ("model", "load_ohm") if name in given}
    return {name: spectrum(value, u) for name, value in arrays.items()} | words


def abcd(z, a=1.02 + 0.01j, b=0.003 + 0.002j, c=1e-4 + 1e-3j, d=0.98 - 0.02j):
    return (a * z + b) / (c * z + d)


@pytest.mark.parametrize("way", ["series-shunt", "load"])
def test_a_cell_behind_leads_and_a_leak_is_recovered_to_rounding(way):
    found = compensate(spectrum(X), **standards(way))
    np.testing.assert_allclose(found.z_ohm, CELL, rtol=1e-9)


def test_a_short_alone_takes_out_the_leads_and_an_open_alone_the_leak():
    no_leak = compensate(spectrum(CELL + LEADS), short=spectrum(LEADS))
    np.testing.assert_allclose(no_leak.z_ohm, CELL, rtol=1e-9)
    no_leads = compensate(spectrum(1 / (LEAK + 1 / CELL)), open_=spectrum(1 / LEAK))
    np.testing.assert_allclose(no_leads.z_ohm, CELL, rtol=1e-9)


def test_the_symmetric_model_is_exact_for_a_symmetric_fixture_and_a_load_for_any():
    """A fixture given by its chain matrix; the numbers of the second half are a published test vector."""
    a = 1.01 + 0.002j
    b, c = 0.003 + 0.002j, (a * a - 1) / (0.003 + 0.002j)
    fixture = {"a": a, "b": b, "c": c, "d": a}
    one = {"frequency": [1e3]}
    dut = 0.015 - 0.004j
    found = compensate(
        spectrum([abcd(dut, **fixture)], **one),
        open_=spectrum([a / c], **one),
        short=spectrum([b / a], **one),
        model="symmetric",
    )
    assert found.z_ohm[0] == pytest.approx(dut, rel=1e-12)

    measured = {"open_": 110.891089109 - 1008.910891089j, "short": 0.003018318068 + 0.002102414655j}
    given = {name: spectrum([value], **one) for name, value in measured.items()}
    x = spectrum([0.018746546157 - 0.001587075559j], **one)
    load = spectrum([0.107035469573 + 0.005234646427j], **one)
    assert compensate(x, **given, load=load, load_ohm=0.1).z_ohm[0] == pytest.approx(dut, rel=1e-8)
    wrong = compensate(x, **given, model="symmetric").z_ohm[0]
    assert wrong == pytest.approx(0.0157284 - 0.0036892j, rel=1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_the_uncertainty_is_that_of_a_monte_carlo(way):
    """A large leak and equal uncertainties, so that every standard matters; both parts are drawn."""
    rng = np.random.default_rng(11)
    n, u = 40_000, 2e-4
    dut, leads, leak = 0.5 - 0.3j, 0.2 + 0.1j, 0.4 + 0.2j
    true = {"open_": leads + 1 / leak, "short": leads, "load": through(0.7, leads, leak)}
    wanted = {name: true[name] for name in standards(way) if name in true}
    words = {k: v for k, v in WAYS[way].items() if k == "model"} | ({"load_ohm": 0.7} if way == "load" else {})
    u_load = {"u_load_ohm": 3e-4} if way == "load" else {}

    def drawn(value, spread=u):
        return value + spread * (rng.standard_normal(n) + 1j * rng.standard_normal(n))

    frequency = np.linspace(2e3, 1e3, n)
    if way == "load":
        words["load_ohm"] = spectrum(drawn(0.7, 3e-4), frequency=frequency)
    tried = compensate(
        spectrum(drawn(through(dut, leads, leak)), frequency=frequency),
        **{name: spectrum(drawn(value), frequency=frequency) for name, value in wanted.items()},
        **words,
    ).z_ohm
    one = {"frequency": [1e3], "u": u}
    if way == "load":
        words["load_ohm"] = 0.7
    stated = compensate(
        spectrum([through(dut, leads, leak)], **one),
        **{name: spectrum([value], **one) for name, value in wanted.items()},
        **words,
        **u_load,
    ).columns["u_z_ohm"][0]
    assert tried.real.std() == pytest.approx(stated, rel=0.02)
    assert tried.imag.std() == pytest.approx(stated, rel=0.02)


def test_a_standard_without_uncertainty_leaves_the_result_without_one_and_says_so():
    found = compensate(spectrum(X, 1e-6), short=spectrum(SHORT), open_=spectrum(OPEN, 1.0))
    assert "u_z_ohm" not in found.columns
    assert found.metadata["compensation"]["uncertainty"] == "not stated for the short"


def test_what_was_applied_is_kept_with_the_spectrum_and_survives_a_file(tmp_path):
    short = spectrum(SHORT, metadata={"file": "short.nc"})
    found = compensate(spectrum(X, metadata={"file": "cell.nc"}), open_=spectrum(OPEN), short=short)
    applied = found.metadata["compensation"]
    assert applied["model"] == "series-shunt"
    assert applied["standards"]["short"] == {"name": "short.nc", "sha256": spectrum_digest(short)}
    np.testing.assert_array_equal(found.columns["z_before_real_ohm"], X.real)
    again = read_netcdf(write(found, tmp_path / "corrected.nc"))
    assert again.metadata["compensation"] == applied
    with pytest.raises(ConfigError, match=r"was corrected before"):
        compensate(again, short=short)


def test_a_hash_notices_the_last_bit():
    changed = SHORT.copy()
    changed[3] = np.nextafter(changed[3].real, 1) + 1j * changed[3].imag
    assert spectrum_digest(spectrum(SHORT)) == spectrum_digest(spectrum(SHORT.copy()))
    assert spectrum_digest(spectrum(SHORT)) != spectrum_digest(spectrum(changed))


@pytest.mark.parametrize(("per_decade", "within"), [(5, 2e-3), (10, 1e-4), (20, 1e-5)])
def test_standards_at_other_frequencies_are_interpolated_over_log_frequency(per_decade, within):
    grid = np.geomspace(1.1e6, 0.09, round(per_decade * 7.09) + 1)
    omega = 2 * np.pi * grid
    short = spectrum(0.002 + 1j * omega * 10e-9, 1e-6, grid)
    open_ = spectrum(0.002 + 1j * omega * 10e-9 + 1 / (1e-6 + 1j * omega * 20e-12), 1.0, grid)
    found = compensate(spectrum(X, 1e-6), open_=open_, short=short)
    np.testing.assert_allclose(found.z_ohm, CELL, atol=within * np.abs(X).max())
    assert found.metadata["compensation"]["n_interpolated"] == F.size
    assert np.all(found.columns["u_z_ohm"] > 1e-6)


@pytest.mark.parametrize(
    ("short", "message"),
    [
        (spectrum(SHORT[1:], frequency=F[1:]), r"short was measured from .* 1 MHz is outside"),
        (spectrum(SHORT[:-1], frequency=F[:-1]), r"100 mHz is outside"),
        (spectrum(SHORT[::7], frequency=F[::7]), r"too far apart"),
        (spectrum(SHORT, quality=np.full(71, int(Quality.OVERLOAD))), r"no usable point"),
    ],
)
def test_a_standard_that_does_not_reach_is_refused_and_never_extrapolated(short, message):
    with pytest.raises(SpectrumError, match=message):
        compensate(spectrum(X), short=short)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"from nothing"),
        ({"load": spectrum(LOAD), "load_ohm": 0.1}, r"from load"),
        ({"short": spectrum(SHORT), "load": spectrum(LOAD), "load_ohm": 0.1}, r"from short and load"),
        ({"open_": spectrum(OPEN), "short": spectrum(SHORT), "load": spectrum(LOAD)}, r"what it truly is"),
        ({"open_": spectrum(OPEN), "short": spectrum(SHORT), "load_ohm": 0.1}, r"what it truly is"),
        ({"open_": spectrum(OPEN), "short": spectrum(SHORT), "model": "magic"}, r"magic"),
        (
            {"open_": spectrum(OPEN), "short": spectrum(SHORT), "load": spectrum(LOAD), "load_ohm": np.nan},
            r"load_ohm is nan",
        ),
    ],
)
def test_standards_that_make_no_correction_are_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        compensate(spectrum(X), **given)


def test_exchanged_standards_are_noticed():
    with pytest.raises(SpectrumError, match=r"smaller than the short"):
        compensate(spectrum(X), open_=spectrum(SHORT), short=spectrum(OPEN))


def test_flagged_points_are_corrected_too_and_those_out_of_reach_become_nan():
    quality = np.zeros(71, dtype=int)
    quality[[0, 30]] = int(Quality.OVERLOAD)
    measured = spectrum(X, 1e-6, quality=quality)
    found = compensate(measured, short=spectrum(SHORT[1:], 1e-6, F[1:]))
    assert np.isnan(found.all_z_ohm[0])
    assert found.quality[0] == Quality.OVERLOAD | Quality.NOT_A_NUMBER
    assert found.all_z_ohm[30] == X[30] - SHORT[30]
    assert found.quality[30] == Quality.OVERLOAD
    np.testing.assert_array_equal(found.columns["acquired_order"], measured.columns["acquired_order"])


def test_a_nan_measured_stays_flagged_and_harms_no_other_point():
    z, quality = X.copy(), np.zeros(71, dtype=int)
    z[5], quality[5] = np.nan, int(Quality.NOT_A_NUMBER)
    found = compensate(spectrum(z, quality=quality), open_=spectrum(OPEN), short=spectrum(SHORT))
    assert len(found) == 70
    np.testing.assert_allclose(found.z_ohm, np.delete(CELL, 5), rtol=1e-9)


def test_a_short_gives_the_resistance_and_inductance_of_the_leads_within_its_uncertainty():
    inside = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        noise = 1e-3 * np.abs(LEADS) * (rng.standard_normal(71) + 1j * rng.standard_normal(71))
        leads = short_residual(spectrum(LEADS + noise))
        inside += abs(leads.r_ohm - 2e-3) < 2 * leads.u_r_ohm and abs(leads.l_h - 10e-9) < 2 * leads.u_l_h
    assert 48 <= inside <= 60  # 91 % expected
    exact = short_residual(spectrum(LEADS))
    assert (exact.r_ohm, exact.l_h) == pytest.approx((2e-3, 10e-9), rel=1e-9)
    assert exact.reactance_reaches_hz(3e-3) == pytest.approx(47.7e3, rel=2e-3)


def test_a_stated_uncertainty_of_the_short_is_a_floor_for_the_leads():
    leads = short_residual(spectrum(LEADS, 20e-6))
    assert leads.u_r_ohm == pytest.approx(20e-6, rel=1e-6)
    assert leads.u_l_h > 0


def test_a_short_that_is_more_than_leads_says_so():
    skin = LEADS + 0.01 * np.sqrt(F / 1e6) * (1 + 1j) + 0.05 / (1 + 1j * OMEGA * 1e-2)
    assert "describe it badly" in str(short_residual(spectrum(skin)))
    assert "describe it badly" not in str(short_residual(spectrum(LEADS)))
