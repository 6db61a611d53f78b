"""Which circuit do the data support? Ladders of arcs with and without a tail, ranked by AICc.

A candidate with an arc the data do not determine is not supported, however well it fits; among those that are
supported and equally good the one with the fewest parameters is taken. `compare` shows the reasons.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import fdtrc

from eis import notebook
from eis.errors import FitError
from eis.fitted import plain
from eis.results import Arc, Fit
from eis.spectrum import Quality, Spectrum
from fitting.circuit import Circuit, Leaf, Node, Parallel, Series, parse
from fitting.cnls import fit
from fitting.problem import Weight

if TYPE_CHECKING:
    import pandas as pd

CANDIDATES = (
    "L0-R0-p(R1,CPE1)",
    "L0-R0-p(R1,CPE1)-CPE2",
    "L0-R0-p(R1,CPE1)-p(R2,CPE2)",
    "L0-R0-p(R1,CPE1)-p(R2,CPE2)-CPE3",
    "L0-R0-p(R1,CPE1)-p(R2,CPE2)-p(R3,CPE3)",
    "L0-R0-p(R1,CPE1)-p(R2,CPE2)-p(R3,CPE3)-CPE4",
)
"""Pellets between blocking electrodes, symmetric and half cells: one to three arcs, with or without a tail."""
EQUAL = 4.0
"""ΔAICc below which two circuits describe the data equally well.

