"""What every driver owes its user, over every transport it can have; a new driver joins by being in DRIVERS."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from eis.errors import AbortedError, ConfigError, EisError, InstrumentError, RejectedError
from eis.spectrum import Spectrum
from instruments import Potentiostat, Sweep, connect
from instruments.connect import DRIVERS
from instruments.emulated.cells import CELLS, POUCH_CELL, SYMMETRIC, EmulatedCell
from instruments.emulated.clock import Clock, FastClock, RealClock
from instruments.emulated.device import Device
from instruments.emulated.e4990a import EmulatedE4990A
from instruments.emulated.hioki import EmulatedHioki
from instruments.emulated.lcr import EmulatedLcr
from instruments.emulated.methodscript import EmulatedPotentiostat
from instruments.emulated.models import LAN, SERIAL
from instruments.emulated.solartron import EmulatedAnalyser

pytestmark = pytest.mark.usefixtures("watchdog")


@dataclass(frozen=True)
class Bench:
    """A driver's emulated instrument, how it is connected, what connecting may ask, and a sweep it can do."""

    make: Callable[[Clock], Device]
    queries: frozenset[str]
    sweep: Sweep
    options: dict[str, Any] = field(default_factory=dict)
    transports: tuple[str, ...] = ("in-process", *LAN)
    rounding: float = 1e-4
    cell: EmulatedCell = SYMMETRIC


SWEEP = Sweep(start_hz=1e5, stop_hz=1e2, points_per_decade=10, amplitude_v=0.01)
SLOW = Sweep(start_hz=1e3, stop_hz=1.0, points_per_decade=10, amplitude_v=0.01)
BENCHES: dict[str, Bench] = {
    "palmsens": Bench(
        lambda clock: EmulatedPotentiostat(SYMMETRIC, clock=clock),
        frozenset({"t", "i"}),
        Sweep(start_hz=1e5, stop_hz=1.0, points_per_decade=10, amplitude_v=0.01),
        transports=("in-process", *SERIAL),
    ),
    "lcr": Bench(
        lambda clock: EmulatedLcr(SYMMETRIC, clock=clock),
        frozenset({"*IDN?", "*OPT?"}),
        SWEEP,
        {"cell": "symmetric"},
        rounding=5e-4,
    ),
    "keysight": Bench(
        lambda clock: EmulatedE4990A(SYMMETRIC, clock=clock),
        frozenset({"*IDN?", "*OPT?"}),
        SWEEP,
        {"cell": "symmetric"},
    ),
    "hioki": Bench(
        lambda clock: EmulatedHioki(POUCH_CELL, clock=clock),
        frozenset({"*IDN?"}),
        SLOW,
        transports=("in-process", *SERIAL),
        rounding=0.05,
        cell=POUCH_CELL,
    ),
    "solartron": Bench(
        lambda clock: EmulatedAnalyser(SYMMETRIC, clock=clock),
        frozenset({"*IDN?"}),
        SWEEP,
        {"gap_s": 0.0},
        transports=("in-process", "prologix", "tcp"),
    ),
}
CASES = [(driver, transport) for driver in DRIVERS for transport in BENCHES[driver.name].transports]
Serve = Callable[..., Any]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0].name}-{case[1]}")
def case(request: pytest.FixtureRequest) -> tuple[type[Potentiostat], str]:
    if request.param[1] == "pty" and sys.platform == "win32":
        pytest.skip("Windows has no pseudo-terminals")
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def driver(case: tuple[type[Potentiostat], str]) -> type[Potentiostat]:
    return case[0]


@pytest.fixture
def bench(driver: type[Potentiostat]) -> Bench:
    return BENCHES[driver.name]


@pytest.fixture
def device(bench: Bench) -> Device:
    return bench.make(FastClock())


@pytest.fixture
def meter(case: tuple[type[Potentiostat], str], bench: Bench, device: Device, serve: Serve) -> Potentiostat:
    served = serve(device, case[1])
    return connect(served.resource, driver=case[0].name, backend=served.backend, **bench.options)


def test_set_points_outside_the_limits_are_refused_before_anything_is_sent(
    meter: Potentiostat, device: Device, bench: Bench
) -> None:
    with meter:
        device.log.clear()
        with pytest.raises(RejectedError):
            meter.sweep(replace(bench.sweep, start_hz=1e12))
        with pytest.raises(RejectedError):
            meter.sweep(replace(bench.sweep, dc_v=1e3))
        assert device.log == []


def test_connecting_only_asks(meter: Potentiostat, device: Device, bench: Bench) -> None:
    meter.close()
    assert {line.strip() for line in device.log} == bench.queries
    assert not device.cell_is_on


def test_a_closed_meter_does_not_measure_and_may_be_closed_again(
    meter: Potentiostat, device: Device, bench: Bench
) -> None:
    meter.close()
    meter.close()
    with pytest.raises(InstrumentError):
        list(meter.sweep(bench.sweep))
    assert not device.cell_is_on


