"""Can this spectrum be trusted? Kramers–Kronig, what was measured twice, and the statistics of what is left over.

A linear, causal, stable and stationary cell obeys Kramers and Kronig, and every spectrum that does is a ladder of
RC elements to within its noise (`eis.ladder`). What the ladder leaves over is noise, or has a cause;
`eis.suspicions` names it. A drift or a non-linearity that looks like slow relaxation obeys Kramers–Kronig too:
only what was measured twice shows it (`eis.repeats`).

Start: `validate` for one spectrum, `validate_many` for an archive; `lin_kk_many` (`eis.ladder_bulk`) for residuals
alone, a hundred times as fast.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
    lengths_of,
    schonleber_ladder,
    time_constants,
    uneven_noise,
)
from eis.ladder_bulk import Validities, lin_kk_many
from eis.repeats import Change, change_between, pairs_between, pairs_within, small_signal_share
from eis.screening import Screened, screen
from eis.spectrum import ComplexArray, RealArray, Spectrum
from eis.suspicions import explain
from eis.valid_band import guessed_clocks, valid_band
from eis.validity import Fault, Validity, ValidityVerdict

__all__ = [
    "Validities",
    "Validity",
    "fit_ladder",
    "ladder_mu",
    "lin_kk_many",
    "schonleber_ladder",
    "time_constants",
    "validate",
    "validate_many",
    "why_not",
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
    _refuse(spectrum)
    f, z = spectrum.frequency_hz, spectrum.z_ohm
    clocks, has_time = _clocks(spectrum)
    seen = None if _too_few(f) else screen(f, z[None], clocks[None])[0]
    measured = _Measured(spectrum, clocks, has_time, tuple(repeats), other_amplitude)
    return (_sound(measured, seen) if seen is not None else None) or _closely(measured)


def validate_many(spectra: Iterable[Spectrum]) -> tuple[Validity, ...]:
    """Say of each spectrum of an archive what `validate` says of it, the sound ones of each grid together.

    Parameters
    ----------
    spectra : iterable of Spectrum
        On one frequency grid or on several; an `eis.collection.Collection`, too.

    Returns
    -------
    tuple of Validity
        In the same order.

    Raises
    ------
    SpectrumError
        As `validate`, naming the first spectrum that cannot be tested; `why_not` tells beforehand.
    """
    every = list(spectra)
    for spectrum in every:
        _refuse(spectrum)
    groups: dict[tuple[bytes, bool], list[int]] = {}
    clocks = [_clocks(spectrum) for spectrum in every]
    for i, (spectrum, (_, has_time)) in enumerate(zip(every, clocks, strict=True)):
        groups.setdefault((spectrum.frequency_hz.tobytes(), has_time), []).append(i)
    found: dict[int, Screened | None] = {}
    for members in groups.values():
        f = every[members[0]].frequency_hz
        if not _too_few(f):
            z, when = np.array([every[i].z_ohm for i in members]), np.array([clocks[i][0] for i in members])
            found |= dict(zip(members, screen(f, z, when), strict=True))
    out = []
    for i, spectrum in enumerate(every):
        measured, seen = _Measured(spectrum, *clocks[i]), found.get(i)
        out.append((_sound(measured, seen) if seen is not None else None) or _closely(measured))
    return tuple(out)


def why_not(spectrum: Spectrum) -> SpectrumError | None:
    """Return what keeps a spectrum from being tested, or None: leave it out of an archive beforehand."""
    try:
        _refuse(spectrum)
    except SpectrumError as error:
        return error
    return None


@dataclass(frozen=True, slots=True)
class _Measured:
    """A spectrum, when its points were measured, and what was measured again."""

    spectrum: Spectrum
    clocks: RealArray
    has_time: bool
    repeats: tuple[Spectrum, ...] = ()
    other_amplitude: Spectrum | None = None


def _sound(measured: _Measured, seen: Screened) -> Validity | None:
    """Return that a spectrum with residuals beyond suspicion is valid, unless something else speaks against it."""
    spectrum, f = measured.spectrum, measured.spectrum.frequency_hz
    if spectrum.metadata.get("doubts") or _twice(measured, np.full(f.size, seen.noise)):
        return None
    verdict, because = _verdict(spectrum, (), seen.rms, seen.largest)
    return Validity(
        verdict=verdict,
        method=_method("impedance"),
        m=seen.m,
        mu=seen.mu,
        rms_residual=seen.rms,
        max_residual=seen.largest,
        because=because,
        frequency_hz=f,
        residual_real=seen.residual.real,
        residual_imag=seen.residual.imag,
        noise=seen.noise,
        m_by=seen.m_by,
        mains_hz=judging.mains_points(f),
        f_min_hz=float(f[-1]),
        f_max_hz=float(f[0]),
        detectable_drift=seen.detectable_drift,
    )


def _closely(measured: _Measured) -> Validity:
    """Look at a spectrum ladder by ladder and pattern by pattern."""
    spectrum, clocks = measured.spectrum, measured.clocks
    f, z = spectrum.frequency_hz, spectrum.z_ohm
    ladders = all_ladders(f, z)
    best = best_ladder(ladders)
    negative = bool((z.real < -NEGATIVE * np.abs(z)).sum() >= NEGATIVE_POINTS)
    if negative:
        ladders = _better_form(f, z, ladders, BETTER_FORM)
    sign = _sign(f, z, _size(best.residual)[0]) if ladders[0].form == "impedance" else []
    if not (negative or sign) and _size(best.residual)[0] > judging.INVALID:
        ladders = _better_form(f, z, ladders, FAR_BETTER * 2 * f.size)
    best = best_ladder(ladders)
    uneven = uneven_noise(best.residual)
    if uneven is not None:
        ladders = all_ladders(f, z, form=best.form, unevenness=uneven)
        best = best_ladder(ladders)
    quantity = z if best.form == "impedance" else 1 / z
    found = explain(f, quantity, clocks, uneven, ladders)
    residual = best.residual
    if found.alone.any():  # what stands alone must not bend the ladder it is compared with
        clean = found.ladder
        residual = ladder_without(f, quantity, found.alone, clean.m, clean.extension)
    rms, largest = _size(residual)
    noise = found.ladder.sigma
    measured_twice = _twice(measured, noise * best.unevenness)
    faults = [*measured_twice, *sign]
    named = {fault.cause for fault in faults}
    if "sign" not in named:
        patterns = [] if _too_few(f) else judging.faults_of(found, f, residual, has_time=measured.has_time)
        if "nonlinear" in named:  # what else a non-linear cell leaves is not a cause of its own
            patterns = [one for one in patterns if one.cause in ("outlier", "mains")]
        faults += [one for one in patterns if not (one.cause == "drift" and "drift" in named)]
        left = found.ladder.residual
        faults += judging.leftover_faults(left, noise, _size(left)[0], named=bool(faults))
    faults.sort(key=lambda fault: fault.severity != "invalid")
    low, high, cut = valid_band(f, quantity, faults, found)
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
        m_by=lengths_of(ladders),
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


def _refuse(spectrum: Spectrum) -> None:
    if not isinstance(spectrum, Spectrum):
        raise SpectrumError(
            f"{type(spectrum).__name__} is not a spectrum",
            mend="Read a file with eis.read(path), or wrap arrays with eis.Spectrum.of(frequency_hz, z_ohm).",
        )
    f, z = spectrum.frequency_hz, spectrum.z_ohm
    if f.size < FEWEST_POINTS:
        raise SpectrumError(
            f"{f.size} point{' is' if f.size == 1 else 's are'} too few for a Kramers–Kronig test; "
            f"{FEWEST_POINTS} are needed",
            where=spectrum.name,
            mend="Measure more points.",
        )
    if np.count_nonzero(z) < z.size:
        raise SpectrumError("A point has |Z| = 0", where=spectrum.name, mend="Drop the point: no cell has it.")


def _method(form: Form) -> str:
    weights = "modulus weights" if form == "impedance" else "admittance, modulus weights"
    return f"Lin-KK (complex, {weights}, series R, L and C, M by AICc)"


def _clocks(spectrum: Spectrum) -> tuple[RealArray, bool]:
    """Return when each point in use was measured, 0 to 1: by the clock, else a guess for either direction."""
    time = spectrum.columns.get("time_s")
    if time is not None:
        time = time[spectrum.used]
        first, last = float(time.min()), float(time.max())
        if math.isfinite(first) and math.isfinite(last) and last > first:
            return ((time - first) / (last - first))[None], True
    return guessed_clocks(spectrum.frequency_hz), False


def _twice(measured: _Measured, noise: RealArray) -> list[Fault]:
    """Return what second measurements, and harmonics, show."""
    spectrum = measured.spectrum
    out = [judging.harmonics_fault(spectrum)]
    rising, noise_rising = np.log(spectrum.frequency_hz[::-1]), noise[::-1]

    def change_of(pairs: tuple[RealArray, ComplexArray, ComplexArray, RealArray]) -> Change:
        return change_between(*pairs, np.interp(np.log(pairs[0]), rising, noise_rising))

    if measured.other_amplitude is not None:
        other = measured.other_amplitude
        share = small_signal_share(spectrum, other)
        out.append(judging.amplitude_fault(change_of(pairs_between(spectrum, other)), share))
    changes = [
        (change_of(pairs_between(spectrum, one)), f"in {one.name}, measured again") for one in measured.repeats
    ]
    if len(spectrum) < spectrum.all_frequency_hz.size:  # else no point was measured again
        changes.insert(0, (change_of(pairs_within(spectrum)), "where it was measured again"))
    if changes:
        out.append(judging.drift_fault(*max(changes, key=lambda one: one[0].size)))
    return [one for one in out if one is not None]


def _sign(f: RealArray, z: ComplexArray, rms: float) -> list[Fault]:
    """Say so when the conjugate obeys Kramers–Kronig much better: the file has −Z″ where Z″ belongs."""
    if rms <= judging.INVALID:
        return []
    mirrored, _ = _size(best_ladder(all_ladders(f, np.conj(z))).residual)
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


def _size(residual: ComplexArray) -> tuple[float, float]:
    """Return rms and largest of the real and imaginary residuals."""
    parts = np.concatenate([residual.real, residual.imag])
    return float(np.sqrt((parts**2).mean())), float(np.abs(parts).max())