Over 400 noise draws for each step of the ladder, an arc or a tail that was not there passed this and `BARELY` in
at most 1.3 % of them (0.5 % at a ΔAICc of 6).
"""
UNLIKE = 10.0
"""ΔAICc above which a circuit has essentially no support (Burnham and Anderson 2002, section 2.6)."""
BARELY = 0.5
"""Relative standard uncertainty of a resistance above which its arc is not supported."""
TAILS = ("CPE", "C", "W", "Wo", "Ws", "G")
"""Elements that are a tail when they stand in series with everything else."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """One circuit among others fitted to the same data.

    Parameters
    ----------
    circuit : str
        The circuit.
    n_arcs, n_free : int
        Its arcs and its free parameters.
    chi2, aicc, bic : float
        As in `Fit`.
    delta_aicc, akaike_weight : float
        AICc above the lowest, and exp(−ΔAICc/2) as a share of the sum over all circuits.
    simpler : str
        The circuit with the most parameters among those nested in this one; empty if there is none.
    p_value : float
        Chance that noise alone makes this one as much better than `simpler` (F test); NaN if there is none.
    supported : bool
        Whether the data determine every arc it has; not whether it describes them, which AICc tells.
    because : tuple of str
        Why not.
    """

    circuit: str
    n_arcs: int
    n_free: int
    chi2: float
    aicc: float
    delta_aicc: float
    akaike_weight: float
    bic: float
    simpler: str
    p_value: float
    supported: bool
    because: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Circuits fitted to the same data, the chosen one first, the others by AICc; `because` says it in words."""

    rows: tuple[Ranked, ...]
    because: tuple[str, ...]

    @property
    def chosen(self) -> Ranked:
        """The circuit to use."""
        return self.rows[0]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; a p-value that does not exist is null."""
        rows = [plain(asdict(row)) | {"because": list(row.because)} for row in self.rows]
        return {"chosen": self.chosen.circuit, "circuits": rows, "because": list(self.because)}

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per circuit, in rank order."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self.rows]).set_index("circuit")

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (
                row.circuit,
                str(row.n_free),
                f"{row.chi2:.4g}",
                f"{row.delta_aicc:.1f}",
                f"{row.akaike_weight:.2g}",
                f"{row.bic:.1f}",
                "" if math.isnan(row.p_value) else f"{row.p_value:.2g}",
                "yes" if row.supported else "no",
            )
            for row in self.rows
        ]

    def __str__(self) -> str:
        cells = [HEADING, *self._cells()]
        widths = [max(len(line[i]) for line in cells) for i in range(len(HEADING))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
        return "\n".join([*(line.rstrip() for line in lines), *(f"  {b}" for b in self.because)])

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{notebook.escape(b)}</li>" for b in self.because)
        return f"{notebook.table(HEADING, self._cells())}<ul>{notes}</ul>"


HEADING = ("circuit", "free", "χ²", "ΔAICc", "weight", "BIC", "p (F)", "all arcs determined")


def select(spectrum: Spectrum, candidates: Sequence[str] = CANDIDATES, *, weight: Weight = "modulus") -> list[Fit]:
    """Fit every candidate and return the fits, the chosen one first, the others by AICc.

    If some candidates have no inductor and leave inductive points out, all are fitted without those points:
    information criteria compare only what describes the same data.

    Raises
    ------
    FitError
        If no candidate can be fitted, because there are too few points for any.
    CircuitError
        If a candidate is not a circuit.
    """
    fits, refused = _fit_all(spectrum, candidates, weight)
    if not fits:
        raise FitError(
            f"None of {len(candidates)} candidate circuits can be fitted"
            + (f"; the simplest: {refused[0].what}" if refused else ""),
            where=spectrum.name,
            mend=refused[0].mend if refused else "Name at least one circuit.",
        )
    fewest = min(fits, key=lambda one: one.n_points)
    if any(one.n_points > fewest.n_points for one in fits):
        flags = spectrum.quality.copy()
        flags[np.flatnonzero(spectrum.used)[: -fewest.n_points]] |= int(Quality.EXCLUDED)
        common = Spectrum(
            spectrum.all_frequency_hz, spectrum.all_z_ohm, flags, spectrum.columns, spectrum.metadata
        )
        fits, _ = _fit_all(common, candidates, weight)
    return _rank(fits)


def _fit_all(spectrum: Spectrum, candidates: Sequence[str], weight: Weight) -> tuple[list[Fit], list[FitError]]:
    """Fit what can be fitted; return the refusals too, the one of the simplest circuit first."""
    fits: list[Fit] = []
    refused: list[tuple[int, FitError]] = []
    for candidate in candidates:
        try:
            fits.append(fit(candidate, spectrum, weight=weight))
        except FitError as error:
            refused.append((len(parse(candidate).names), error))
    return fits, [error for _, error in sorted(refused, key=lambda one: one[0])]


def _rank(fits: Sequence[Fit]) -> list[Fit]:
    """Put the chosen fit first and the others by AICc."""
    ranked = sorted(fits, key=lambda one: one.aicc)
    supported = [one for one in ranked if not objections(one)]
    if supported:
        equal = [one for one in supported if one.aicc <= supported[0].aicc + EQUAL]
        chosen = min(equal, key=lambda one: (one.n_free, one.aicc))
        ranked.remove(chosen)
        ranked.insert(0, chosen)
    return ranked


def is_supported(fitted: Fit, arc: Arc) -> bool:
    """Tell whether the data determine an arc: its resistance to 50 %, and its shape inside its limits."""
    return not _objection(fitted, arc)


def objections(fitted: Fit) -> list[str]:
    """Say what speaks against a fit's circuit: arcs the data do not determine, or no minimum found."""
    found = [text for arc in fitted.arcs if (text := _objection(fitted, arc))]
    return found if fitted.converged else [*found, "the fit did not converge"]


def _objection(fitted: Fit, arc: Arc) -> str:
    """Say why an arc is not supported; empty if it is."""
    resistance = fitted[arc.resistance]
    if not math.isfinite(resistance.u):
        return f"{arc.resistance} has no uncertainty ({resistance.because or 'the data do not determine it'})"
    if resistance.u > BARELY * resistance.value:
        times = resistance.u / resistance.value
        known = f"{times:.0%} of its value" if times < 1 else f"{times:.2g} times its value"
        return f"the standard uncertainty of {arc.resistance} is {known}"
    for name in (arc.second, arc.exponent):
        if name and fitted[name].at_bound and fitted[name].value <= fitted[name].lower * 1.01:
            return f"{name} of the arc {arc.name} rests on its lower limit"
    return ""


