"""Sessions as PSTrace saves them: JSON in UTF-16 with a stray mark behind it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.vendors import FREQUENCY, Written, cell

Array = NDArray[np.float64]
METHOD = (
    "#PSTrace, Version=5.11.1006.19013\r\nMETHOD_ID={method}\r\nNOTES=Dummy%20cell%crlfWE-C\r\nSCANTYPE={scan}\r\n"
)
TICKS = 638895739666773365
TWO_HOURS = 72_000_000_000
UNITS = {
    "Time": ("s", "Time"),
    "Volt": ("V", "Potential"),
    "MicroAmpere": ("A", "Current"),
    "Hertz": ("Hz", "Frequency"),
    "ZRe": ("Ω", "Z'"),
    "ZIm": ("Ω", "-Z''"),
    "Z": ("Ω", "Z"),
    "Phase": ("°", "-Phase"),
}


def array(kind: int, description: str, unit: str, values: Sequence[float] | Array, **more: int) -> dict[str, Any]:
    """Return one array of a data set; `more` stands in every value beside the number."""
    symbol, quantity = UNITS[unit]
    return {
        "Type": "PalmSens.Data.DataArray",
        "ArrayType": kind,
        "Description": description,
        "Unit": {"Type": f"PalmSens.Units.{unit}", "S": symbol, "Q": quantity, "A": symbol},
        "DataValues": [{"V": float(value), **more} for value in values],
        "DataValueType": "PalmSens.Data.GenericValue",
    }


def data_set(frequency: Array, z: NDArray[np.complex128], level: Array | None = None) -> dict[str, Any]:
    """Return the arrays of a curve."""
    n = frequency.size
    level = np.zeros(n) if level is None else level
    values = [
        array(2, "Idc", "MicroAmpere", np.full(n, 0.5), C=5, S=0),
        array(1, "potential", "Volt", level, S=2, R=7),
        array(0, "time", "Time", np.zeros(n)),
        array(5, "Frequency", "Hertz", frequency),
        array(7, "ZRe", "ZRe", z.real),
        array(8, "ZIm", "ZIm", -z.imag),
        array(10, "Z", "Z", np.abs(z)),
        array(6, "Phase", "Phase", -np.degrees(np.angle(z))),
        array(9, "Iac", "MicroAmpere", 0.007e6 / np.abs(z), C=5, S=0, T=1),
        array(36, "miDC", "MicroAmpere", np.full(n, 0.5), C=5, S=0),
        array(33, "mEdc", "Volt", level + 0.0015, S=2, R=7),
        array(34, "Eac", "Volt", np.full(n, 0.007), S=2, T=1, R=5),
        {**array(16383, "nPointsAC", "Time", []), "Hidden": True},
    ]
    return {"Type": "PalmSens.Data.DataSetEIS", "Values": values}


def curve(title: str, data: dict[str, Any], scan_type: int = 2) -> dict[str, Any]:
    """Return one entry of an EISDataList."""
    look = {"Type": "PalmSens.Plottables.VisualSettings", "AutoAssignColor": True, "Color": "-16776961"}
    entry = {"Appearance": look, "Title": title, "Hash": [235, 96], "Type": "PalmSens.Plottables.EISData"}
    return entry | {"ScanType": scan_type, "FreqType": 1, "CDC": None, "FitValues": [], "DataSet": data}


def measurement(
    own: dict[str, Any] | None,
    curves: Sequence[dict[str, Any]],
    title: str = "Impedance Spectroscopy",
    **method: Any,
) -> dict[str, Any]:
    """Return one measurement."""
    return {
        "Title": title,
        "TimeStamp": TICKS,
        "UTCTimeStamp": TICKS - TWO_HOURS,
        "DeviceUsed": 15,
        "DeviceSerial": "ES4HR20B0008",
        "DeviceFW": "1.307 Oct  7 2024 11:57:21",
        "Type": "PalmSens.Comm.ImpedimetricMeasMS",
        "DataSet": own or {"Type": "PalmSens.Data.DataSetCommon", "Values": []},
        "Method": METHOD.format(**({"method": "eis", "scan": 2} | method)),
        "Curves": [],
        "EISDataList": list(curves),
    }


def session(*measurements: dict[str, Any], mark: str = "\ufeff") -> bytes:
    """Return a file."""
    whole = {"Type": "PalmSens.DataFiles.SessionFile", "CoreVersion": "5.11.1006.0", "MethodForMeasurement": ""}
    text = json.dumps({**whole, "Measurements": list(measurements)}, separators=(",", ":"), ensure_ascii=False)
    return (text + mark).encode("utf-16-le").join((b"\xff\xfe", b""))


def lower(value: Any) -> Any:
    """Return the same with keys in lower case, as older versions write them."""
    if isinstance(value, dict):
        return {key.lower(): lower(one) for key, one in value.items()}
    return [lower(one) for one in value] if isinstance(value, list) else value


def scanned(channel: int, levels: Sequence[float], frequency: Array = FREQUENCY) -> tuple[dict[str, Any], list]:
    """Return a curve of one channel at several DC levels, one scan behind the other, and its truth."""
    truth = [(frequency, cell(frequency, channel + place / 10)) for place in range(len(levels))]
    data = data_set(
        np.concatenate([f for f, _ in truth]),
        np.concatenate([z for _, z in truth]),
        np.repeat(np.array(levels), frequency.size),
    )
    return curve(f"CH {channel}: E dc scan at {frequency.size} freqs", data, 1), truth


def older() -> bytes:
    """Return a session with keys in lower case."""
    whole = session(measurement(PLAIN, [curve("CH 7: 29 freqs", PLAIN)])).decode("utf-16").rstrip("\ufeff")
    text = json.dumps(lower(json.loads(whole)), separators=(",", ":"), ensure_ascii=False) + "\ufeff"
    return b"\xff\xfe" + text.encode("utf-16-le")


PLAIN = data_set(FREQUENCY, cell(FREQUENCY))
ONE = [(FREQUENCY, cell(FREQUENCY))]
SHORT = FREQUENCY[::6]
CHANNELS = [scanned(number, [0.0, 0.2, 0.4, 0.6], SHORT) for number in (3, 4, 5)]
CV = {
    "Type": "x",
    "Values": [array(1, "potential", "Volt", [0.0, 0.1]), array(2, "Idc", "MicroAmpere", [1.0, 2.0])],
}
BEGIN = {"title": "CH 7: 29 freqs", "channel": 7, "acquired": "2025-07-31T15:52:46.677+02:00"}

FILES: dict[str, Written] = {
    "plain.pssession": Written(
        session(measurement(PLAIN, [curve("CH 7: 29 freqs", PLAIN)])),
        ONE,
        1e-15,
        expected=BEGIN | {"vendor": {"DeviceSerial": "ES4HR20B0008", "Title": "Impedance Spectroscopy"}},
    ),
    "lower_case.pssession": Written(older(), ONE, 1e-15, expected=BEGIN),
    "three_channels_four_scans.pssession": Written(
        session(measurement(CHANNELS[2][0]["DataSet"], [one for one, _ in CHANNELS], scan=1)),
        [truth for _, truths in CHANNELS for truth in truths],
        1e-15,
        expected={"channel": 3, "scan": 1, "title": "CH 3: E dc scan at 5 freqs"},
    ),
    "among_others.pssession": Written(
        session(
            measurement(CV, [], "Cyclic Voltammetry", method="cv"),
            measurement(PLAIN, [curve("29 freqs", PLAIN)]),
            measurement(PLAIN, []),
        ),
        ONE * 2,
        1e-15,
        expected={"measurement": 2, "title": "29 freqs"},
    ),
}
