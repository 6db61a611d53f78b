"""The file a reader is given: guarded, read once, hashed, decoded; and the notes a reader takes on it."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from eis.errors import ReadError

MAX_BYTES = 64 * 1024 * 1024
"""No instrument writes a spectrum larger than this; a larger file is refused before it is read."""

HEAD = 16 * 1024
"""How many bytes of a file a reader is shown to recognise it."""

_ENCODING_SAID = {
    "utf-8-sig": "The text is UTF-8, as its byte-order mark says",
    "utf-16-le": "The text is UTF-16 (little endian)",
    "utf-16-be": "The text is UTF-16 (big endian)",
    "utf-8": "The text was taken as UTF-8, which all of its bytes are",
    "cp1252": "The text was taken as Windows-1252: its bytes are not UTF-8 and nothing names the encoding",
}


@dataclass
class Notes:
    """What a reader did to a file and what it found beside the numbers; ends up in the metadata.

    Parameters
    ----------
    converted, dropped, warnings : list of str
        One sentence each.
    vendor : dict
        Settings as the file states them.
    acquired : str, optional
        Date and time of measurement, verbatim.
    status : str, optional
        ``"aborted"`` or ``"truncated"``; None if nothing says so.
    """

    converted: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    vendor: dict[str, Any] = field(default_factory=dict)
    acquired: str | None = None
    status: str | None = None

    def convert(self, sentence: str) -> None:
        """Note a conversion once, however many columns it was done to."""
        if sentence not in self.converted:
            self.converted.append(sentence)

    def to_dict(self) -> dict[str, Any]:
        """Return the notes as metadata; `acquired` and `status` only if known."""
        known = {"acquired": self.acquired, "status": self.status}
        return {
            "converted": list(self.converted),
            "dropped": list(self.dropped),
            "warnings": list(self.warnings),
            "vendor": dict(self.vendor),
        } | {key: value for key, value in known.items() if value}


@dataclass(frozen=True)
class Source:
    """The bytes of one file and what can be said of them without knowing the format.

    Parameters
    ----------
    given : str
        The path as the user gave it.
    path : Path
        The same, for messages.
    raw : bytes
        All bytes of the file.
    """

    given: str
    path: Path
    raw: bytes

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the raw bytes, hexadecimal."""
        return hashlib.sha256(self.raw).hexdigest()

    @cached_property
    def encoding(self) -> str:
        """The codec the text is read with: by byte-order mark, else by what the bytes can be."""
        raw = self.raw
        if raw.isascii() and b"\0" not in raw[:HEAD]:
            return "ascii"
        if raw.startswith(b"\xef\xbb\xbf"):
            return "utf-8-sig"
        if raw.startswith(b"\xff\xfe"):
            return "utf-16-le"
        if raw.startswith(b"\xfe\xff"):
            return "utf-16-be"
        first = raw[:64]
        low, high = first[::2].count(0), first[1::2].count(0)
        if high > 0.9 * (len(first) // 2) and not low:
            return "utf-16-le"
        if low > 0.9 * (len(first) // 2) and not high:
            return "utf-16-be"
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            return "cp1252"
        return "utf-8"

    @cached_property
    def head(self) -> str:
        """The beginning of the file as text, whatever the file is; for recognising it."""
        return self.raw[:HEAD].decode(self.encoding, "replace").lstrip("\ufeff")

    @cached_property
    def text(self) -> str:
        """All of the file as text, every line end a line feed.

        Raises
        ------
        ReadError
            If there is a NUL byte, which no text holds.
        """
        if not self.encoding.startswith("utf-16") and (offset := self.raw.find(b"\0")) >= 0:
            raise ReadError(
                f"Byte {offset} is NUL, so this is not the text it begins as",
                path=self.path,
                line=self.raw.count(b"\n", 0, offset) + 1,
                mend="The file is binary or damaged; export or copy it again.",
            )
        text = self.raw.decode(self.encoding, "replace").lstrip("\ufeff")
        if "\r" in text:
            text = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")
        return text.rstrip("\x1a")  # the end-of-file mark of DOS programs

    @cached_property
    def lines(self) -> list[str]:
        """The lines of `text`; the last is empty if the text ends with a line end."""
        return self.text.split("\n")

    @property
    def unterminated(self) -> bool:
        """Whether the last line has no line end, so that it may be torn."""
        return bool(self.lines[-1])

    def notes(self) -> Notes:
        """Return fresh notes that already say how the text was decoded, if that is worth saying."""
        said = _ENCODING_SAID.get(self.encoding)
        return Notes(converted=[said + "."] if said else [])

    def fail(self, what: str, *, line: int | None = None, mend: str) -> ReadError:
        """Return the error that names this file."""
        return ReadError(what, path=self.path, line=line, mend=mend)


def load(given: str | os.PathLike[str]) -> Source:
    """Read all bytes of a regular file of reasonable size.

    Parameters
    ----------
    given : str or path
        The file.

    Returns
    -------
    Source
        Its bytes.

    Raises
    ------
    ReadError
        If it is missing, not a regular file (a folder, a pipe, a device), empty, too large, or unreadable.
    """
    path = Path(given)
    name = os.fspath(given)
    if "\0" in name:
        raise ReadError(
            "A path cannot hold a NUL character", path=Path(name.replace("\0", "?")), mend="Correct it."
        )
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, a socket or a device"
            raise ReadError(f"This is {kind}, not a file", path=path, mend="Name one regular file.")
        if status.st_size > MAX_BYTES:
            raise _too_large(path, f"{status.st_size} bytes")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ReadError("There is no such file", path=path, mend=f"Check the path {name!r}.") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise ReadError(
            f"The file cannot be read: {reason}", path=path, mend="Check the path and rights."
        ) from error
    if len(raw) > MAX_BYTES:
        raise _too_large(path, f"more than {MAX_BYTES} bytes")
    if not raw:
        raise ReadError("The file is empty", path=path, mend="Export or copy it again.")
    return Source(name, path, raw)


def _too_large(path: Path, size: str) -> ReadError:
    return ReadError(
        f"The file holds {size}; no more than {MAX_BYTES // 1024**2} MiB are read",
        path=path,
        mend="Export the spectra one by one, or without the time signals.",
    )
