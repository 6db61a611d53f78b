"""Errors that say what is wrong, where, and how to mend it; every error raised on purpose is an `EisError`."""

from __future__ import annotations

from pathlib import Path


class EisError(Exception):
    """What is wrong, where, and how to mend it; the message can be shown to a person as it stands.

    Parameters
    ----------
    what : str
        What is wrong, as a sentence without its full stop.
    where : str, optional
        The file and line, the key path, the resource: whatever finds the spot again.
    mend : str
        What the reader can do about it.

    Attributes
    ----------
    code : str
        A short, stable word for programs (``"read"``, ``"circuit"``, …).
    exit_code : int
        The exit code of the command line when this error ends a command.
    """

    code = "error"
    exit_code = 4

    def __init__(self, what: str, *, where: str | None = None, mend: str) -> None:
        super().__init__(f"{what} ({where}). {mend}" if where else f"{what}. {mend}")
        self.what = what
        self.where = where
        self.mend = mend

    def to_dict(self) -> dict[str, str | None]:
        """Return the error as the JSON documents print it: code, message, where, mend."""
        return {"code": self.code, "message": self.what, "where": self.where, "mend": self.mend}


class SpectrumError(EisError):
    """Arrays or metadata that are not an impedance spectrum."""

    code = "spectrum"


class ReadError(EisError):
    """A file is not what its reader expects."""

    code = "read"

    def __init__(self, what: str, *, path: Path, line: int | None = None, mend: str) -> None:
        super().__init__(what, where=path.name if line is None else f"{path.name}, line {line}", mend=mend)
        self.path = path
        self.line = line


class StoreError(EisError):
    """A result or a journal could not be written or read back."""

    code = "store"


class ConfigError(EisError):
    """A setting, a spec file or a command-line value is wrong; nothing was done."""

    code = "config"
    exit_code = 2


class CircuitError(EisError):
    """A circuit string is not one; `caret` shows the fault under the text."""

    code = "circuit"
    exit_code = 2

    def __init__(self, what: str, *, text: str, position: int, mend: str) -> None:
        shown = text if len(text) <= 80 else text[: max(position, 40) + 40][:80] + "…"
        super().__init__(what, where=f"circuit {shown!r}, character {position + 1}", mend=mend)
        self.text = text
        self.position = position

    @property
    def caret(self) -> str:
        """The circuit on one line and a caret under the fault on the next."""
        start = max(0, self.position - 60)
        return f"{self.text[start : start + 120]}\n{' ' * (self.position - start)}^"


class FitError(EisError):
    """A fit cannot be done with this circuit and these data."""

    code = "fit"


class InstrumentError(EisError):
    """An instrument refused, answered nonsense, or cannot do what was asked."""

    code = "instrument"


class RejectedError(InstrumentError):
    """A setting was refused before anything was energised; nothing ran."""

    code = "rejected"


class LinkError(InstrumentError):
    """The connection to the instrument failed: unreachable, timed out, dropped, or unreadable."""

    code = "link"


class NoAnswerError(LinkError):
    """The connection is open, but nothing came in time."""


class CellStateUnknownError(InstrumentError):
    """The cell could not be verified to be off: go and look at the instrument."""

    code = "cell-state-unknown"


class AbortedError(EisError):
    """A measurement was ended by a limit, an interlock, or the person at the bench."""

    code = "aborted"
    exit_code = 5


class BusyError(EisError):
    """Somebody else holds the instrument."""

    code = "busy"
    exit_code = 75