def compare(fits: Sequence[Fit]) -> Comparison:
    r"""Rank fits of different circuits to the same data and say which arcs the data do and do not support.

    .. math:: F = \frac{(\chi^2_a - \chi^2_b)/(k_b - k_a)}{\chi^2_b/(2n - k_b)} \quad (a\ nested\ in\ b), \qquad
              w_i = \frac{e^{-\Delta_i/2}}{\sum_j e^{-\Delta_j/2}}

    The F test is rough for an added arc, whose time constant does not exist where its resistance is zero: it
    rejects too easily, and the choice rests on AICc and on whether each arc is determined.

    Parameters
    ----------
    fits : sequence of Fit
        As `select` returns them, or any fits of one spectrum with the same weights.

    Raises
    ------
    FitError
        If there are no fits, or they are not of the same points and weights.

    References
    ----------
    K. P. Burnham, D. R. Anderson, Model Selection and Multimodel Inference, Springer 2002, doi:10.1007/b97636.
    """
    if not fits:
        raise FitError("There is nothing to compare", mend="Give at least one fit.")
    first = fits[0]
    for other in fits[1:]:
        same = other.z_ohm.shape == first.z_ohm.shape and np.array_equal(other.z_ohm, first.z_ohm)
        if not same or other.weight != first.weight:
            raise FitError(
                "These fits are not of the same points and weights; their criteria cannot be compared",
                where=f"{first.circuit} has {first.n_points} points, {other.circuit} {other.n_points}",
                mend="Use select(), or give every circuit an inductor so that no point is left out.",
            )
    ranked = _rank(fits)
    lowest = min(one.aicc for one in ranked)
    shares = [math.exp(-(one.aicc - lowest) / 2) for one in ranked]
    rows = []
    for one, share in zip(ranked, shares, strict=True):
        simpler, p_value = _against_simpler(one, ranked)
        why = tuple(objections(one))
        rows.append(
            Ranked(
                circuit=one.circuit,
                n_arcs=len(one.arcs),
                n_free=one.n_free,
                chi2=one.chi2,
                aicc=one.aicc,
                delta_aicc=one.aicc - lowest,
                akaike_weight=share / sum(shares),
                bic=one.bic,
                simpler=simpler,
                p_value=p_value,
                supported=not why,
                because=why,
            )
        )
    return Comparison(tuple(rows), tuple(_words(rows)))


def _against_simpler(fitted: Fit, others: Sequence[Fit]) -> tuple[str, float]:
    """Return the largest circuit nested in a fit's, and the p-value of the F test against it."""
    circuit = parse(fitted.circuit)
    inner = [o for o in others if o.n_free < fitted.n_free and is_nested(parse(o.circuit), circuit)]
    if not inner:
        return "", math.nan
    simpler = min(inner, key=lambda one: (-one.n_free, one.chi2))
    more, degrees = fitted.n_free - simpler.n_free, 2 * fitted.n_points - fitted.n_free
    gain = max(simpler.chi2 - fitted.chi2, 0.0) / more
    return simpler.circuit, float(fdtrc(more, degrees, gain / max(fitted.chi2 / degrees, 1e-300)))


def needed_arcs(fits: Sequence[Fit]) -> dict[str, float]:
    """Return how much the data need each arc of the chosen circuit: ΔAICc of the best circuit with fewer arcs.

    Parameters
    ----------
    fits : sequence of Fit
        The chosen circuit first, as `select` returns them; only circuits nested in it are compared.

    Returns
    -------
    dict of str to float
        By name of the arc; empty if no simpler circuit was tried. Below 4 an arc is not needed.
    """
    chosen = fits[0]
    circuit = parse(chosen.circuit)
    fewer = [
        one.aicc for one in fits[1:] if len(one.arcs) < len(chosen.arcs) and is_nested(parse(one.circuit), circuit)
    ]
    return {arc.name: min(fewer) - chosen.aicc for arc in chosen.arcs} if fewer else {}


