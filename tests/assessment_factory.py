"""Assessments whose every number is known in closed form; made by hand, without reader, fit or checker."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from eis.results import Arc, Assessment, Finding, Fit, Interface, Judgement, Parameter, Validity, Verdict
from eis.spectrum import Cell, ComplexArray, Quality, RealArray, Spectrum

LIMIT_TEXT = (
    "“3 mΩ/cm² or less” (surface resistance of the negative electrode on the solid electrolyte layer)\n"
    "unit ambiguous, secondary source"
)
CIRCUIT = "L0-R0-p(R1,CPE1)-p(R2,CPE2)"


def arc(omega: RealArray, r: float, q: float, alpha: float) -> ComplexArray:
    return np.asarray(r / (1 + r * q * (1j * omega) ** alpha))


def impedance(f: RealArray, values: dict[str, float]) -> ComplexArray:
    """Two arcs behind an inductance and a resistance; ``C3`` puts a blocking capacitor in series."""
    omega = 2 * math.pi * f
    z = 1j * omega * values["L0"] + values["R0"]
    z = z + arc(omega, values["R1"], values["CPE1_0"], values["CPE1_1"])
    z = z + arc(omega, values["R2"], values["CPE2_0"], values["CPE2_1"])
    return np.asarray(z + 1 / (1j * omega * values["C3"]) if "C3" in values else z)


VALUES = {
    "L0": 5e-8,
    "R0": 4.2,
    "R1": 8.0,
    "CPE1_0": 2.5e-7,
    "CPE1_1": 0.92,
    "R2": 12.5,
    "CPE2_0": 8e-5,
    "CPE2_1": 0.88,
}
U_RELATIVE = {"R0": 0.004, "R1": 0.006, "R2": 0.005, "L0": 0.05}
UNITS = {"L": "H", "R": "ohm", "C": "F"}


def spectrum(values: dict[str, float] = VALUES, *, name: str = "cell_07.mpt", noise: float = 1e-3) -> Spectrum:
    """Seven decades, ten points each; one overload, one repeated frequency, one warning."""
    f = np.geomspace(1e6, 0.1, 71)
    place = np.arange(71)
    z = impedance(f, values) * (1 + noise * (np.sin(2.4 * place) + 1j * np.cos(3.1 * place)))
    quality = np.zeros(71, dtype=np.int64)
    quality[0] = Quality.OVERLOAD
    z[0] *= 40
    quality[44] = Quality.OVERLOAD_WARNING
    f, z, quality = np.append(f, f[50]), np.append(z, z[50] * 1.15), np.append(quality, 0)
    metadata = {
        "file": name,
        "format": "BioLogic .mpt",
        "instrument": {"model": "SP-300", "amplitude_v_rms": 0.01},
        "converted": ["−Im(Z) to Z″"],
        "soc_percent": 50,
        "time_since_assembly_h": None,
    }
    return Spectrum.of(f, z, quality=quality, metadata=metadata)


def fit_of(
    measured: Spectrum, values: dict[str, float] = VALUES, *, circuit: str = CIRCUIT, converged: bool = True
) -> Fit:
    f = measured.frequency_hz
    parameters = tuple(
        Parameter(
            name=name,
            value=value,
            u=math.nan if name == "CPE1_1" else value * U_RELATIVE.get(name, 0.01),
            unit="ohm^-1 s^a" if name.endswith("_0") else "" if "_1" in name else UNITS[name[0]],
            fixed=name == "L0",
            at_bound=name == "CPE1_1",
            upper=1.0 if name.endswith("_1") else math.inf,
            because="at its upper bound" if name == "CPE1_1" else "",
        )
        for name, value in values.items()
    )
    free = tuple(p.name for p in parameters if not p.fixed and not p.at_bound)
    spread = np.array([p.u for p in parameters if p.name in free])
    return Fit(
        circuit=circuit,
        parameters=parameters,
        free=free,
        covariance=np.diag(spread**2),
        weight="modulus",
        chi2=1.32e-4,
        reduced_chi2=1.003e-6,
        aicc=-1841.2,
        bic=-1822.7,
        n_points=f.size,
        n_free=len(free),
        converged=converged,
        because=("CPE1_1 stopped at its upper bound.",),
        frequency_hz=f,
        z_ohm=measured.z_ohm,
        z_fit_ohm=impedance(f, values),
        arcs=(
            Arc("R1", "cpe", "R1", "CPE1_0", "CPE1_1"),
            Arc("R2", "cpe", "R2", "CPE2_0", "CPE2_1"),
        ),
        series_resistance=("R0",),
        metadata={"starts": 5},
    )


def validity_of(measured: Spectrum, *, size: float = 1e-3, **changes: Any) -> Validity:
    f = measured.frequency_hz
    place = np.arange(f.size)
    values: dict[str, Any] = {
        "verdict": "valid",
        "method": "Lin-KK (complex, modulus weights, capacitor)",
        "m": 27,
        "mu": 0.82,
        "rms_residual": size / math.sqrt(2),
        "max_residual": size,
        "because": ("No residual exceeds 1 % of |Z|.",),
        "frequency_hz": f,
        "residual_real": size * np.sin(2.4 * place),
        "residual_imag": size * np.cos(3.1 * place),
    }
    return Validity(**(values | changes))


def interfaces(cell: Cell, values: dict[str, float] = VALUES, *, resolved: bool = True) -> tuple[Interface, ...]:
    words = (
        ("R1", "grain boundary", 0.55, ("C per area is near 1e-8 F/cm².",)),
        ("R2", "interface", 0.8, ("C per area is that of a double layer.", "f0 is below that of the bulk.")),
    )
    found = []
    for number, (name, process, confidence, evidence) in enumerate(words, start=1):
        r, q, alpha = values[name], values[f"CPE{number}_0"], values[f"CPE{number}_1"]
        tau = (r * q) ** (1 / alpha)
        found.append(
            Interface(
                name=name,
                arc_resistance_ohm=r,
                u_arc_resistance_ohm=r * U_RELATIVE[name],
                interfaces_in_path=cell.interfaces_in_path,
                area_cm2=cell.area_cm2,
                u_area_cm2=cell.u_area_cm2,
                capacitance_f=tau / r,
                capacitance_formula="C = (R·Q)^(1/α) / R",
                frequency_hz=1 / (2 * math.pi * tau),
                process=process,
                confidence=confidence,
                evidence=evidence,
                resolved=resolved or name == "R1",
                because=() if resolved or name == "R1" else ("The relative standard error is 410 %.",),
            )
        )
    return tuple(found)


def finding(reading: str = "asr", verdict: Verdict = Verdict.FAIL, **changes: Any) -> Finding:
    """One of the readings of the default cell: 12.5 Ω over two interfaces of 1.131(11) cm²."""
    r, u_r, a, u_a = 12.5 / 2, 12.5 / 2 * 0.005, 1.131, 0.011
    value, u, unit = {
        "asr": (r * a, math.hypot(u_r * a, r * u_a), "ohm cm2"),
        "per_area": (r / a, math.hypot(u_r / a, r * u_a / a**2), "ohm/cm2"),
        "absolute": (r, u_r, "ohm"),
    }[reading]
    values: dict[str, Any] = {
        "quantity": "R2 interface resistance",
        "arc": "R2",
        "reading": reading,
        "interfaces_in_path": 2,
        "value": value,
        "u": u,
        "unit": unit,
        "limit": 3e-3,
        "k": 2.0,
        "p_conform": 0.0,
        "rule": "guarded acceptance, w = U (k = 2)",
        "acceptance_limit": 3e-3 - 2 * u,
        "verdict": verdict,
        "because": f"{value:.4g} {unit} is above the limit of 0.003 {unit} by more than U.",
    }
    return Finding(**(values | changes))


def assessment(
    *, name: str = "cell_07.mpt", values: dict[str, float] = VALUES, cell: Cell | None = None, **changes: Any
) -> Assessment:
    """A symmetric cell that fails 3 mΩ/cm² in every reading; `changes` replace parts of the judgement."""
    cell = cell or Cell(1.131, 0.011, interfaces_in_path=2, kind="symmetric", temperature_c=25.0, pressure_mpa=5.0)
    measured = spectrum(values, name=name)
    judgement: dict[str, Any] = {
        "verdict": Verdict.FAIL,
        "because": "Every reading of the limit is exceeded by more than three orders of magnitude.",
        "limit_text": LIMIT_TEXT,
        "findings": (finding("asr"), finding("per_area"), finding("absolute")),
        "arcs": interfaces(cell, values),
        "would_change": ("An interface of 2.6 mΩ instead of 6.25 Ω would pass in the reading asr.",),
    }
    return Assessment(
        measured,
        cell,
        validity_of(measured),
        fit_of(measured, values),
        Judgement(**(judgement | changes)),
        candidates=((CIRCUIT, -1841.2), ("R0-p(R1,CPE1)", -903.5)),
    )


def near_the_limit() -> Assessment:
    """Against 7.2 Ω·cm²: one finding of every kind a rule can give, and one the data do not resolve."""
    u = finding().u
    common: dict[str, Any] = {"u": u, "limit": 7.2, "acceptance_limit": 7.2 - 2 * u}
    rows = (
        finding(verdict=Verdict.PASS, value=6.9, p_conform=0.99945, **common),
        finding(verdict=Verdict.CONDITIONAL_PASS, value=7.07, p_conform=0.93, **common),
        finding(verdict=Verdict.CONDITIONAL_FAIL, value=7.3, p_conform=0.14, **common),
        finding(verdict=Verdict.FAIL, value=8.0, p_conform=1e-9, **common),
        finding(verdict=Verdict.NOT_RESOLVED, value=6.0, **(common | {"u": 14.0, "acceptance_limit": -20.8})),
        finding(verdict=Verdict.NOT_RESOLVED, value=math.nan, **(common | {"u": math.nan, "p_conform": math.nan})),
    )
    because = "R2 is below the limit, but inside the guard band."
    return assessment(name="near.csv", verdict=Verdict.CONDITIONAL_PASS, because=because, findings=rows)


def not_resolved() -> Assessment:
    """A blocking cell whose number of interfaces nobody stated, with an arc the data do not determine."""
    values = VALUES | {"C3": 2e-4}
    cell = Cell(0.785)
    rows = tuple(
        finding(reading, Verdict.NOT_RESOLVED, interfaces_in_path=n, value=v / n, u=4.1 * v / n, p_conform=0.31)
        for reading, v in (("asr", 9.8), ("per_area", 15.9), ("absolute", 12.5))
        for n in (1, 2)
    )
    return assessment(
        name="blocking cell.z",
        values=values,
        cell=cell,
        verdict=Verdict.NOT_RESOLVED,
        because="The data do not determine R2: its relative standard error is 410 %.",
        findings=rows,
        arcs=interfaces(cell, values, resolved=False),
        would_change=("State how many interfaces the current crosses.", "Measure down to 1 mHz."),
    )
