"""Nothing dangerous is asked of a cell: refused before it is energised, and ended where it shows on the way."""

from __future__ import annotations

import contextlib
import json
import math
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from eis import pipeline
from eis.cli.app import app
from eis.errors import (
    AbortedError,
    CellStateUnknownError,
    ConfigError,
    EisError,
    InstrumentError,
    LinkError,
    RejectedError,
    StoreError,
)
from eis.readers import read
from eis.spectrum import Quality, Spectrum
from instruments import Potentiostat, Sweep, connect, pointwise, preparation
from instruments.emulated.cells import POUCH_CELL, SYMMETRIC, EmulatedCell
from instruments.emulated.faults import Faults
from instruments.emulated.hioki import EmulatedHioki
from instruments.emulated.inprocess import library
from instruments.emulated.lcr import EmulatedLcr
from instruments.emulated.methodscript import EmulatedPotentiostat
from instruments.emulated.solartron import EmulatedAnalyser, EmulatedBench
from instruments.journal import read_journal, recorded
from instruments.limits import Limits, OpenCircuit, guarded, open_circuit, require_near
from instruments.planned import PlannedSweep
from instruments.resume import resumed
from tests.command_line import eis

pytestmark = pytest.mark.usefixtures("watchdog")

OCV_V = 0.4
AT_REST = replace(SYMMETRIC, ocv_v=OCV_V)
SWEEP = Sweep(1e5, 1e3, 5, 0.01)
INDUCTIVE = EmulatedCell("coil", "R0-L0", (10.0, 1e-4), 1.0, 1, "symmetric", "R0")
"""|Z| = |10 + jω·1e-4|: it falls with the frequency, so that the current grows as the sweep goes on."""
Bench = Callable[..., dict[str, Any]]
FIELDS = [field.name for field in fields(Limits)]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep leases in a folder of the test's own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def at() -> Iterator[Bench]:
    """Serve an emulated instrument; what comes back are the options that connect to it."""
    with contextlib.ExitStack() as stack:

        def start(device: Any, driver: str, **options: Any) -> dict[str, Any]:
            if isinstance(device, EmulatedBench):
                parts = [(device.analyser, "GPIB0::4::INSTR"), (device.interface, "GPIB0::6::INSTR")]
            else:
                parts = [(device, "GPIB0::7::INSTR" if driver != "palmsens" else "ASRL7::INSTR")]
            served = [stack.enter_context(library().serve(one, name, resource=name)) for one, name in parts]
            if len(served) == 2:
                options["interface_resource"] = served[1].resource
            return {"resource": served[0].resource, "backend": served[0].backend, "driver": driver, **options}

        yield start


def palmsens(cell: EmulatedCell, **options: Any) -> EmulatedPotentiostat:
    return EmulatedPotentiostat(cell, noise=0.0, **options)


def measure(options: dict[str, Any], folder: Path, sweep: Sweep = SWEEP, **more: Any) -> Spectrum:
    return pipeline.measure(
        options["resource"], sweep, folder / "x.nc", **{"guard": False, **rest_of(options), **more}
    )


def rest_of(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "resource"}


@contextlib.contextmanager
def refused(device: Any, folder: Path, words: str, kind: type[EisError] = RejectedError) -> Iterator[None]:
    """Check that something is refused, in words that say how to mend it, without the cell ever having been on."""
    with pytest.raises(kind, match=words) as caught:
        yield
    assert caught.value.mend
    assert caught.value.where
    assert not device.cell_is_on
    assert not any(line.startswith(("cell_on", "PW1", "VA", "VB", "SI", ":VOLT", ":BIAS")) for line in device.log)
    assert not list(folder.glob("x.nc*"))


# --- limits that are none


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.0, -0.01, True, "0.1"])
def test_a_limit_is_a_finite_number_above_zero_and_its_key_is_named(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"{name} is "):
        Limits(**{name: value})