def is_nested(inner: Circuit, outer: Circuit) -> bool:
    """Tell whether `inner` is a limiting case of `outer`: each of its parts in series has its own match there.

    A part matches one of the same shape, or one that tends to it: a CPE to a capacitor or a Warburg element, R‖CPE
    and R‖C to what is left when the other branch carries no current.
    """
    wanted, offered = _parts(inner), _parts(outer)
    return len(wanted) <= len(offered) and _matches(wanted, offered)


def _matches(wanted: Sequence[str], offered: Sequence[str]) -> bool:
    if not wanted:
        return True
    return any(
        _covers(part, wanted[0]) and _matches(wanted[1:], [*offered[:i], *offered[i + 1 :]])
        for i, part in enumerate(offered)
    )


def _covers(part: str, wanted: str) -> bool:
    special = {
        "CPE": ("C", "W"),
        "p(C,R)": ("C", "R"),
        "p(CPE,R)": ("p(C,R)", "CPE", "C", "W", "R"),
        "Zarc": ("p(C,R)", "p(CPE,R)", "CPE", "C", "W", "R"),
    }
    return part == wanted or wanted in special.get(part, ())


def _parts(circuit: Circuit) -> list[str]:
    """Return the shapes of the parts in series, numbers taken off and branches in order."""
    top = circuit.root.children if isinstance(circuit.root, Series) else (circuit.root,)
    return [_shape(node) for node in top]


def _shape(node: Node) -> str:
    if isinstance(node, Leaf):
        return node.letter
    inner = sorted(_shape(child) for child in node.children)
    return f"p({','.join(inner)})" if isinstance(node, Parallel) else "-".join(inner)


def _words(rows: Sequence[Ranked]) -> list[str]:
    """Say what was chosen, and of every other circuit what speaks against it."""
    chosen = rows[0]
    if not chosen.supported:
        reasons = "; ".join(chosen.because)
        return [f"No circuit is supported by the data; {chosen.circuit} has the lowest AICc: {reasons}."]
    out = [f"The data support {_named(chosen)}: {chosen.circuit}."]
    if chosen.delta_aicc > UNLIKE:
        out.append(
            f"They hold more than that: a circuit whose arcs they do not determine has an AICc "
            f"{chosen.delta_aicc:.0f} lower. Give a circuit for what is left over."
        )
    for row in rows[1:]:
        against = row.aicc - chosen.aicc
        level = f"AICc {abs(against):.1f} {'higher' if against >= 0 else 'lower'}"
        test = f", p = {row.p_value:.2g} against {row.simpler}" if row.simpler else ""
        if row.n_free <= chosen.n_free and against > EQUAL:
            out.append(f"{_named(row).capitalize()} ({row.circuit}) cannot describe the data: {level}.")
        elif not row.supported:
            reasons = "; ".join(row.because)
            out.append(f"The data do not support {_named(row)} ({row.circuit}): {reasons} ({level}{test}).")
        elif row.n_free > chosen.n_free:
            out.append(f"The data do not ask for {_named(row)} ({row.circuit}): {level}{test}.")
        else:
            out.append(f"{_named(row).capitalize()} ({row.circuit}) describes the data about as well: {level}.")
    return out


def _named(row: Ranked) -> str:
    circuit = parse(row.circuit)
    top = circuit.root.children if isinstance(circuit.root, Series) else (circuit.root,)
    tails = [node.name for node in top if isinstance(node, Leaf) and node.letter in TAILS]
    arcs = "no arc" if not row.n_arcs else "1 arc" if row.n_arcs == 1 else f"{row.n_arcs} arcs"
    return f"{arcs} and a tail" if tails else arcs
