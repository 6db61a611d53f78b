"""What n cells say about all cells of a process: a tolerance bound, the capability, and a sentence.

Separate from the verdict on any single cell. Resistances are positive and their scatter is relative, so everything
is done on ln R; where that is not normal (Shapiro–Wilk), an order statistic takes the tolerance factor's place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom, shapiro

from eis import notebook
from eis.errors import ConfigError
from eis.fitted import plain
from eis.quantities import format_si
from eis.results import Judgement, Reading, Verdict
from eis.tolerance import (
    capability_lower_bound,
    distribution_free_bound,
    distribution_free_size,
    one_sided_factor,
    quantile_lower_factor,
)

Method = Literal["log-normal", "distribution-free", "none"]
NOT_NORMAL = 0.01
"""Shapiro–Wilk p-value below which ln R is not taken as normal."""
LEAST_CELLS = 3
PRELIMINARY = 30
"""Cells below which a capability index is preliminary."""


@dataclass(frozen=True, slots=True)
class Capability:
    """How far a process keeps from an upper limit, in thirds of its spread.

    Parameters
    ----------
    index : float
        (ln T_U − mean)/(3 s), s the standard deviation of ln R as observed.
    lower_bound : float
        Its lower confidence bound.
    index_process : float
        The same with the measurement's variance taken off; NaN if nothing is left.
    s_observed, u_measurement, s_process : float
        Relative (of ln R): as observed, what the measurement makes of it, and what remains for the process.
    is_preliminary : bool
        Fewer than 30 cells: call it P_pu, preliminary.
    """

    index: float
    lower_bound: float
    index_process: float
    s_observed: float
    u_measurement: float
    s_process: float
    is_preliminary: bool


@dataclass(frozen=True, slots=True)
class Population:
    """A statement about all cells of a process from some of them.

    Parameters
    ----------
    verdict : Verdict
        PASS if with the stated confidence at least the stated share of all cells conforms, FAIL if fewer do,
        NOT_RESOLVED otherwise.
    because : str
        The statement as a sentence.
    n, n_left_out : int
        Cells used, and cells without a value.
    unit : str
        Of `bound` and `limit`.
    limit, bound : float
        Upper limit, and upper tolerance bound; NaN if there is none.
    proportion, confidence : float
        p and γ.
    method : str
        ``"log-normal"``, ``"distribution-free"`` or ``"none"``.
    k : float
        Tolerance factor; NaN unless log-normal.
    mean_ln, s_ln : float
        Mean and standard deviation of ln R (R in `unit`).
    shapiro_p : float
        p-value of the Shapiro–Wilk test on ln R.
    capability : Capability, optional
    notes : tuple of str
        Everything else a reader should know.
    """

    verdict: Verdict
    because: str
    n: int
    n_left_out: int
    unit: str
    limit: float
    bound: float
    proportion: float
    confidence: float
    method: Method
    k: float
    mean_ln: float
    s_ln: float
    shapiro_p: float
    capability: Capability | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; NaN is null."""
        whole = asdict(self)
        whole |= {"notes": list(self.notes), "capability": plain(whole["capability"]) if self.capability else None}
        return plain(whole)

    def __str__(self) -> str:
        return "\n".join([f"{self.verdict}: {self.because}", *(f"  {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{notebook.escape(note)}</li>" for note in self.notes)
        return f"<p><b>{notebook.escape(f'{self.verdict}: {self.because}')}</b></p><ul>{notes}</ul>"


def population(
    values: ArrayLike,
    limit: float,
    *,
    u: ArrayLike | None = None,
    unit: str = "Ω·cm²",
    proportion: float = 0.95,
    confidence: float = 0.95,
    n_left_out: int = 0,
) -> Population:
    r"""Say what share of all cells keeps an upper limit.

    .. math:: \ln B = \overline{\ln R} + k\, s_{\ln R}, \qquad \text{PASS:}\; B \le T_U

    Parameters
    ----------
    values : array_like, shape (n,)
        One resistance per cell, above zero, in `unit`; cells made independently of each other.
    limit : float
        Upper limit T_U in `unit`.
    u : array_like, shape (n,), optional
        Standard uncertainties of the values (k = 1), of what differs from cell to cell: what all share, such as
        the instrument's calibration, shifts all of them and is no scatter.
    unit : str
        For the words.
    proportion, confidence : float
        At least `proportion` of all cells, with `confidence`.
    n_left_out : int
        Cells that have no value because they were not resolved or their data not valid; with any, nothing is PASS.

    Raises
    ------
    ConfigError
        If a value is not above zero or the limit no number above zero, `u` has another length, or a share is none.
    """
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or not np.all(np.isfinite(x) & (x > 0)):
        raise ConfigError(
            "The values of a population are one number above zero per cell",
            where=f"values of shape {x.shape}",
            mend="Leave out cells without a value and count them in n_left_out.",
        )
    if not (math.isfinite(limit) and limit > 0):
        raise ConfigError(f"The limit is {limit:g}", where="limit", mend="Give a number above zero.")
    spread = None if u is None else np.asarray(u, dtype=float)
    if spread is not None and (spread.shape != x.shape or not np.all(np.isfinite(spread) & (spread >= 0))):
        raise ConfigError(
            "u is not one number per cell, zero or above", where="u", mend="Give one for each value."
        )
    needed = distribution_free_size(proportion, confidence)
    n, log_r = x.size, np.log(x)
    if n < LEAST_CELLS or np.ptp(log_r) == 0:
        why = (
            f"{n} cells are too few" if n < LEAST_CELLS else "all values are the same, which no measurement gives"
        )
        return Population(
            Verdict.NOT_RESOLVED,
            f"no claim about all cells: {why}",
            *(n, n_left_out, unit, limit, math.nan, proportion, confidence, "none", math.nan),
            *(float(log_r.mean()) if n else math.nan, math.nan, math.nan),
        )
    mean, s = float(log_r.mean()), float(log_r.std(ddof=1))
    p_normal = float(shapiro(log_r).pvalue)
    notes = []
    k = math.nan
    if p_normal >= NOT_NORMAL:
        method: Method = "log-normal"
        k = one_sided_factor(n, proportion, confidence)
        bound = math.exp(mean + k * s)
        fails = mean + quantile_lower_factor(n, proportion, confidence) * s > math.log(limit)
        how = f"log-normal, k = {k:.3f}"
        capability = _capability(mean, s, limit, n, confidence, spread, x)
        notes += _said(capability)
    else:
        notes.append(
            f"ln R is not normal (Shapiro–Wilk p = {p_normal:.2g}): order statistics instead of k factors"
        )
        capability = None
        bound = distribution_free_bound(x, proportion, confidence)
        method = "none" if math.isnan(bound) else "distribution-free"
        fails = distribution_free_fails(x, limit, proportion, confidence)
        how = "distribution-free"
    share, sure = f"{100 * proportion:.3g} %", f"{100 * confidence:.3g} %"
    against = format_si(limit, unit)
    if fails:
        verdict = Verdict.FAIL
        because = f"with {sure} confidence fewer than {share} of all cells keep {against} (n = {n}, {how})"
    elif math.isnan(bound):
        verdict = Verdict.NOT_RESOLVED
        because = f"no claim about all cells: {n} of at least {needed} cells that a distribution-free bound takes"
    else:
        verdict = Verdict.PASS if bound <= limit else Verdict.NOT_RESOLVED
        than = "within" if verdict is Verdict.PASS else "and the limit is lower,"
        because = (
            f"with {sure} confidence at least {share} of all cells have at most {format_si(bound, unit)} "
            f"(n = {n}, {how}), {than} {against}"
        )
    if n_left_out:
        notes.append(f"left out, because they have no value: {n_left_out}; the statement is about the others only")
        verdict = Verdict.NOT_RESOLVED if verdict is Verdict.PASS else verdict
    return Population(
        verdict,
        because,
        *(n, n_left_out, unit, limit, bound, proportion, confidence, method, k, mean, s, p_normal),
        capability,
        tuple(notes),
    )


def population_of(
    judgements: Sequence[Judgement],
    reading: Reading,
    *,
    limit: float | None = None,
    proportion: float = 0.95,
    confidence: float = 0.95,
) -> Population:
    """Return the statement over the cells of a lot, each judged by `eis.check`.

    Parameters
    ----------
    judgements : sequence of Judgement
        One per cell, all against the same limit.
    reading : {"asr", "per_area", "absolute"}
        Which reading of the limit; there is no statement over several.
    limit : float, optional
        In the reading's unit; that of the findings without it.
    proportion, confidence : float
        As for `population`.

    Raises
    ------
    ConfigError
        If no cell has a value in this reading, the cells have different limits, or one has several values because
        its arc or its number of interfaces was not stated.
    """
    units: Mapping[Reading, str] = {"asr": "Ω·cm²", "per_area": "Ω/cm²", "absolute": "Ω"}
    values, u, limits, left_out = [], [], set(), 0
    for i, one in enumerate(judgements):
        found = [f for f in one.findings if f.reading == reading and f.bound == "upper"]
        if one.verdict is Verdict.INVALID_DATA or not found or found[0].verdict is Verdict.NOT_RESOLVED:
            left_out += 1
            continue
        if len(found) > 1:
            raise ConfigError(
                f"Cell {i + 1} has {len(found)} values in the reading {reading}",
                where="judgements",
                mend="State the number of interfaces in the path, and name the arc.",
            )
        values.append(found[0].value)
        u.append(found[0].u)
        limits.add(found[0].limit)
    if not values or len(limits) > 1:
        why = "No cell has a value" if not values else f"The cells have {len(limits)} different limits"
        raise ConfigError(
            f"{why} in the reading {reading}", where="judgements", mend="Check them against one limit."
        )
    return population(
        values,
        limits.pop() if limit is None else limit,
        u=u,
        unit=units[reading],
        proportion=proportion,
        confidence=confidence,
        n_left_out=left_out,
    )


def distribution_free_fails(values: ArrayLike, limit: float, proportion: float, confidence: float) -> bool:
    """Tell whether fewer than `proportion` of all cells keep `limit`, with `confidence`, from counting alone."""
    x = np.asarray(values, dtype=float)
    return bool(binom.cdf(int((x <= limit).sum()), x.size, proportion) <= 1 - confidence)


def _capability(mean: float, s: float, limit: float, n: int, confidence: float, u: Any, values: Any) -> Capability:
    """Return the capability on ln R, with and without the measurement's variance."""
    room = (math.log(limit) - mean) / 3
    relative2 = 0.0 if u is None else float(np.mean((u / values) ** 2))
    left = s**2 - relative2
    s_process = math.sqrt(left) if left >= 0 else math.nan
    return Capability(
        room / s,
        capability_lower_bound(room / s, n, confidence),
        room / s_process if s_process > 0 else math.nan,
        s,
        math.sqrt(relative2),
        s_process,
        n < PRELIMINARY,
    )


def _said(found: Capability) -> list[str]:
    name = "P_pu (preliminary, fewer than 30 cells)" if found.is_preliminary else "C_pu"
    out = [f"{name} = {found.index:.2f} on ln R, at least {found.lower_bound:.2f}; scatter {found.s_observed:.1%}"]
    if math.isnan(found.s_process):
        out.append(
            f"the process is not resolved: the measurement alone scatters by {found.u_measurement:.1%}, more than "
            f"the cells do ({found.s_observed:.1%})"
        )
    elif found.u_measurement > 0:
        out.append(
            f"without the measurement's {found.u_measurement:.1%} the process scatters by {found.s_process:.1%}: "
            f"index {found.index_process:.2f}"
        )
    return out
