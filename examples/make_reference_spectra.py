"""Write `datasets/reference/`: cells of many kinds, and spectra with something wrong, each with its truth inside.

Run ``python examples/make_reference_spectra.py [FOLDER]``; the same files come out every time. Every file is the
project's own CSV; its metadata hold the circuit, its values, the cell and what is wrong with the measurement.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from eis import archive
from eis.spectrum import Spectrum

AREA_CM2 = 1.131
SEED = 20261122
NOISE = 1e-3  # standard deviation of each part, as a fraction of |Z|
BOLTZMANN_EV = 8.617333262e-5
ROOM_K = 298.15


def arc(frequency_hz, r_ohm, peak_hz, alpha):
    """R parallel to a constant-phase element: R / (1 + (j f/f0)^alpha)."""
    return r_ohm / (1 + (1j * frequency_hz / peak_hz) ** alpha)


def diffusion(frequency_hz, sigma):
    """Semi-infinite diffusion: sigma (1 - j) / sqrt(omega)."""
    return sigma * (1 - 1j) / np.sqrt(2 * np.pi * frequency_hz)


def inductor(frequency_hz, henry):
    """Lead inductance."""
    return 2j * np.pi * frequency_hz * henry


def arrhenius(at_room, activation_ev, temperature_c):
    """R(T) = R(25 degC) exp(Ea/k (1/T - 1/298.15 K))."""
    return at_room * np.exp(activation_ev / BOLTZMANN_EV * (1 / (temperature_c + 273.15) - 1 / ROOM_K))


def symmetric(frequency_hz, asr_ohm_cm2=10.0, grain_boundary_ohm=15.0):
    """Two equal interfaces in series with electrolyte and grain boundaries."""
    interfaces = arc(frequency_hz, 2 * asr_ohm_cm2 / AREA_CM2, 1.2e3, 0.92)
    return inductor(frequency_hz, 1e-7) + 22 + arc(frequency_hz, grain_boundary_ohm, 150e3, 0.95) + interfaces


def cells():
    """Yield (name, frequency, truth, metadata) of sound measurements."""
    f = np.logspace(6, -1, 71)
    circuit = {"circuit": "L0-R0-p(R1,CPE1)-p(R2,CPE2)"}
    yield (
        "symmetric_cell",
        f,
        symmetric(f),
        circuit | {"truth": {"R2": 20 / AREA_CM2}, "kind": "symmetric", "interfaces": 2},
    )
    half = 8 + arc(f, 12.0, 40e3, 0.95) + arc(f, 6.0, 800.0, 0.9) + diffusion(f, 1.5)
    yield (
        "half_cell",
        f,
        half,
        {
            "circuit": "R0-p(R1,CPE1)-p(R2,CPE2)-W1",
            "truth": {"R0": 8.0, "R1": 12.0, "R2": 6.0, "W1": 1.5},
            "kind": "half",
            "interfaces": 1,
        },
    )
    wide = 7e6 * 10 ** (-np.arange(79) / 10)
    for temperature_c in (-25.0, 0.0, 25.0, 60.0):
        bulk, boundary = arrhenius(60.0, 0.35, temperature_c), arrhenius(90.0, 0.45, temperature_c)
        z = arc(wide, bulk, 1 / (2 * np.pi * bulk * 20e-12), 1.0)
        z = (
            z
            + arc(wide, boundary, 1 / (2 * np.pi * boundary * 2e-9), 0.95)
            + 1 / (5e-6 * (2j * np.pi * wide) ** 0.9)
        )
        truth = {"bulk_ohm": bulk, "boundary_ohm": boundary, "bulk_ev": 0.35, "boundary_ev": 0.45}
        name = f"blocking_pellet_{temperature_c:+.0f}C".replace("+", "plus").replace("-", "minus")
        yield (
            name,
            wide,
            z,
            {"truth": truth, "kind": "blocking", "temperature_c": temperature_c, "thickness_cm": 0.1},
        )
    for arm, after in (("filled", 0.6), ("control", 0.98)):
        for moment, factor in (("before", 1.0), ("after", after)):
            yield (
                f"filling_{arm}_{moment}",
                f,
                symmetric(f, 10.0 * factor, 15.0 * factor),
                circuit
                | {"truth": {"ratio": after}, "arm": arm, "moment": moment, "kind": "symmetric", "interfaces": 2},
            )
    low = np.logspace(4, -2, 61)
    z = inductor(low, 1e-7) + 4e-3 + arc(low, 3e-3, 80.0, 0.9) + arc(low, 5e-3, 0.8, 0.9)
    yield (
        "inductive_milliohm_cell",
        low,
        z,
        circuit | {"truth": {"L0": 1e-7, "R0": 4e-3, "R1": 3e-3, "R2": 5e-3}, "kind": "full", "interfaces": 1},
    )


def faulty():
    """Yield measurements with something wrong."""
    f = np.logspace(6, -1, 71)
    again = np.concatenate([f, f[:6]])  # the beginning measured again at the end
    share = np.cumsum(0.4 + 3 / again)
    share = share / share[-1]
    grown = np.array(
        [symmetric(again[i : i + 1], 10.0, 15.0)[0] * (1 + 0.02 * share[i]) for i in range(again.size)]
    )
    yield "drifting", again, grown, {"wrong": "everything grows by 2 % during the sweep, linearly in time"}
    z = symmetric(f)
    lines = np.isin(np.round(f, 0), (50, 100, 158, 251))  # the grid's points at and near 50 Hz and its harmonics
    yield (
        "mains_polluted",
        f,
        z * np.where(lines, 1.06 - 0.04j, 1.0),
        {"wrong": "hum of 50 Hz and its harmonics", "points": np.flatnonzero(lines).tolist()},
    )
    yield "inverted_sign", f, z.conj(), {"wrong": "Z'' has the wrong sign"}


def main(folder):
    """Write every file into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, frequency, truth, metadata) in enumerate([*cells(), *faulty()]):
        noise = np.random.default_rng(SEED + number).normal(scale=NOISE, size=(2, truth.size))
        spectrum = Spectrum.of(
            frequency,
            truth + np.abs(truth) * (noise[0] + 1j * noise[1]),
            columns={"time_s": np.cumsum(0.4 + 3 / frequency)},
            metadata={"title": name, "synthetic": True, "noise_fraction": NOISE, "area_cm2": AREA_CM2} | metadata,
        )
        archive.write(spectrum, folder / f"{name}.csv", overwrite=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "datasets" / "reference")
