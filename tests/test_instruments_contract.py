"""What every driver owes its user, over every transport; a new driver joins by being in DRIVERS."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest

from eis.errors import LinkError, RejectedError
from eis.spectrum import Spectrum
from instruments import Potentiostat, Sweep, connect
from instruments.connect import DRIVERS
from instruments.emulated.cells import CELLS, SYMMETRIC
from instruments.emulated.clock import FastClock
from instruments.emulated.methodscript import EmulatedPotentiostat

pytestmark = pytest.mark.usefixtures("watchdog")

EMULATORS: dict[str, Callable[[], EmulatedPotentiostat]] = {
    "palmsens": lambda: EmulatedPotentiostat(SYMMETRIC, clock=FastClock()),
}
QUERIES = {"palmsens": {"t", "i"}}
SWEEP = Sweep(start_hz=1e5, stop_hz=1.0, points_per_decade=10, amplitude_v=0.01)
Serve = Callable[..., object]


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.name)
def driver(request: pytest.FixtureRequest) -> type[Potentiostat]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def device(driver: type[Potentiostat]) -> EmulatedPotentiostat:
    return EMULATORS[driver.name]()


@pytest.fixture
def meter(driver: type[Potentiostat], device: EmulatedPotentiostat, transport: str, serve: Serve) -> Potentiostat:
    served = serve(device, transport)
    return connect(served.resource, driver=driver.name, backend=served.backend)  # type: ignore[attr-defined]


def test_set_points_outside_the_limits_are_refused_before_anything_is_sent(
    meter: Potentiostat, device: EmulatedPotentiostat
) -> None:
    with meter:
        device.log.clear()
        with pytest.raises(RejectedError):
            meter.sweep(Sweep(SWEEP.start_hz, SWEEP.stop_hz, 10, 100.0))
        assert device.log == []


def test_connecting_only_asks(
    meter: Potentiostat, device: EmulatedPotentiostat, driver: type[Potentiostat]
) -> None:
    meter.close()
    assert set(device.log) == QUERIES[driver.name]
    assert not device.cell_is_on


def test_a_closed_meter_does_not_measure_and_may_be_closed_again(meter: Potentiostat) -> None:
    meter.close()
    meter.close()
    with pytest.raises(LinkError, match="closed"):
        list(meter.sweep(SWEEP))


def test_it_says_who_it_is_and_that_it_is_emulated(meter: Potentiostat) -> None:
    with meter:
        identity = meter.identify()
        assert identity.vendor
        assert identity.serial.startswith("EMULATED")
        assert identity.simulated
        assert identity.model in repr(meter)


def test_it_does_not_claim_to_be_verified(meter: Potentiostat) -> None:
    with meter:
        can = meter.capabilities()
        assert not can.instrument_verified
        assert 0 < can.f_min_hz < can.f_max_hz
        assert 0 < can.v_ac_rms[0] < can.v_ac_rms[1]


def test_a_sweep_is_the_cell_within_the_noise(meter: Potentiostat) -> None:
    with meter:
        spectrum = meter.sweep_spectrum(SWEEP)
    truth = SYMMETRIC.impedance(SWEEP.frequencies_hz)
    errors = (spectrum.z_ohm - truth) / np.abs(truth)
    assert spectrum.frequency_hz == pytest.approx(SWEEP.frequencies_hz, rel=1e-5)
    assert np.abs(errors).max() < 5e-3
    assert np.sqrt(np.mean(np.abs(errors) ** 2)) == pytest.approx(np.sqrt(2) * 1e-3, rel=0.35)


def test_a_spectrum_says_how_it_was_measured(meter: Potentiostat) -> None:
    with meter:
        spectrum = meter.sweep_spectrum(SWEEP)
    known = spectrum.metadata
    assert known["source"] == "emulator"
    assert known["instrument_verified"] is False
    assert known["serial"] == meter.identify().serial
    assert known["resource"] == meter.identify().resource
    assert known["sweep"] == SWEEP.to_dict()
    assert known["started"].endswith("+00:00")
    assert set(spectrum.columns) >= {"time_s", "frequency_set_hz", "amplitude_v", "acquired_order"}
    assert spectrum.to_xarray()["time_s"].attrs["units"] == "s"


def test_points_come_one_by_one_in_order(meter: Potentiostat, device: EmulatedPotentiostat) -> None:
    with meter:
        points = list(meter.sweep(SWEEP))
    assert [point.index for point in points] == list(range(SWEEP.n_points))
    assert np.all(np.diff([point.time_s for point in points]) >= 0)
    assert all(point.raw for point in points)
    assert not device.cell_is_on


def test_one_sweep_follows_another(meter: Potentiostat, device: EmulatedPotentiostat) -> None:
    with meter:
        for _ in range(3):
            assert len(meter.sweep_spectrum(SWEEP)) == SWEEP.n_points
            assert not device.cell_is_on


def test_the_cell_can_be_switched_off_at_any_time(meter: Potentiostat, device: EmulatedPotentiostat) -> None:
    with meter:
        meter.cell_off()
        points = meter.sweep(SWEEP)
        next(points)
        meter.cell_off()
        meter.cell_off()
        assert not device.cell_is_on


@pytest.mark.parametrize("name", CELLS)
def test_every_emulated_cell_can_be_measured_by_its_name(name: str) -> None:
    with connect(f"sim::{name}") as meter:
        spectrum = meter.sweep_spectrum(Sweep.parse("1e6:0.1:10", amplitude_v=0.01))
    assert isinstance(spectrum, Spectrum)
    assert len(spectrum) == 71
    assert spectrum.metadata["resource"] == f"sim::{name}"


def test_two_emulated_instruments_do_not_know_of_each_other() -> None:
    with connect("sim::symmetric-cell") as one, connect("sim::symmetric-cell") as other:
        assert one.sweep_spectrum(SWEEP).z_ohm.tolist() == other.sweep_spectrum(SWEEP).z_ohm.tolist()


def test_the_sentence_in_the_manual_works_in_about_a_second() -> None:
    code = (
        "from instruments import connect, Sweep; m = connect('sim::symmetric-cell'); print(m.sweep_spectrum("
        "Sweep(start_hz=1e6, stop_hz=0.1, points_per_decade=10, amplitude_v=0.01)))"
    )
    begun = time.monotonic()
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert "71 points, 1 MHz to 100 mHz" in run.stdout
    assert run.stderr == ""
    assert time.monotonic() - begun < 10


def test_a_sweep_covers_both_ends_and_says_how_long_it_takes() -> None:
    assert SWEEP.n_points == 51
    assert SWEEP.frequencies_hz[0] == 1e5
    assert SWEEP.frequencies_hz[-1] == 1.0
    assert 5 + 2 / 1.0 < SWEEP.predicted_duration_s < 60