def test_all_wrong_limits_are_told_at_once_and_none_lifts_them_all() -> None:
    with pytest.raises(ConfigError) as caught:
        Limits(**dict.fromkeys(FIELDS, math.nan))
    assert all(name in caught.value.mend for name in FIELDS)
    assert Limits(**dict.fromkeys(FIELDS, None)).to_dict() == dict.fromkeys(FIELDS, None)
    assert json.dumps(Limits(current_a=np.float64(0.5)).to_dict())


# --- set-points that are no numbers, at the driver


def forged(sweep: Sweep, **values: float) -> Sweep:
    """Return a sweep with values that it would not take itself."""
    copy = replace(sweep)
    for name, value in values.items():
        object.__setattr__(copy, name, value)
    return copy


def test_no_set_point_that_is_no_number_or_out_of_limits_reaches_any_instrument(at: Bench) -> None:
    devices: list[tuple[Any, str, dict[str, Any]]] = [
        (palmsens(SYMMETRIC), "palmsens", {}),
        (EmulatedLcr(SYMMETRIC), "lcr", {"cell": "symmetric"}),
        (EmulatedAnalyser(SYMMETRIC), "solartron", {"gap_s": 0.0}),
    ]
    seeded = random.Random(48)
    wrong = (math.nan, math.inf, -math.inf, 1e12, -1e12)
    for device, driver, options in devices:
        with connect(**at(device, driver, **options)) as meter:
            device.log.clear()
            for _ in range(200):
                names = seeded.sample(Sweep.__slots__, seeded.randint(1, 3))
                sweep = forged(SWEEP, **{name: seeded.choice(wrong) for name in names})
                with pytest.raises(RejectedError):
                    meter.sweep(sweep)
            assert device.log == []


@pytest.mark.parametrize("planned_hz", [math.nan, 1e12, 1e-9, -1.0])
def test_a_planned_frequency_outside_the_limits_is_refused_too(planned_hz: float, at: Bench) -> None:
    device = EmulatedLcr(SYMMETRIC)
    with connect(**at(device, "lcr", cell="symmetric")) as meter:
        device.log.clear()
        sweep = PlannedSweep(1e5, 1e3, 5, 0.01, planned_hz=(1e5, planned_hz, 1e3), planned_s=(1.0,) * 3)
        with pytest.raises(RejectedError, match="a planned frequency is"):
            meter.sweep(sweep)
        assert device.log == []


# --- excitation


def test_too_large_an_excitation_is_refused_before_anything_is_asked(tmp_path: Path, at: Bench) -> None:
    options = at(device := palmsens(SYMMETRIC), "palmsens")
    with refused(device, tmp_path, r"amplitude_v is 0\.101 V rms, and 0\.1 V rms are allowed.*--max-amplitude"):
        measure(options, tmp_path, replace(SWEEP, amplitude_v=0.101))
    assert not any(line.startswith("meas_loop") for line in device.log)
    assert len(measure(options, tmp_path, replace(SWEEP, amplitude_v=0.101), limits=Limits(0.2))) == 11


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(amplitude_a=0.9e-3), r"amplitude_a is 0\.001 A rms, and 0\.0009 A rms"),
        (Limits(current_a=2e-3), r"direct part is 0\.00223607 A rms, and 0\.002 A rms"),  # √(1² + 2²) mA
    ],
)
def test_a_current_that_is_foreseen_is_refused(limits: Limits, words: str, tmp_path: Path, at: Bench) -> None:
    options = at(device := palmsens(SYMMETRIC), "palmsens")
    sweep = Sweep(1e5, 1e3, 5, amplitude_a=1e-3, dc_a=2e-3)
    with refused(device, tmp_path, words):
        measure(options, tmp_path, sweep, limits=limits)


def test_a_limit_that_an_instrument_cannot_keep_is_refused(tmp_path: Path, at: Bench) -> None:
    options = at(device := EmulatedHioki(POUCH_CELL), "hioki")
    with refused(device, tmp_path, "chooses its current itself"):
        measure(options, tmp_path, Sweep(1e3, 1e2, 2, 0.01), limits=Limits(current_a=1.0))