def test_it_says_who_it_is_and_that_it_is_emulated(meter: Potentiostat) -> None:
    with meter:
        identity = meter.identify()
        assert identity.vendor
        assert "EMULATED" in identity.raw
        assert identity.simulated
        assert identity.model in repr(meter)


def test_it_does_not_claim_to_be_verified(meter: Potentiostat) -> None:
    with meter:
        can = meter.capabilities()
        assert not can.instrument_verified
        assert 0 < can.f_min_hz < can.f_max_hz
        assert 0 <= can.v_ac_rms[0] < can.v_ac_rms[1]


def test_a_sweep_is_the_cell_within_the_noise(meter: Potentiostat, bench: Bench) -> None:
    with meter:
        spectrum = meter.sweep_spectrum(bench.sweep)
    truth = bench.cell.impedance(spectrum.frequency_hz)
    errors = (spectrum.z_ohm - truth) / np.abs(truth)
    assert spectrum.frequency_hz == pytest.approx(bench.sweep.frequencies_hz, rel=bench.rounding)
    assert np.abs(errors).max() < 5e-3
    assert np.sqrt(np.mean(np.abs(errors) ** 2)) == pytest.approx(np.sqrt(2) * 1e-3, rel=0.4)


def test_a_spectrum_says_how_it_was_measured(meter: Potentiostat, bench: Bench) -> None:
    with meter:
        spectrum = meter.sweep_spectrum(bench.sweep)
    known = spectrum.metadata
    assert known["source"] == "emulator"
    assert known["instrument_verified"] is False
    assert known["serial"] == meter.identify().serial
    assert known["resource"] == meter.identify().resource
    assert known["sweep"] == bench.sweep.to_dict()
    assert known["started"].endswith("+00:00")
    assert set(spectrum.columns) >= {"time_s", "frequency_set_hz", "amplitude_v", "acquired_order"}
    assert spectrum.to_xarray()["time_s"].attrs["units"] == "s"


def test_points_come_one_by_one_in_order(meter: Potentiostat, device: Device, bench: Bench) -> None:
    with meter:
        points = list(meter.sweep(bench.sweep))
    assert [point.index for point in points] == list(range(bench.sweep.n_points))
    assert np.all(np.diff([point.time_s for point in points]) >= 0)
    assert all(point.raw for point in points)
    assert all(point.attempt == 1 for point in points)
    assert not device.cell_is_on


def test_one_sweep_follows_another(meter: Potentiostat, device: Device, bench: Bench) -> None:
    short = replace(bench.sweep, points_per_decade=2)
    with meter:
        for _ in range(2):
            assert len(meter.sweep_spectrum(short)) == short.n_points
            assert not device.cell_is_on


def test_the_cell_can_be_switched_off_at_any_time_and_stays_off(
    meter: Potentiostat, device: Device, bench: Bench
) -> None:
    with meter:
        meter.cell_off()
        points = meter.sweep(bench.sweep)
        next(points)
        meter.cell_off()
        meter.cell_off()
        assert not device.cell_is_on
        if meter.capabilities().native_sweep == "none":
            with pytest.raises(EisError):
                next(points)
            assert not device.cell_is_on


def test_a_sweep_that_is_given_up_or_aborted_leaves_the_cell_off(
    case: tuple[type[Potentiostat], str], bench: Bench, serve: Serve
) -> None:
    device = bench.make(RealClock())  # so that there is a middle of a sweep
    served = serve(device, case[1])
    with connect(served.resource, driver=case[0].name, backend=served.backend, **bench.options) as meter:
        points = meter.sweep(bench.sweep)
        next(points)
        points.close()
        assert not device.cell_is_on
        again = meter.sweep(bench.sweep)
        next(again)
        meter.abort()
        with pytest.raises(AbortedError):
            list(again)
        assert not device.cell_is_on


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda one: one.name)
def test_the_driver_is_found_by_what_answers(driver: type[Potentiostat], serve: Serve) -> None:
    bench = BENCHES[driver.name]
    served = serve(bench.make(FastClock()), bench.transports[1])
    with connect(served.resource, backend=served.backend, **bench.options) as meter:
        assert isinstance(meter, driver)


def test_an_option_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="standard_ohms"):
        connect("sim::symmetric-cell", standard_ohms=1e3)
    with pytest.raises(ConfigError, match="standard_ohms"):
        connect("TCPIP0::127.0.0.1::1::SOCKET", standard_ohms=1e3)


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
    sweep = Sweep(start_hz=1e5, stop_hz=1.0, points_per_decade=10, amplitude_v=0.01)
    assert sweep.n_points == 51
    assert sweep.frequencies_hz[0] == 1e5
    assert sweep.frequencies_hz[-1] == 1.0
    assert 5 + 2 / 1.0 < sweep.predicted_duration_s < 60
