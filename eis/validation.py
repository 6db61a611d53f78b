"""Can this spectrum be trusted? Kramers–Kronig, what was measured twice, and the statistics of what is left over.

A linear, causal, stable and stationary cell obeys Kramers and Kronig, and every spectrum that does is a ladder of
RC elements to within its noise (`eis.ladder`). What the ladder leaves over is noise, or has a cause;
`eis.suspicions` names it. A drift or a non-linearity that looks like slow relaxation obeys Kramers–Kronig too:
only what was measured twice shows it (`eis.repeats`).

Start: `validate` for one spectrum, `validate_many` (`eis.ladder_bulk`) for an archive.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from eis import judging
from eis.errors import SpectrumError
from eis.ladder import (
    Form,
    Ladder,
    all_ladders,
    best_ladder,
    fit_ladder,
    ladder_mu,
    ladder_without,
    lengths_by_criterion,
    schonleber_ladder,
    time_constants,
    uneven_noise,
)
from eis.ladder_bulk import Validities, validate_many
from eis.quantities import format_si
from eis.repeats import Change, change_between, pairs_between, pairs_within
from eis.spectrum import ComplexArray, RealArray, Spectrum
from eis.suspicions import Explained, explain
from eis.validity import Fault, Validity, ValidityVerdict

__all__ = [
    "Validities",
    "Validity",
    "fit_ladder",
    "ladder_mu",
    "schonleber_ladder",
    "time_constants",
    "validate",
    "validate_many",
]

FEWEST_POINTS = 8
FEWEST_PER_DECADE = 3.0
ONE_DECADE = 1.05
CONSTANT = 0.01
BETTER_FORM = 10.0
"""By how much AICc must fall before the admittance form is believed where the real part is negative."""
FAR_BETTER = 2.0
"""By how much it must fall per value before that form is believed elsewhere: a factor e² of the sum of squares."""
LARGEST_MIRRORED = 0.03
"""Rms residual of the conjugate above which a wrong sign is not what is wrong."""
NEGATIVE, NEGATIVE_POINTS = 0.05, 3
"""How far below zero, as a fraction of |Z|, and at how many points the real part must lie to be negative."""
MOST_CUT_DECADES = 1.5
CUT_STEP = 2


def validate(
    spectrum: Spectrum, *, repeats: Sequence[Spectrum] = (), other_amplitude: Spectrum | None = None
) -> Validity:
    r"""Say whether a spectrum can be trusted, how it fails if not, and in what band it holds.

    A ladder of RC elements with series R, L and C is fitted linearly to both parts at once, weighted by 1/\|Z\|.
    The number of elements M, between 2 and 6 per decade, is the one with the least AICc (`Validity.m_by` holds
    what other criteria say), with time constants between 1/ω_max and 1/ω_min or half a decade beyond. Where the
    real part is negative the same is tried on the admittance. Residuals are those against the ladder of the points
    that do not stand out alone.

    The verdict comes from what the residuals look like, not from how large the largest is: noise of 1 % is noise,
    a drift of 1 % is not. See `eis.suspicions` for the patterns and `eis.judging` for the limits.

    Parameters
    ----------
    spectrum : Spectrum
        Points with an excluding flag are left out; points measured again (flag `DUPLICATE`) tell the drift. The
        column ``time_s`` says when a point was measured, ``thd…_percent`` how much distortion there was.
    repeats : sequence of Spectrum, optional
        The same cell in the same state measured again, e.g. the sweep back up.
    other_amplitude : Spectrum, optional
        The same sweep, or some of its points, at another amplitude.

    Returns
    -------
    Validity
        "invalid" for a fault of 1 % of \|Z\| or more or when its reader doubted unit or sign; "suspect" for a
        lesser fault, for single points that stand out, or for too few points to tell; else "valid".

    Raises
    ------
    SpectrumError
        If fewer than 8 points are in use, or a point has \|Z\| = 0.
    """
    f, z = spectrum.frequency_hz, spectrum.z_ohm
    _refuse(spectrum, f, z)
    ladders = all_ladders(f, z)
    best = best_ladder(ladders)
    negative = bool((z.real < -NEGATIVE * np.abs(z)).sum() >= NEGATIVE_POINTS)
    if negative:
        ladders = _better_form(f, z, ladders, BETTER_FORM)
    sign = _sign(f, z, _size(best.residual)[0]) if ladders[0].form == "impedance" else []
    if not (negative or sign) and _size(best.residual)[0] > judging.INVALID:
        ladders = _better_form(f, z, ladders, FAR_BETTER * 2 * f.size)
    best = best_ladder(ladders)
    uneven = uneven_noise(best)
    if uneven is not None:
        ladders = all_ladders(f, z, form=best.form, unevenness=uneven)
        best = best_ladder(ladders)
    clocks, has_time = _clocks(spectrum)
    quantity = z if best.form == "impedance" else 1 / z
    found = explain(f, quantity, clocks, uneven)
    residual = best.residual
    if found.alone.any():  # what stands alone must not bend the ladder it is compared with
        clean = found.ladder
        residual = ladder_without(f, quantity, found.alone, clean.m, clean.extension)
    rms, largest = _size(residual)
    noise = found.ladder.sigma
    measured_twice = _twice(spectrum, repeats, other_amplitude, noise * best.unevenness)
    faults = [*measured_twice, *sign]
    named = {fault.cause for fault in faults}
    if "sign" not in named:
        patterns = [] if _too_few(f) else judging.faults_of(found, f, residual, has_time=has_time)
        if "nonlinear" in named:  # what else a non-linear cell leaves is not a cause of its own
            patterns = [one for one in patterns if one.cause in ("outlier", "mains")]
        faults += [one for one in patterns if not (one.cause == "drift" and "drift" in named)]
        left = found.ladder.residual
        faults += judging.leftover_faults(left, noise, _size(left)[0], named=bool(faults))
    faults.sort(key=lambda fault: fault.severity != "invalid")
    low, high, cut = _valid_band(f, quantity, faults, found)
    verdict, because = _verdict(spectrum, faults, rms, largest)
    because = (*because, *(text for text in cut if text not in because))
    return Validity(
        verdict=verdict,
        method=_method(best.form),
        m=best.m,
        mu=best.mu,
        rms_residual=rms,
        max_residual=largest,
        because=because,
        frequency_hz=f,
        residual_real=residual.real,
        residual_imag=residual.imag,
        faults=tuple(faults),
        noise=noise,
        m_by=lengths_by_criterion(ladders),
        marked_hz=tuple(f[found.alone].tolist()),
        mains_hz=judging.mains_points(f),
        f_min_hz=low,
        f_max_hz=high,
        cut=cut,
        detectable_drift=found.detectable_drift,
    )


def _better_form(f: RealArray, z: ComplexArray, ladders: list[Ladder], margin: float) -> list[Ladder]:
    """Return ladders of the admittance if their AICc is less by some margin, else those of the impedance."""
    other = all_ladders(f, z, form="admittance")
    return other if best_ladder(other).aicc < best_ladder(ladders).aicc - margin else ladders


def _refuse(spectrum: Spectrum, f: RealArray, z: ComplexArray) -> None:
    if f.size < FEWEST_POINTS:
        raise SpectrumError(
            f"{f.size} points are too few for a Kramers–Kronig test; {FEWEST_POINTS} are needed",
            where=spectrum.name,
            mend="Measure more points.",
        )
    if not np.all(np.abs(z) > 0):
        raise SpectrumError("A point has |Z| = 0", where=spectrum.name, mend="Drop the point: no cell has it.")


def _method(form: Form) -> str:
    weights = "modulus weights" if form == "impedance" else "admittance, modulus weights"
    return f"Lin-KK (complex, {weights}, series R, L and C, M by AICc)"


def _clocks(spectrum: Spectrum) -> tuple[list[RealArray], bool]:
    """Return when each point in use was measured, 0 to 1: by the clock, else a guess for either direction."""
    used = spectrum.used
    time = spectrum.columns.get("time_s")
    if time is not None and np.isfinite(time[used]).all() and np.ptp(time[used]) > 0:
        return [(time[used] - time[used].min()) / float(np.ptp(time[used]))], True
    periods = np.cumsum(1 / spectrum.frequency_hz)
    down = periods / periods[-1]
    return [down, 1 - down], False


def _twice(
    spectrum: Spectrum, repeats: Sequence[Spectrum], other_amplitude: Spectrum | None, noise: RealArray
) -> list[Fault]:
    """Return what second measurements, and harmonics, show."""
    out = [judging.harmonics_fault(spectrum)]
    rising, noise_rising = np.log(spectrum.frequency_hz[::-1]), noise[::-1]

    def change_of(pairs: tuple[RealArray, ComplexArray, ComplexArray]) -> Change:
        return change_between(*pairs, np.interp(np.log(pairs[0]), rising, noise_rising))

    if other_amplitude is not None:
        out.append(judging.amplitude_fault(change_of(pairs_between(spectrum, other_amplitude))))
    changes = [(change_of(pairs_within(spectrum)), "where it was measured again")]
    changes += [(change_of(pairs_between(spectrum, one)), f"in {one.name}, measured again") for one in repeats]
    change, source = max(changes, key=lambda one: one[0].size)
    out.append(judging.drift_fault(change, source))
    return [one for one in out if one is not None]


def _sign(f: RealArray, z: ComplexArray, rms: float) -> list[Fault]:
    """Say so when the conjugate obeys Kramers–Kronig much better: the file has −Z″ where Z″ belongs."""
    if rms <= judging.INVALID:
        return []
    mirrored, _ = _size(best_ladder(all_ladders(f, np.conj(z), step=2)).residual)
    if mirrored >= min(rms / 3, LARGEST_MIRRORED):
        return []
    because = (
        f"With the sign of Z″ turned round the residuals are {mirrored:.2%}: the file seems to hold −Z″ as "
        "Z″; a capacitive arc must have Z″ < 0 here."
    )
    return [Fault("sign", "invalid", because, (), rms)]


def _verdict(
    spectrum: Spectrum, faults: Sequence[Fault], rms: float, largest: float
) -> tuple[ValidityVerdict, tuple[str, ...]]:
    """Return the worst that was found, and why."""
    f = spectrum.frequency_hz
    verdict: ValidityVerdict = "valid"
    because = [fault.because for fault in faults]
    if faults:
        verdict = "invalid" if any(fault.severity == "invalid" for fault in faults) else "suspect"
    if _too_few(f):
        verdict = "suspect" if verdict == "valid" else verdict
        because.append(
            f"{f.size} points over {_decades(f):.1f} decades are too few to tell: a ladder follows them whatever "
            f"they are; measure more than one decade with {FEWEST_PER_DECADE:g} points in each, better 10."
        )
    if not because:
        because += _plain_words(spectrum)
        because.append(f"The residuals, {rms:.2%} rms and {largest:.2%} at most, show no trend.")
    doubts = tuple(
        str(doubt) for doubt in spectrum.metadata.get("doubts", ())
    )  # what its reader could not believe
    return ("invalid" if doubts else verdict), (*doubts, *because)


def _decades(f: RealArray) -> float:
    return math.log10(float(f[0] / f[-1]))


def _too_few(f: RealArray) -> bool:
    """Tell whether there are so few points, or decades, that a ladder follows them whatever they are."""
    return _decades(f) < ONE_DECADE or (f.size - 1) / _decades(f) < FEWEST_PER_DECADE - 0.05


def _plain_words(spectrum: Spectrum) -> list[str]:
    """Say so where a sound spectrum holds nothing but a resistor, or nothing but leads."""
    z = spectrum.z_ohm
    if np.abs(z / z.mean() - 1).max() < CONSTANT:
        return ["Z is the same at every frequency to within 1 %: a resistor; there is no process to be found."]
    if (z.imag > 0).all():
        return ["Z is inductive at every frequency: leads, or the wrong sign; there is no arc to be found."]
    return []


def _valid_band(
    f: RealArray, z: ComplexArray, faults: Sequence[Fault], seen: Explained
) -> tuple[float, float, tuple[str, ...]]:
    """Return the band (Hz) left when an end that drifts, or that leads disturb, is cut off as little as helps."""
    edge = judging.edge_points(seen)
    low, high = float(f[-1]), float(f[edge])
    causes = {fault.cause for fault in faults} & ({one.pattern for one in seen.suspicions} | {"inconsistent"})
    cut: list[str] = []
    if edge:
        size = max(one.size for one in seen.suspicions if one.points[0] < edge)
        shown = format_si(high, "Hz", digits=3)
        what = "one point stands" if edge == 1 else f"{edge} points stand"
        cut.append(f"Above {shown} {what} out by up to {size:.2%} of |Z|, as leads and fixture make them.")
    for cause, ends in (("high-frequency artefact", (0,)), ("drift", (-1,)), ("inconsistent", (0, -1))):
        if cause not in causes:
            continue
        for end in ends:
            kept = _without_end(f, z, end)
            if kept is None:
                continue
            last = float(kept[0] if end == 0 else kept[-1])
            shown = format_si(last, "Hz", digits=3)
            if end == 0:
                high = last
                cut.append(f"Above {shown} the data break Kramers–Kronig; below it they do not.")
            else:
                low = last
                cut.append(f"Below {shown} the data break Kramers–Kronig; above it they do not.")
            break
    return low, high, tuple(cut)


def _without_end(f: RealArray, z: ComplexArray, end: int) -> RealArray | None:
    """Return the frequencies left when so few points are cut off one end that nothing smooth is suspected."""
    steps = int(MOST_CUT_DECADES * (f.size - 1) / math.log10(float(f[0] / f[-1])))
    for lost in range(CUT_STEP, steps + 1, CUT_STEP):
        part = slice(lost, None) if end == 0 else slice(None, -lost)
        if f[part].size < 2 * FEWEST_POINTS:
            return None
        periods = np.cumsum(1 / f[part])
        down = periods / periods[-1]
        found: Explained = explain(f[part], z[part], [down, 1 - down])
        if all(one.pattern == "outlier" for one in found.suspicions):
            return f[part]
    return None


def _size(residual: ComplexArray) -> tuple[float, float]:
    """Return rms and largest of the real and imaginary residuals."""
    parts = np.concatenate([residual.real, residual.imag])
    return float(np.sqrt((parts**2).mean())), float(np.abs(parts).max())
