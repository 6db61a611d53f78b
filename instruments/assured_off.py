"""The way out that all drivers share: the cell is off and verified to be, or somebody is told to go and look."""

from __future__ import annotations

from abc import abstractmethod

from eis.errors import BusyError, CellStateUnknownError, InstrumentError
from instruments.link import Link
from instruments.potentiostat import Potentiostat

OFF_ATTEMPTS = 3
"""How often a cell is switched off before somebody is told that it could not be verified."""


class AssuredOff(Potentiostat):
    """A driver behind a `Link` that does not let go of a cell before it has been verified to be off.

    A driver says how its instrument is switched off (`_switch_off`) and how it is reached over a fresh connection
    (`_reach_again`); how often that is tried, and what comes before what, is decided here.

    Parameters
    ----------
    link : Link
        An open connection; closed with this object.
    """

    def __init__(self, link: Link) -> None:
        self.link = link
        self._energised = False  # whether this driver may have left a cell on
        self._running = False  # whether a sweep is measuring, so that there is something to abort
        self._off_attempts = range(OFF_ATTEMPTS)

    def cell_off(self) -> None:
        """End whatever is running and disconnect the cell; see `Potentiostat.cell_off`."""
        self._make_sure_off()

    def close(self) -> None:
        """End a running sweep, switch off a cell this driver switched on, and give the connection back."""
        try:
            if self._energised:
                self.cell_off()
        finally:
            self.link.close()

    @abstractmethod
    def _switch_off(self) -> None:
        """Disconnect the cell, or take bias and excitation off it, and verify that; else InstrumentError."""

    @abstractmethod
    def _reach_again(self, attempt: int) -> None:
        """Open a fresh connection, after a while that grows with `attempt` (from 1)."""

    def _make_sure_off(self) -> None:
        """Switch the cell off and have that confirmed; after the first failure, over fresh connections.

        Raises
        ------
        CellStateUnknownError
            If it was not confirmed; whoever asks again gets one more attempt, over a fresh connection.
        """
        self._running = False  # from here on nothing may end a wait but its time
        interruption: BaseException | None = None
        failure = "interrupted"
        for attempt in self._off_attempts:
            try:
                if attempt:
                    self._reach_again(attempt)
                self._switch_off()
            except InstrumentError as error:
                failure = error.what
            except BaseException as other:  # noqa: BLE001  # Ctrl-C, no memory, a slip of ours: the cell comes first
                interruption = other
            else:
                self._energised, self._off_attempts = False, range(OFF_ATTEMPTS)
                if interruption is not None:
                    raise interruption
                return
        self._off_attempts = range(1, 2)
        raise CellStateUnknownError(
            f"The cell could not be verified to be off: {failure}",
            where=self.link.resource,
            mend="Go to the instrument and disconnect the cell or switch the instrument off.",
        ) from interruption

    def _require_free(self) -> None:
        """Refuse to begin while the cell may be on."""
        if self._energised:
            raise BusyError(
                "A sweep is running, or the cell may still be on",
                where=self.link.resource,
                mend="Let the sweep end or close it; or call cell_off().",
            )

    def _fault(self, what: str, mend: str, kind: type[InstrumentError] = InstrumentError) -> InstrumentError:
        return kind(what, where=self.link.resource, mend=mend)
