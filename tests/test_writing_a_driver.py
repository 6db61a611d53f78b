"""The driver that the manual shows is a driver: it measures an emulated instrument through the real PyVISA."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eis.errors import CellStateUnknownError, InstrumentError, LinkError
from instruments import Sweep, pointwise
from instruments.emulated.cells import SYMMETRIC
from instruments.emulated.device import LineDevice
from instruments.emulated.faults import Faults
from instruments.emulated.inprocess import library
from instruments.pointwise import PointByPoint

pytestmark = pytest.mark.usefixtures("watchdog")

PAGE = Path(__file__).parents[1] / "docs" / "writing_a_driver.md"
SWEEP = Sweep(1e5, 1e3, 5, 0.01)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pointwise, "ANSWER_S", 0.1)
    monkeypatch.setattr(pointwise, "BACK_OFF_S", 0.0)


class EmulatedAcme(LineDevice):
    """The other side of the manual's example."""

    def __init__(self, *arguments: Any, stuck: bool = False, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._level, self._frequency, self._stuck = 1.0, 1e3, stuck

    def _obey(self, line: str) -> None:
        answers = []
        for part in line.split(";"):
            match part.split():
                case ["*IDN?"]:
                    answers.append("ACME,Z-1000,EMULATED01,1.0")
                case ["LEV", level]:
                    self._level = float(level)
                case ["LEV?"]:
                    answers.append(f"{self._level:.6g}")
                case ["OUT", state]:
                    self.cell_is_on = state == "ON" or self._stuck
                case ["OUT?"]:
                    answers.append(str(int(self.cell_is_on)))
                case ["FREQ", frequency]:
                    self._frequency = float(frequency)
                case ["FREQ?"]:
                    answers.append(f"{self._frequency:.9g}")
                case ["MEAS?"]:
                    z = self._measured(self._frequency)
                    answers += [f"{z.real:.9g}", f"{z.imag:.9g}"]
        if answers:
            self._answer(";".join(answers))


def acme(device: EmulatedAcme) -> PointByPoint:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 - the manual's own code
    served = library().serve(device, f"acme-{id(device)}")
    return names["Acme"].open(served.resource, backend=served.backend, patience_s=0.2)  # type: ignore[no-any-return]


def test_the_manual_s_driver_measures_the_cell() -> None:
    device = EmulatedAcme(SYMMETRIC)
    with acme(device) as meter:
        spectrum = meter.sweep_spectrum(SWEEP)
        assert not device.cell_is_on
    truth = SYMMETRIC.impedance(SWEEP.frequencies_hz)
    assert np.abs(spectrum.z_ohm / truth - 1).max() < 5e-3
    assert meter.identify().simulated


@pytest.mark.parametrize("kind", ["truncate", "garbage", "repeat", "lose", "drop"])
@pytest.mark.parametrize("line", range(1, 14, 2))
def test_no_point_is_lost_or_wrong_when_one_line_goes_bad(kind: str, line: int) -> None:
    device = EmulatedAcme(SYMMETRIC, faults=Faults(lines={line: kind}), noise=0.0)  # type: ignore[dict-item]
    try:
        with acme(device) as meter:
            points = list(meter.sweep(SWEEP))
    except (LinkError, InstrumentError, CellStateUnknownError):
        points = []
    assert not device.cell_is_on
    for point, expected in zip(points, SYMMETRIC.impedance(SWEEP.frequencies_hz), strict=bool(points)):
        assert point.z_ohm == pytest.approx(complex(expected), rel=1e-6)


def test_a_point_after_a_bad_line_is_measured_again_and_says_so() -> None:
    device = EmulatedAcme(SYMMETRIC, faults=Faults(lines={5: "garbage"}))
    with acme(device) as meter:
        points = list(meter.sweep(SWEEP))
    assert [point.attempt for point in points].count(2) == 1
    assert len(points) == SWEEP.n_points


def test_an_output_that_stays_on_is_never_called_off() -> None:
    device = EmulatedAcme(SYMMETRIC, stuck=True)
    meter = acme(device)
    with pytest.raises(CellStateUnknownError):
        list(meter.sweep(SWEEP))
    assert device.cell_is_on
    meter.link.close()


def test_an_abort_from_outside_ends_the_sweep_with_the_cell_off() -> None:
    device = EmulatedAcme(SYMMETRIC)
    meter = acme(device)
    points = meter.sweep(SWEEP)
    next(points)
    meter.abort()
    with pytest.raises(Exception, match="aborted"):
        next(points)
    assert not device.cell_is_on
    meter.close()