@pytest.mark.parametrize("name", ["amplitude_v", "amplitude_a"])
def test_an_excitation_that_is_no_number_is_above_every_limit(name: str, at: Bench) -> None:
    with connect(**at(palmsens(SYMMETRIC), "palmsens")) as meter:
        sweep = SWEEP if name == "amplitude_v" else Sweep(1e5, 1e3, 5, amplitude_a=1e-3)
        nan = forged(sweep, dc_a=math.nan) if name == "amplitude_a" else forged(sweep, amplitude_v=math.nan)
        with pytest.raises(RejectedError, match="nan A rms" if name == "amplitude_a" else "nan V rms"):
            Limits(current_a=1.0).check(nan, meter.capabilities(), where="here")


# --- the DC level and the cell's own voltage


@pytest.mark.parametrize("make", [palmsens, EmulatedBench], ids=["palmsens", "solartron"])
@pytest.mark.parametrize("dc_v", [0.0, -OCV_V, OCV_V - 0.051, OCV_V + 0.051])
def test_a_cell_is_not_held_away_from_where_it_rests(
    dc_v: float, make: Callable[..., Any], tmp_path: Path, at: Bench
) -> None:
    device = make(AT_REST)
    driver, options = ("palmsens", {}) if make is palmsens else ("solartron", {"gap_s": 0.0})
    where = at(device, driver, **options)
    with refused(device, tmp_path, r"open-circuit voltage, (400|399\.9|400\.1)[.0-9]* mV \(measured\).*--dc ocv"):
        measure(where, tmp_path, replace(SWEEP, dc_v=dc_v))


@pytest.mark.parametrize("make", [palmsens, EmulatedBench], ids=["palmsens", "solartron"])
def test_one_that_is_near_is_measured_and_the_spectrum_says_where_the_cell_rested(
    make: Callable[..., Any], tmp_path: Path, at: Bench
) -> None:
    device = make(AT_REST)
    driver, options = ("palmsens", {}) if make is palmsens else ("solartron", {"gap_s": 0.0})
    spectrum = measure(at(device, driver, **options), tmp_path, replace(SWEEP, dc_v=OCV_V + 0.049))
    assert spectrum.metadata["ocv"]["voltage_v"] == pytest.approx(OCV_V, abs=5e-5)
    assert spectrum.metadata["ocv"]["source"] == "measured"
    assert spectrum.metadata["limits"] == Limits().to_dict()
    assert read(tmp_path / "x.nc").metadata["ocv"] == spectrum.metadata["ocv"]
    assert read_journal(tmp_path / "x.nc.journal.jsonl").limits == Limits()
    assert not device.cell_is_on


def test_a_cell_may_be_polarised_knowingly(tmp_path: Path, at: Bench) -> None:
    sweep = replace(SWEEP, dc_v=0.7)
    spectrum = measure(at(palmsens(AT_REST), "palmsens"), tmp_path, sweep, limits=Limits(dc_from_ocv_v=0.31))
    assert spectrum.metadata["sweep"]["dc_v"] == 0.7


def test_a_current_is_not_compared_with_a_voltage(tmp_path: Path, at: Bench) -> None:
    sweep = Sweep(1e5, 1e3, 5, amplitude_a=1e-3)
    spectrum = measure(at(palmsens(AT_REST), "palmsens"), tmp_path, sweep)
    assert spectrum.metadata["ocv"]["voltage_v"] == pytest.approx(OCV_V, abs=5e-5)


def test_a_meter_that_holds_no_potential_measures_a_charged_cell_and_its_voltage(
    tmp_path: Path, at: Bench
) -> None:
    options = at(EmulatedHioki(POUCH_CELL), "hioki")
    spectrum = measure(options, tmp_path, Sweep(1e3, 1e2, 2, 0.01), hold_ocv=True)
    assert spectrum.metadata["ocv"]["voltage_v"] == pytest.approx(3.7, abs=1e-3)
    assert spectrum.metadata["sweep"]["dc_v"] == 0


def test_reversed_leads_are_noticed_by_what_was_declared(tmp_path: Path, at: Bench) -> None:
    options = at(device := palmsens(replace(SYMMETRIC, ocv_v=-OCV_V)), "palmsens")
    with refused(device, tmp_path, r"declared to rest at 400 mV, but is at -400.* mV.*reversed"):
        measure(options, tmp_path, ocv_v=OCV_V)


