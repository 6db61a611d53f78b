"""Bridges and analysers that speak SCPI and whose output is always connected to the cell.

Nothing inside them keeps a direct current from flowing through their output resistance, and there is no switch. So
a cell with a voltage of its own is refused, and after a sweep bias and level are taken down.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterable
from typing import Literal, get_args

from eis.errors import ConfigError, InstrumentError, LinkError, RejectedError
from instruments.link import Link
from instruments.pointwise import ANSWER_S, PointByPoint
from instruments.potentiostat import Point, Sweep
from instruments.readback import agree, number, value_of

CellCoupling = Literal["blocking", "symmetric", "dc-blocked"]
"""Why no direct current can flow: the electrodes block it, nothing drives it, or a capacitor blocks it."""


class Bridge(PointByPoint):
    """An instrument whose output is always connected; a driver adds its commands.

    Parameters
    ----------
    link : Link
        An open connection; closed with this object.
    cell : {"blocking", "symmetric", "dc-blocked"}, optional
        Why no direct current can flow through the cell; without it, sweeps are refused.
    source_resistance_ohm : float
        Output resistance (ohm), above zero.
    patience_s : float
        How much longer than a measurement may take to wait for it (s).

    Raises
    ------
    ConfigError
        If an option is not one of those listed; nothing was sent.
    """

    def __init__(
        self, link: Link, *, cell: CellCoupling | None, source_resistance_ohm: float, patience_s: float
    ) -> None:
        couplings = get_args(CellCoupling)
        self._require(cell is None or cell in couplings, f"cell is {cell!r}", couplings)
        taken = 0 < source_resistance_ohm < math.inf
        self._require(taken, f"source_resistance_ohm is {source_resistance_ohm!r}", ("a resistance above 0 ohm",))
        self._cell = cell
        self._source_resistance_ohm = source_resistance_ohm
        super().__init__(link, patience_s=patience_s)

    def sweep(self, sweep: Sweep) -> Generator[Point, None, None]:
        """Measure, and yield the points as they arrive; see `Potentiostat.sweep`.

        Raises
        ------
        RejectedError
            Also if the option ``cell`` does not say why no direct current can flow; nothing was sent.
        """
        if self._cell is None:
            ohm = self._source_resistance_ohm
            raise self._fault(
                f"A direct path of {ohm:g} ohm connects the cell's electrodes: one with a voltage V of its own is "
                f"discharged with about V / {ohm:g} ohm, {3.7e3 / ohm:.0f} mA at 3.7 V",
                'Nothing was sent. If no direct current can flow, say why: connect with cell="blocking" (its '
                'electrodes block ions), cell="symmetric" (two equal electrodes, no voltage), or '
                'cell="dc-blocked" (a capacitor in series); on the command line, --option cell=symmetric.',
                RejectedError,
            )
        return super().sweep(sweep)

    @classmethod
    def _require(cls, holds: bool, what: str, choices: Iterable[str]) -> None:
        if not holds:
            raise ConfigError(what, where=cls.name, mend=f"Choose {' or '.join(choices)}.")

    @property
    def _answer_s(self) -> float:
        """How long an answer may take (s)."""
        return ANSWER_S

    def _take_off(self, command: str, idle_level_v: float, *, has_bias: bool = True) -> None:
        """Send what takes bias and level down and asks for both, and have that confirmed.

        Lines that answer something earlier are passed over.
        """
        self.link.discard()
        self.link.write(command + self._end)
        deadline = time.monotonic() + self._answer_s
        while True:
            answer = self._line(max(0.0, deadline - time.monotonic()))
            states = [value_of(part) for part in answer.split(";")]
            if len(states) == 1 + has_bias and not any(map(math.isnan, states)):
                break
        if has_bias and states[0]:
            raise self._fault(f"The bias stays on (it answered {answer!r})", "Disconnect the cell.")
        if not agree(f"{states[-1]}", f"{idle_level_v}"):
            raise self._fault(
                f"The level stays at {states[-1]:g} V (it answered {answer!r})", "Disconnect the cell."
            )

    def _set(self, header: str, value: str) -> None:
        """Write a setting and read it back."""
        try:
            taken = self._ask(f"{header} {value};{header}?", self._answer_s)
            if not agree(taken, value):
                taken = self._ask(f"{header}?", self._answer_s)  # it may have been the line that was damaged
        except LinkError as error:
            if complaint := self._complaint():
                raise self._rejected(header, value, complaint) from error
            raise
        if not agree(taken, value):
            raise self._rejected(header, value, self._complaint() or f"it answers {taken[:40]!r}")

    def _rejected(self, header: str, value: str, why: str) -> InstrumentError:
        what = f"The instrument did not take {header} {value}: {why}"
        return self._fault(what, "Check the value against its manual, and the options given here.", RejectedError)

    def _complaint(self) -> str:
        """Return the oldest error the instrument has to tell; empty if there is none, or it does not say."""
        try:
            answer = self._ask(":SYST:ERR?", self._answer_s)
        except LinkError:
            return ""
        return "" if value_of(answer.partition(",")[0]) == 0 else answer[:80]

    def _number(self, text: str, raw: str) -> float:
        """Return the finite number `text` is, which is part of the answer `raw`."""
        value = number(text)
        if math.isnan(value):
            raise self._unreadable(raw, "numbers")
        return value

    def _unreadable(self, raw: str, expected: str, complaint: str = "") -> InstrumentError:
        reason = f"; it says {complaint}" if complaint else ""
        what = f"Expected {expected}, received {raw[:80]!r}{reason}"
        return self._fault(what, "Check the cable, and that the options fit the instrument.", LinkError)
