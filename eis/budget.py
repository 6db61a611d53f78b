"""Uncertainty budgets: each source of uncertainty of one quantity on a line of its own, and their sum."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from scipy.special import ndtri, stdtrit

from eis import notebook
from eis.errors import ConfigError
from eis.fitted import plain
from eis.quantities import format_si, format_uncertain

Origin = Literal["fit", "model", "area", "instrument", "fixture", "temperature", "pressure", "repeats"]
NOT_STATED = "not stated"
"""What is printed where nobody said how large an uncertainty is: it is not zero, it is not known."""


@dataclass(frozen=True, slots=True)
class Line:
    """One source of uncertainty.

    Parameters
    ----------
    source : str
        Where it comes from.
    u : float, optional
        Its contribution to the standard uncertainty (k = 1), in the unit of the quantity; 0 if it was stated, or
        found, to be nothing; NaN if it could not be determined; None if nobody stated it.
    because : str
        How it was found, in words.
    degrees_of_freedom : float
        How well `u` itself is known; infinite if it is taken as exact.
    """

    source: Origin
    u: float | None
    because: str
    degrees_of_freedom: float = math.inf

    def scaled(self, factor: float) -> Line:
        """Return the line of `factor` times its quantity."""
        return self if self.u is None else replace(self, u=self.u * abs(factor))


def combined(lines: Iterable[Line]) -> float:
    """Return the standard uncertainty of independent lines together, of those stated; NaN if none was."""
    stated = [line.u for line in lines if line.u is not None]
    return math.hypot(*stated) if stated else math.nan


@dataclass(frozen=True, slots=True)
class Budget:
    r"""The uncertainty of one quantity, line by line.

    .. math:: u^2 = \sum_i u_i^2, \qquad \nu_\mathrm{eff} = u^4 \Big/ \sum_i u_i^4/\nu_i

    Parameters
    ----------
    quantity, value, unit
        What it is about, e.g. ``"ASR of R2"``, 10.2, ``"Ω·cm²"``.
    lines : tuple of Line
        Independent sources; those that nobody stated are not in the sum, and `not_stated` names them.

    Notes
    -----
    Sum of squares and effective degrees of freedom: JCGM 100:2008 §5.1.2 and §G.4.1 (Welch–Satterthwaite).
    """

    quantity: str
    value: float
    unit: str
    lines: tuple[Line, ...]

    @property
    def u(self) -> float:
        """Combined standard uncertainty (k = 1) of what was stated; NaN if that is nothing or a line has none."""
        return combined(self.lines)

    @property
    def not_stated(self) -> tuple[str, ...]:
        """The sources that `u` lacks because nobody said how large they are."""
        return tuple(line.source for line in self.lines if line.u is None)

    @property
    def degrees_of_freedom(self) -> float:
        """Effective degrees of freedom of `u`; infinite if every line is taken as exact."""
        spread = sum((line.u or 0.0) ** 4 / line.degrees_of_freedom for line in self.lines)
        return self.u**4 / spread if spread > 0 else math.inf

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the interval that holds the true value with probability `level`.

        Value ± t·u with Student's t for the effective degrees of freedom; NaN if there is no uncertainty.

        Raises
        ------
        ConfigError
            If the level is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise ConfigError(f"The level is {level:g}", mend="Give a probability between 0 and 1, such as 0.95.")
        dof = self.degrees_of_freedom
        t = ndtri((1 + level) / 2) if math.isinf(dof) else stdtrit(dof, (1 + level) / 2)
        return self.value - float(t) * self.u, self.value + float(t) * self.u

    def scaled(self, factor: float, *, quantity: str, unit: str, more: Iterable[Line] = ()) -> Budget:
        """Return the budget of `factor` times this quantity, with `more` lines in the new unit."""
        return Budget(quantity, self.value * factor, unit, (*(line.scaled(factor) for line in self.lines), *more))

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the JSON documents."""
        lines = [
            plain(
                {
                    "source": line.source,
                    "u": line.u,
                    "because": line.because,
                    "degrees_of_freedom": line.degrees_of_freedom,
                }
            )
            for line in self.lines
        ]
        head = plain({"value": self.value, "u": self.u, "degrees_of_freedom": self.degrees_of_freedom})
        words = {"quantity": self.quantity, "unit": self.unit}
        return words | head | {"not_stated": list(self.not_stated), "lines": lines}

    @property
    def heading(self) -> str:
        """Quantity, value ± U (k = 2), and what that lacks."""
        shown = f"{self.quantity}: {format_uncertain(self.value, self.u, self.unit)} (k = 2)"
        return f"{shown}, without what is {NOT_STATED}: {', '.join(self.not_stated)}" if self.not_stated else shown

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return source, contribution, share of the variance and reason of every line, as words."""
        total = self.u**2
        return [
            (line.source, NOT_STATED, "", line.because)
            if line.u is None
            else (
                line.source,
                format_si(line.u, self.unit, digits=3),
                f"{line.u**2 / total:.0%}" if total > 0 else "n/a",
                line.because,
            )
            for line in self.lines
        ]

    def __str__(self) -> str:
        lines = [self.heading]
        lines += [f"  {source:<12} {u:>12}  {share:>5}  {because}" for source, u, share, because in self.rows()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        title = notebook.escape(self.heading)
        return f"<p><b>{title}</b></p>{notebook.table(('source', 'u', 'share', 'because'), self.rows())}"
