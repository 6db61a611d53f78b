r"""Take the fixture out of a measurement, with open, short and load standards, and carry their uncertainty along.

Between the instrument and the cell lies a linear two-port, so what is measured is a bilinear function of what is
there. Every correction here is one formula,

.. math:: Z = K \frac{Z_x - Z_s}{Z_o - Z_x},

with Z_x, Z_o and Z_s measured at the cell, the open and the short fixture; only K differs (`MODELS`). A short in
the cell's place, with its geometry and contact pressure, decides at the mΩ level. Its error is common to all
points of a spectrum: it moves a series resistance, not the width of an arc.

Keysight Technologies, Impedance Measurement Handbook, appendices B and C.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from eis.errors import ConfigError, SpectrumError
from eis.quantities import format_si, format_uncertain
from eis.spectrum import ComplexArray, Quality, Spectrum
from eis.standards import called, inside, interpolated, reach_hz

Model = Literal["short", "open", "series-shunt", "symmetric", "load"]


@dataclass(frozen=True, slots=True)
class _Measured:
    """What was measured at each frequency; an ideal open is infinite and an ideal short zero by its model."""

    x: ComplexArray
    open: ComplexArray
    short: ComplexArray
    load: ComplexArray
    true: ComplexArray


def _short_only(m: _Measured) -> ComplexArray:
    return m.x - m.short


def _open_only(m: _Measured) -> ComplexArray:
    return m.open * m.x / (m.open - m.x)


def _series_shunt(m: _Measured) -> ComplexArray:
    return (m.open - m.short) * (m.x - m.short) / (m.open - m.x)


def _symmetric(m: _Measured) -> ComplexArray:
    return m.open * (m.x - m.short) / (m.open - m.x)


def _load(m: _Measured) -> ComplexArray:
    return m.true * (m.open - m.load) / (m.load - m.short) * (m.x - m.short) / (m.open - m.x)


MODELS: Mapping[Model, tuple[Callable[[_Measured], ComplexArray], tuple[str, ...]]] = {
    "short": (_short_only, ("short",)),
    "open": (_open_only, ("open",)),
    "series-shunt": (_series_shunt, ("open", "short")),
    "symmetric": (_symmetric, ("open", "short")),
    "load": (_load, ("open", "short", "load")),
}
"""Each correction's formula and the standards it needs.