@pytest.mark.parametrize("ocv_v", [math.nan, math.inf])
def test_a_declared_voltage_is_a_finite_number(ocv_v: float, tmp_path: Path, at: Bench) -> None:
    options = at(device := palmsens(SYMMETRIC), "palmsens")
    with refused(device, tmp_path, "ocv_v is", ConfigError):
        measure(options, tmp_path, ocv_v=ocv_v)


def test_a_voltage_that_cannot_be_read_ends_the_matter_unless_that_limit_is_lifted(
    tmp_path: Path, at: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pointwise, "ANSWER_S", 0.02)
    options = at(device := EmulatedBench(AT_REST), "solartron", gap_s=0.0, dvm_query="?ZZ")
    with refused(device, tmp_path, "--max-dc-from-ocv none", LinkError):
        measure(options, tmp_path)
    with refused(device, tmp_path, "to hold the cell at is not known; give the DC level in volts", LinkError):
        measure(options, tmp_path, limits=Limits(dc_from_ocv_v=None), hold_ocv=True)
    told: list[str] = []
    spectrum = measure(options, tmp_path, limits=Limits(dc_from_ocv_v=None), on_notice=told.append)
    assert "ocv" not in spectrum.metadata
    assert any("could not be read" in text for text in told)


def test_a_voltage_that_is_no_number_is_no_voltage(at: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(**at(palmsens(SYMMETRIC), "palmsens")) as meter:
        monkeypatch.setattr(meter, "ocv", lambda seconds: math.nan)
        with pytest.raises(InstrumentError, match="not a number"):
            open_circuit(meter, SWEEP, Limits())
        with pytest.raises(RejectedError, match="away from"):
            require_near(
                SWEEP, OpenCircuit(math.nan, "measured", ""), Limits(), meter.capabilities(), where="here"
            )


# --- held where it rests


@pytest.mark.parametrize("make", [palmsens, EmulatedBench], ids=["palmsens", "solartron"])
def test_a_cell_can_be_held_where_it_rests(make: Callable[..., Any], tmp_path: Path, at: Bench) -> None:
    device = make(AT_REST)
    driver, options = ("palmsens", {}) if make is palmsens else ("solartron", {"gap_s": 0.0})
    told: list[str] = []
    spectrum = measure(at(device, driver, **options), tmp_path, hold_ocv=True, on_notice=told.append)
    dc_v = spectrum.metadata["sweep"]["dc_v"]
    assert dc_v == spectrum.metadata["ocv"]["voltage_v"] == pytest.approx(OCV_V, abs=5e-5)
    assert any("held at its open-circuit voltage" in text for text in told)
    if make is EmulatedBench:
        assert device.interface.value("PV") == pytest.approx(OCV_V, abs=5e-5)


def test_it_is_held_where_it_came_to_rest_and_not_where_it_was_before(
    tmp_path: Path, at: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, settle = at(device := palmsens(AT_REST), "palmsens"), preparation.settle
    now = [0.0]

    def relax(seconds: float) -> None:
        now[0] += seconds
        device.cell = replace(SYMMETRIC, ocv_v=0.3)

    monkeypatch.setattr(
        preparation, "settle", lambda *args, **kw: settle(*args, **kw, now=lambda: now[0], sleep=relax)
    )
    spectrum = measure(options, tmp_path, hold_ocv=True, preparation=preparation.Preparation(settle_s=30.0))
    assert spectrum.metadata["sweep"]["dc_v"] == pytest.approx(0.3, abs=5e-5)
    assert spectrum.metadata["plan"]["sweep"] == spectrum.metadata["sweep"]


def test_a_cell_that_moved_away_while_it_was_waited_for_is_refused(
    tmp_path: Path, at: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = at(device := palmsens(AT_REST), "palmsens")
    prepare = preparation.prepare

    def prepare_for_long(*args: Any, **kw: Any) -> Any:
        done = prepare(args[0], args[1], preparation.Preparation(), **kw)
        device.cell = replace(SYMMETRIC, ocv_v=0.2)
        return done

    monkeypatch.setattr(preparation, "prepare", prepare_for_long)
    with refused(device, tmp_path, "200 mV away|199.9.* mV away|200.0.* mV away"):
        wishes = preparation.Preparation(settle_s=3600.0)
        measure(options, tmp_path, replace(SWEEP, dc_v=OCV_V), preparation=wishes)


def test_a_cell_that_is_far_away_already_is_not_waited_for(
    tmp_path: Path, at: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = at(device := palmsens(AT_REST), "palmsens")
    monkeypatch.setattr(preparation, "settle", lambda *args, **kw: pytest.fail("it was waited for"))
    with refused(device, tmp_path, "away from"):
        measure(options, tmp_path, preparation=preparation.Preparation(settle_s=3600.0))


@pytest.mark.parametrize("sweep", [replace(SWEEP, dc_v=0.4), Sweep(1e5, 1e3, 5, amplitude_a=1e-3)])
def test_it_cannot_be_held_at_two_levels(sweep: Sweep, tmp_path: Path, at: Bench) -> None:
    options = at(device := palmsens(AT_REST), "palmsens")
    with refused(device, tmp_path, "something else besides", ConfigError):
        measure(options, tmp_path, sweep, hold_ocv=True)


# --- instruments without a voltmeter


@pytest.mark.parametrize(
    ("make", "driver", "options"),
    [(EmulatedLcr, "lcr", {"cell": "symmetric"}), (EmulatedAnalyser, "solartron", {"gap_s": 0.0})],
)
@pytest.mark.parametrize("ocv_v", [3.7, -0.031])
def test_a_cell_that_would_be_discharged_is_refused(
    ocv_v: float, make: Any, driver: str, options: dict[str, Any], tmp_path: Path, at: Bench
) -> None:
    where = at(device := make(SYMMETRIC), driver, **options)
    with refused(device, tmp_path, r"voltage of its own, .* \(declared\).*disconnect"):
        measure(where, tmp_path, ocv_v=ocv_v, limits=Limits(dc_from_ocv_v=None))


def test_a_capacitor_in_series_or_a_symmetric_cell_s_millivolts_are_no_reason(tmp_path: Path, at: Bench) -> None:
    blocked = at(EmulatedLcr(SYMMETRIC), "lcr", cell="dc-blocked")
    assert measure(blocked, tmp_path, ocv_v=3.7).metadata["ocv"]["voltage_v"] == 3.7
    (tmp_path / "more").mkdir()
    symmetric = at(EmulatedLcr(SYMMETRIC), "lcr", cell="symmetric")
    assert measure(symmetric, tmp_path / "more", ocv_v=0.02).metadata["ocv"]["source"] == "declared"


def test_to_hold_a_cell_where_nobody_knows_is_refused(tmp_path: Path, at: Bench) -> None:
    options = at(device := EmulatedLcr(SYMMETRIC), "lcr", cell="symmetric")
    with refused(device, tmp_path, r"cannot measure the open-circuit voltage.*--ocv 3\.7V"):
        measure(options, tmp_path, hold_ocv=True)


def test_a_level_that_cannot_be_compared_is_told(tmp_path: Path, at: Bench) -> None:
    told: list[str] = []
    sweep = replace(SWEEP, dc_v=1.5)
    options = at(EmulatedLcr(SYMMETRIC), "lcr", cell="blocking")
    assert len(measure(options, tmp_path, sweep, on_notice=told.append)) == SWEEP.n_points
    assert any(text.startswith("whether 1.5 V is near") and "--ocv" in text for text in told)


# --- the current, while the cell is on


def current_a(cell: EmulatedCell, source_ohm: float = 0.0) -> Any:
    return SWEEP.amplitude_v / np.abs(cell.impedance(SWEEP.frequencies_hz) + source_ohm)


@pytest.mark.parametrize("limit_a", [2e-4, 5e-4, 9e-4])
def test_the_sweep_ends_with_the_first_point_whose_current_was_too_large(
    limit_a: float, tmp_path: Path, at: Bench
) -> None:
    options = at(device := palmsens(INDUCTIVE), "palmsens")
    first = int(np.argmax(current_a(INDUCTIVE) > limit_a))
    assert 0 < first < SWEEP.n_points - 1  # somewhere in between
    on: list[bool] = []
    with pytest.raises(AbortedError, match=r"ended by a limit: .*A rms at .*Hz") as caught:
        measure(
            options,
            tmp_path,
            limits=Limits(current_a=limit_a),
            on_point=lambda point: on.append(device.cell_is_on and bool(point.quality & Quality.SOURCE_LIMIT)),
        )
    assert caught.value.exit_code == 5
    assert not any(on)  # the cell was off before the point was handed on
    assert not device.cell_is_on
    record = read_journal(tmp_path / "x.nc.journal.jsonl")
    assert [bool(point.quality & Quality.SOURCE_LIMIT) for point in record.points] == [False] * first + [True]
    assert (record.status, "limit" in record.reason) == ("aborted", True)
    assert "limit:" in record.points[-1].status


def test_a_resumed_sweep_keeps_its_limits(tmp_path: Path, at: Bench) -> None:
    options = at(device := palmsens(INDUCTIVE), "palmsens")
    limits = Limits(current_a=5e-4)
    with connect(**options) as meter:
        path = tmp_path / "x.jsonl"
        with pytest.raises(AbortedError):
            list(recorded(meter, SWEEP, path, limits=limits))
        done = len(read_journal(path).points)
        with pytest.raises(ConfigError, match=r"current_a is 0\.01, in the journal 0\.0005"):
            next(resumed(meter, path, limits=replace(limits, current_a=0.01)))
        with pytest.raises(AbortedError, match="ended by a limit"):
            list(resumed(meter, path))
        assert len(read_journal(path).points) == done + 1
        assert not device.cell_is_on
        device.cell = replace(INDUCTIVE, values=(100.0, 1e-4))  # the short is gone
        list(resumed(meter, path))
    record = read_journal(path)
    assert (record.status, len(record.points), record.limits) == ("completed", SWEEP.n_points, limits)


def test_limits_that_were_changed_in_the_journal_are_noticed(tmp_path: Path, at: Bench) -> None:
    options = at(palmsens(INDUCTIVE), "palmsens")
    with connect(**options) as meter:
        with contextlib.suppress(AbortedError):
            list(recorded(meter, SWEEP, path := tmp_path / "x.jsonl", limits=Limits(current_a=5e-4)))
        path.write_bytes(path.read_bytes().replace(b'"current_a": 0.0005', b'"current_a": 5.0', 1))
        with pytest.raises(StoreError, match="header was changed"):
            next(resumed(meter, path))


def test_the_cell_s_voltage_is_compared_again_before_a_sweep_is_resumed(tmp_path: Path, at: Bench) -> None:
    options = at(device := palmsens(AT_REST), "palmsens")
    sweep = replace(SWEEP, dc_v=OCV_V)
    with connect(**options) as meter:
        points = recorded(meter, sweep, path := tmp_path / "x.jsonl", limits=Limits())
        next(points)
        points.close()
        device.cell = replace(SYMMETRIC, ocv_v=0.1)
        before, times_on = path.read_bytes(), device.log.count("cell_on")
        with pytest.raises(RejectedError, match="away from the cell's open-circuit voltage"):
            next(resumed(meter, path))
        assert (path.read_bytes(), device.log.count("cell_on")) == (before, times_on)
        device.cell = replace(SYMMETRIC, ocv_v=0.41)
        list(resumed(meter, path))
    (gap,) = read_journal(path).gaps
    assert gap.ocv_v == pytest.approx(0.41, abs=5e-5)


def test_a_declared_voltage_holds_for_the_resumed_sweep_too(tmp_path: Path, at: Bench) -> None:
    options = at(EmulatedLcr(SYMMETRIC), "lcr", cell="symmetric")
    with connect(**options) as meter:
        declared = open_circuit(meter, SWEEP, Limits(), declared_v=0.02)
        points = recorded(meter, SWEEP, path := tmp_path / "x.jsonl", limits=Limits(), ocv=declared)
        next(points)
        points.close()
        with pytest.raises(RejectedError, match="voltage of its own"):
            next(resumed(meter, path, ocv_v=3.7))
        list(resumed(meter, path))
    assert read_journal(path).gaps[0].ocv_v == 0.02


def test_what_stands_before_the_cell_limits_the_current_too(tmp_path: Path, at: Bench) -> None:
    short = EmulatedCell("short", "R0", (1e-3,), 1.0, 1, "symmetric", "R0")
    expected_a = 0.01 / 100.001  # through the 100 ohm of the bridge
    options = at(EmulatedLcr(short, noise=0.0), "lcr", cell="symmetric")
    with connect(**options) as meter:
        assert len(list(guarded(meter, SWEEP, Limits(current_a=1.01 * expected_a)))) == SWEEP.n_points
        with pytest.raises(AbortedError):
            list(guarded(meter, SWEEP, Limits(current_a=0.99 * expected_a)))


def test_a_current_that_excites_too_much_voltage_ends_the_sweep(at: Bench) -> None:
    sweep = Sweep(1e5, 1e2, 5, amplitude_a=2.5e-3)
    excited_v = 2.5e-3 * np.abs(SYMMETRIC.impedance(sweep.frequencies_hz))
    first = int(np.argmax(excited_v > 0.1))
    assert 0 < first < sweep.n_points - 1
    with connect(**at(palmsens(SYMMETRIC), "palmsens")) as meter:
        points = guarded(meter, sweep, Limits())
        flagged = [bool(next(points).quality & Quality.SOURCE_LIMIT) for _ in range(first + 1)]
        assert flagged == [False] * first + [True]
        with pytest.raises(AbortedError, match="100 mV rms are allowed"):
            next(points)


def test_what_the_instrument_said_of_the_last_point_is_kept_too(at: Bench) -> None:
    device = palmsens(SYMMETRIC, faults=Faults(points={0: "overload_warning"}))
    with connect(**at(device, "palmsens")) as meter:
        point = next(guarded(meter, SWEEP, Limits(current_a=1e-6)))
    assert point.quality == Quality.OVERLOAD_WARNING | Quality.SOURCE_LIMIT
    assert point.status.startswith("overload")
    assert "limit: " in point.status


def test_a_point_that_is_no_number_says_nothing_about_the_current(at: Bench) -> None:
    device = palmsens(SYMMETRIC, faults=Faults(points={2: "nan"}))
    with connect(**at(device, "palmsens")) as meter:
        assert len(list(guarded(meter, SWEEP, Limits(current_a=1.0)))) == SWEEP.n_points


def test_a_point_of_no_impedance_at_all_is_beyond_every_limit(at: Bench) -> None:
    with connect(**at(palmsens(SYMMETRIC), "palmsens")) as meter:
        point = replace(next(meter.sweep(SWEEP)), z_ohm=0j)
    assert "no end of" in Limits(current_a=1e6).exceeded(point, SWEEP)


def test_a_point_is_kept_also_if_the_cell_could_not_be_verified_to_be_off(
    at: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(**at(palmsens(INDUCTIVE), "palmsens")) as meter:
        with monkeypatch.context() as patched:
            patched.setattr(meter, "_make_sure_off", _fails)
            points = guarded(meter, SWEEP, Limits(current_a=1e-6))
            assert next(points).quality & Quality.SOURCE_LIMIT
            with pytest.raises(CellStateUnknownError):
                next(points)
        meter.cell_off()


def _fails() -> None:
    raise CellStateUnknownError("The cell could not be verified to be off", where="here", mend="Go and look.")


def test_a_sweep_that_is_given_up_switches_the_cell_off(at: Bench) -> None:
    device = palmsens(SYMMETRIC)
    with connect(**at(device, "palmsens")) as meter:
        points = guarded(meter, SWEEP, Limits(current_a=1.0))
        next(points)
        assert device.cell_is_on
        points.close()
        assert not device.cell_is_on


def test_what_is_refused_is_refused_when_it_is_asked_for_and_not_with_the_first_point(at: Bench) -> None:
    meter: Potentiostat
    with connect(**at(palmsens(AT_REST), "palmsens")) as meter:
        ocv = open_circuit(meter, SWEEP, Limits())
        with pytest.raises(RejectedError, match="away"):
            guarded(meter, SWEEP, Limits(), ocv=ocv)
        with pytest.raises(RejectedError, match="amplitude_v is"):
            guarded(meter, replace(SWEEP, dc_v=OCV_V), Limits(amplitude_v=0.009), ocv=ocv)


# --- from the command line


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ((), RejectedError, "open-circuit voltage, 3.7"),
        (("--dc", "3.6V"), RejectedError, "away from"),
        (("--dc", "ocv", "--amplitude", "0.2V"), RejectedError, "amplitude_v is 0.2"),
        (("--dc", "ocv", "--amplitude", "20mV", "--max-amplitude", "15mV"), RejectedError, "0.015 V rms"),
        (("--dc", "ocv", "--amplitude", "1mA"), ConfigError, "--dc ocv"),
        (("--amplitude", "2mA", "--max-amplitude", "1mA"), RejectedError, "amplitude_a is 0.002"),
        (("--amplitude", "2mA", "--max-current", "1mA"), RejectedError, "0.001 A rms are allowed"),
        (("--ocv", "-3.7V"), RejectedError, "declared to rest at -3.7 V"),
        (("--ocv", "nanV"), ConfigError, "--ocv"),
        (("--max-current", "nan"), ConfigError, "--max-current"),
        (("--max-dc-from-ocv", "0V"), ConfigError, "--max-dc-from-ocv"),
        (("--max-dc-from-ocv", "1e999V"), ConfigError, "--max-dc-from-ocv"),
        (("--option", "limits=none"), ConfigError, "--option"),
    ],
)
def test_the_command_refuses_in_words(arguments: tuple[str, ...], kind: type, words: str, tmp_path: Path) -> None:
    usual = ("--resource", "sim::pouch-cell", "--sweep", "1e3:1e2:2", "--out", str(tmp_path / "x.nc"))
    done = CliRunner().invoke(app, ["measure", *usual, *arguments])
    assert isinstance(done.exception, kind)
    assert words in str(done.exception)
    assert not list(tmp_path.glob("x.nc*"))


def test_the_command_holds_a_cell_where_it_rests(tmp_path: Path) -> None:
    out = tmp_path / "x.nc"
    usual = ["measure", "--resource", "sim::pouch-cell", "--sweep", "1e3:1e2:2", "--out", str(out)]
    done = CliRunner().invoke(app, [*usual, "--dc", "ocv", "--max-current", "none", "--max-amplitude", "none"])
    assert done.exit_code == 0, done.exception
    spectrum = read(out)
    assert spectrum.metadata["sweep"]["dc_v"] == pytest.approx(3.7, abs=1e-3)
    assert spectrum.metadata["limits"] == {**Limits().to_dict(), "amplitude_v": None}


def test_the_command_that_a_limit_ended_says_how_to_go_on_and_going_on_keeps_the_limit(tmp_path: Path) -> None:
    out = tmp_path / "x.nc"
    sweep = Sweep(1e5, 1e2, 5, 0.01)
    limit_a = 1.02 * float(np.max(0.01 / np.abs(SYMMETRIC.impedance(sweep.frequencies_hz))))
    usual = ("--resource", "sim::symmetric-cell", "--sweep", "1e5:1e2:5", "--out", out)
    ended = eis("measure", *usual, "--max-current", f"{limit_a / 2}A")
    assert ended.returncode == 5, ended.stderr
    assert "ended by a limit" in ended.stderr
    journal = f"{out}.journal.jsonl"
    assert f"go on with: eis measure --resume {journal}" in ended.stderr
    for arguments, kind, words in (
        (("--max-current", "1A"), ConfigError, "current_a is 1.0, in the journal"),
        (("--dc", "ocv"), ConfigError, "--dc ocv is for a new sweep"),
        ((), AbortedError, "ended by a limit"),
    ):
        done = CliRunner().invoke(app, ["measure", "--resume", journal, *arguments])
        assert isinstance(done.exception, kind)
        assert words in str(done.exception)
    assert len(read_journal(journal).points) == 2