``series-shunt`` is exact for leads in series and a leak across the cell's contacts (K = Z_o − Z_s), ``symmetric``
for a fixture that looks the same from either side (K = Z_o), ``load`` for any linear fixture.
"""


def _slopes(model: Model, m: _Measured) -> dict[str, ComplexArray]:
    """Return the derivative of the corrected impedance by each measured quantity."""
    one = np.ones_like(m.x)
    if model == "short":
        return {"x": one, "short": -one}
    away = m.open - m.x
    if model == "open":
        return {"x": (m.open / away) ** 2, "open": -((m.x / away) ** 2)}
    span, ratio = m.open - m.short, (m.x - m.short) / away
    more: dict[str, ComplexArray] = {}
    if model == "series-shunt":
        k, k_open, k_short = span, one, -one
    elif model == "symmetric":
        k, k_open, k_short = m.open, one, np.zeros_like(m.x)
    else:
        above, below = m.open - m.load, m.load - m.short
        k = m.true * above / below
        k_open, k_short = m.true / below, k / below
        more = {"true": above / below * ratio, "load": -m.true * span / below**2 * ratio}
    return {
        "x": k * span / away**2,
        "open": ratio * (k_open - k / away),
        "short": k_short * ratio - k / away,
        **more,
    }


def compensate(
    spectrum: Spectrum,
    *,
    open_: Spectrum | None = None,
    short: Spectrum | None = None,
    load: Spectrum | None = None,
    load_ohm: complex | Spectrum | None = None,
    u_load_ohm: float = 0.0,
    model: Literal["series-shunt", "symmetric"] = "series-shunt",
) -> Spectrum:
    """Return the spectrum as it is at the cell, the fixture taken out.

    Parameters
    ----------
    spectrum : Spectrum
        What was measured at the cell, not corrected before.
    open_, short, load : Spectrum, optional
        What was measured at the open fixture, at the short, and at a known load, under the same settings. Short
        alone, open alone, open and short, or all three.
    load_ohm : complex or Spectrum, optional
        The load's true impedance (ohm), with `load`.
    u_load_ohm : float, optional
        Its standard uncertainty, per part (ohm).
    model : {"series-shunt", "symmetric"}, optional
        What the fixture is taken for with open and short; with a load it may be any linear one.

    Returns
    -------
    Spectrum
        With the impedance before correction in ``z_before_real_ohm`` and ``z_before_imag_ohm``, and in
        ``metadata["compensation"]`` what was applied: model, standards, their SHA-256. If all that went in has a
        column ``u_z_ohm`` (standard uncertainty per part), so has the result; if not, it has none, and the
        metadata say what was missing.

    Raises
    ------
    ConfigError
        If the spectrum was corrected before, or the standards do not make one of the corrections.
    SpectrumError
        If a standard does not reach over all frequencies in use or leaves too wide a gap, or if open and short
        are exchanged.

    Notes
    -----
    A standard at other frequencies is interpolated over log f, by cubic splines where it has four points or more;
    never beyond its ends. Points that are flagged for exclusion and lie outside become NaN.
    """
    chosen, standards = _chosen(open_, short, load, load_ohm, model)
    if "compensation" in spectrum.metadata:
        raise ConfigError(
            f"The spectrum was corrected before ({spectrum.metadata['compensation']})",
            where=spectrum.name,
            mend="Begin from the spectrum as it was measured.",
        )
    f = spectrum.all_frequency_hz
    outside = ~spectrum.used & ~inside(f, standards)
    at = np.where(outside, np.clip(f, *reach_hz(standards)), f)
    known = {name: interpolated(standard, name, at) for name, standard in standards.items()}
    blank = np.full(f.size, np.nan + 0j)
    z = {name: value for name, (value, _, _) in known.items()}
    if load_ohm is not None and not isinstance(load_ohm, Spectrum):
        z["true"] = np.full(f.size, complex(load_ohm))
    m = _Measured(spectrum.all_z_ohm, *(z.get(name, blank) for name in ("open", "short", "load", "true")))
    _require_order(m, spectrum)
    with np.errstate(all="ignore"):
        corrected = MODELS[chosen][0](m)
        slopes = _slopes(chosen, m)
    corrected = np.where(outside, np.nan, corrected)
    u = {name: value for name, (_, value, _) in known.items()}
    u["x"] = spectrum.columns.get("u_z_ohm")
    if load is not None and not isinstance(load_ohm, Spectrum):
        u["true"] = np.full(f.size, u_load_ohm)
    columns = {name: values for name, values in spectrum.columns.items() if name != "u_z_ohm"}
    columns |= {"z_before_real_ohm": spectrum.all_z_ohm.real, "z_before_imag_ohm": spectrum.all_z_ohm.imag}
    missing = sorted(called(name) for name in slopes if u[name] is None)
    if not missing:
        parts = [np.abs(slopes[name] * value) ** 2 for name in slopes if (value := u[name]) is not None]
        columns["u_z_ohm"] = np.where(outside, np.nan, np.sqrt(np.sum(parts, axis=0)))
    broken = ~np.isfinite(corrected)
    applied: dict[str, Any] = {
        "model": chosen,
        "standards": {
            called(name): {"name": standard.name, "sha256": spectrum_digest(standard)}
            for name, standard in standards.items()
        },
        "measured_sha256": spectrum_digest(spectrum),
        "n_interpolated": max((count for _, _, count in known.values()), default=0),
        "uncertainty": "propagated" if not missing else f"not stated for the {' and the '.join(missing)}",
    }
    if load is not None and not isinstance(load_ohm, Spectrum):
        true = complex(load_ohm or 0)
        applied["load_ohm"] = [true.real, true.imag]
        applied["u_load_ohm"] = u_load_ohm
    return Spectrum(
        f,
        np.where(broken, np.nan, corrected),
        spectrum.quality | np.where(broken, int(Quality.NOT_A_NUMBER), 0),
        columns,
        {**spectrum.metadata, "compensation": applied},
    )


def spectrum_digest(spectrum: Spectrum) -> str:
    """Return the SHA-256 (hex) of a spectrum's frequencies, impedances and flags, bit for bit."""
    digest = hashlib.sha256()
    for values, kind in (
        (spectrum.all_frequency_hz, "<f8"),
        (spectrum.all_z_ohm, "<c16"),
        (spectrum.quality, "<i8"),
    ):
        digest.update(np.ascontiguousarray(values, dtype=kind).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Leads:
    r"""What a short shows of leads and fixture: a resistance and an inductance in series.

    Parameters
    ----------
    r_ohm, u_r_ohm : float
        Resistance and its standard uncertainty (ohm).
    l_h, u_l_h : float
        Inductance, which may be negative where wires couple, and its standard uncertainty (H).
    misfit : float
        Rms of what the two do not explain, as a fraction of \|Z\|.
    f_min_hz, f_max_hz : float
        Where the short was measured (Hz).
    """

    r_ohm: float
    u_r_ohm: float
    l_h: float
    u_l_h: float
    misfit: float
    f_min_hz: float
    f_max_hz: float

    def reactance_reaches_hz(self, limit_ohm: float) -> float:
        """Return the frequency (Hz) at which ωL is `limit_ohm` (ohm); infinite without inductance."""
        return limit_ohm / (2 * math.pi * abs(self.l_h)) if self.l_h else math.inf

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        where = f"{format_si(self.f_max_hz, 'Hz')} to {format_si(self.f_min_hz, 'Hz')}"
        doubt = ""
        if self.misfit > 0.05:
            doubt = " They describe it badly: the resistance depends on frequency, or a contact is bad."
        return (
            f"Leads: R = {format_uncertain(self.r_ohm, self.u_r_ohm, 'Ω')}, "
            f"L = {format_uncertain(self.l_h, self.u_l_h, 'H')} (k = 2) from {where}; {self.misfit:.2%} of |Z| is "
            f"left unexplained.{doubt}"
        )


def short_residual(short: Spectrum) -> Leads:
    r"""Return the resistance and inductance of leads and fixture, for a spec sheet.

    Parameters
    ----------
    short : Spectrum
        The short, measured as the cell is: same geometry, same contact pressure. 4 points or more.

    Returns
    -------
    Leads
        Fitted to both parts, weighted by 1/\|Z\|. The uncertainties are those of the scatter about the fit or,
        where larger, those of the column ``u_z_ohm`` taken as common to all points (a gain or offset error is).
    """
    f, z = short.frequency_hz, short.z_ohm
    size = np.abs(z)
    if f.size < 4 or not np.all(size > 0):
        raise SpectrumError(
            f"{f.size} usable points with |Z| above 0 are needed: 4 or more",
            where=short.name,
            mend="Measure the short over the range of the cells.",
        )
    omega = 2 * np.pi * f
    r_weight, l_weight = 1 / size, omega / size
    r = float((r_weight**2 * z.real).sum() / (r_weight**2).sum())
    inductance = float((l_weight / size * z.imag).sum() / (l_weight**2).sum())
    left = (z - r - 1j * omega * inductance) / size
    scatter = math.sqrt(float((left.real**2 + left.imag**2).sum()) / (2 * f.size - 2))
    u_r = scatter / math.sqrt(float((r_weight**2).sum()))
    u_l = scatter / math.sqrt(float((l_weight**2).sum()))
    stated = short.columns.get("u_z_ohm")
    if stated is not None and np.isfinite(stated[short.used]).all():
        u = stated[short.used]
        u_r = max(u_r, float((r_weight**2 * u).sum() / (r_weight**2).sum()))
        u_l = max(u_l, float((l_weight / size * u).sum() / (l_weight**2).sum()))
    misfit = float(np.sqrt(np.mean(np.abs(left) ** 2)))
    return Leads(r, u_r, inductance, u_l, misfit, float(f[-1]), float(f[0]))


def _chosen(
    open_: Spectrum | None,
    short: Spectrum | None,
    load: Spectrum | None,
    load_ohm: complex | Spectrum | None,
    model: Literal["series-shunt", "symmetric"],
) -> tuple[Model, dict[str, Spectrum]]:
    """Return the correction that the standards make, and the standards by name."""
    given = {"open": open_, "short": short, "load": load}
    standards = {name: one for name, one in given.items() if one is not None}
    by_standards: dict[tuple[str, ...], Model] = {
        ("short",): "short",
        ("open",): "open",
        ("open", "short"): model,
        ("open", "short", "load"): "load",
    }
    chosen = by_standards.get(tuple(standards))
    if chosen is None or model not in ("series-shunt", "symmetric"):
        raise ConfigError(
            f"No correction is made from {' and '.join(standards) or 'nothing'} (model {model!r})",
            where="compensation",
            mend="Give a short, an open, both (model series-shunt or symmetric), or both and a load.",
        )
    if (load is None) != (load_ohm is None):
        raise ConfigError(
            "A load standard is what was measured at it and what it truly is",
            where="compensation",
            mend="Give load and load_ohm, or neither.",
        )
    if isinstance(load_ohm, Spectrum):
        standards["true"] = load_ohm
    elif load_ohm is not None and not (np.isfinite(load_ohm) and abs(load_ohm) > 0):
        raise ConfigError(f"load_ohm is {load_ohm!r}", where="compensation", mend="Give its impedance in ohm.")
    return chosen, standards


def _require_order(m: _Measured, spectrum: Spectrum) -> None:
    """Refuse an open that is smaller than the short: the two were exchanged."""
    with np.errstate(all="ignore"):
        exchanged = np.abs(m.open) <= np.abs(m.short)
    if exchanged.sum() > exchanged.size / 2:
        raise SpectrumError(
            "The open is smaller than the short", where=spectrum.name, mend="Exchange the two standards."
        )
