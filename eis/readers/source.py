"""The file a reader is given: guarded, read once, hashed, decoded; and the notes a reader takes on it."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from eis.errors import ReadError

Found = TypeVar("Found")

MAX_BYTES = 64 * 1024 * 1024
"""No instrument writes a spectrum larger than this; a larger file is refused before it is read."""

HEAD = 16 * 1024
"""How many bytes of a file a reader is shown to recognise it."""

_TO_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0)
"""How a file is opened; only Windows tells bytes from text there."""

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


class _Kept(Generic[Found]):
    """A property worked out once: `functools.cached_property` without the lock it takes before Python 3.12."""

    def __init__(self, work_out: Callable[[Any], Found]) -> None:
        self._work_out = work_out
        self.__doc__ = work_out.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, source: Source, owner: type) -> Found:
        found = source.__dict__[self._name] = self._work_out(source)  # found there from now on
        return found


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
    kept : dict
        What a reader worked out as it recognised the file and needs again as it reads it.
    """

    given: str
    path: Path
    raw: bytes
    kept: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @_Kept
    def sha256(self) -> str:
        """SHA-256 of the raw bytes, hexadecimal."""
        return hashlib.sha256(self.raw).hexdigest()

    @_Kept
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

    @_Kept
    def head(self) -> str:
        """The beginning of the file as text, whatever the file is; for recognising it."""
        return self._characters if len(self.raw) <= HEAD else _decoded(self.raw[:HEAD], self.encoding)

    @_Kept
    def head_lines(self) -> list[str]:
        """The lines of `head`, of which the last may be cut."""
        return _lines_of(self.head)

    @_Kept
    def first_line(self) -> str:
        """The first line of `head`, without its line feed."""
        head = self.head
        end = head.find("\n")
        return head if end < 0 else head[:end]

    @_Kept
    def text(self) -> str:
        """All of the file as text, every line end a line feed.

        Raises
        ------
        ReadError
            If there is a NUL byte, which no text holds.
        """
        return line_fed(self._whole())

    @_Kept
    def lines(self) -> list[str]:
        """The lines of `text`; the last is empty if the text ends with a line end."""
        text = self._whole()
        return self.head_lines if text is self.head else _lines_of(text)

    def _whole(self) -> str:
        """Return all of the file as text, its line ends as they are."""
        if not self.encoding.startswith("utf-16") and (offset := self.raw.find(b"\0")) >= 0:
            raise ReadError(
                f"Byte {offset} is NUL, so this is not the text it begins as",
                path=self.path,
                line=self.raw.count(b"\n", 0, offset) + 1,
                mend="The file is binary or damaged; export or copy it again.",
            )
        return self._characters.rstrip("\x1a")  # the end-of-file mark of DOS programs

    @_Kept
    def _characters(self) -> str:
        return _decoded(self.raw, self.encoding)

    def may_hold(self, word: str) -> bool:
        """Whether the file can hold an ASCII word: told from its bytes, faster than from its lines."""
        return word.encode() in self.raw or self.encoding.startswith("utf-16")

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


def line_fed(text: str) -> str:
    """Return text with a line feed for every line end (CR LF, CR CR LF, CR)."""
    usual = text.replace("\r\n", "\n")
    if "\r" not in usual:  # nearly always; two of the three passes are saved
        return usual
    return text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")


def _lines_of(text: str) -> list[str]:
    if "\r" not in text:
        return text.split("\n")
    feed = text.find("\n")
    lines = text.split("\r\r\n" if text[feed - 2 : feed] == "\r\r" else "\r\n")
    joined = "".join(lines)
    if "\r" not in joined and "\n" not in joined:  # all line ends are alike: half the time of replacing
        return lines
    return line_fed(text).split("\n")


def _decoded(raw: bytes, encoding: str) -> str:
    if encoding == "cp1252" and not np.count_nonzero((np.frombuffer(raw, np.uint8) & 0xE0) == 0x80):
        encoding = "latin-1"  # the same but for 80 to 9F, and a hundred times as fast
    return raw.decode(encoding, "replace").lstrip("\ufeff")


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
    try:
        path = given if isinstance(given, Path) else Path(given)
    except TypeError:
        raise ReadError(
            f"A path is text or a pathlib.Path, not {type(given).__name__}",
            path=Path("?"),
            mend="Give the path of the file; spectra from arrays are made with Spectrum.of(frequency_hz, z_ohm).",
        ) from None
    name = os.fspath(given)
    if "\0" in name:
        raise ReadError(
            "A path cannot hold a NUL character", path=Path(name.replace("\0", "?")), mend="Correct it."
        )
    try:
        status = os.stat(name)  # noqa: PTH116 - a third of the time of Path.stat and Path.open
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, a socket or a device"
            raise ReadError(f"This is {kind}, not a file", path=path, mend="Name one regular file.")
        if status.st_size > MAX_BYTES:
            raise _too_large(path, f"{status.st_size} bytes")
        file = os.open(name, _TO_READ)  # a descriptor takes less time than a file object
        try:
            raw = _all_of(file, status.st_size)
        finally:
            os.close(file)
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


def _all_of(file: int, size: int) -> bytes:
    """Return what is in a file, and no more than one byte beyond the limit should it have grown meanwhile."""
    raw = os.read(file, size + 1)
    if len(raw) == size:
        return raw
    parts = [raw]
    left = MAX_BYTES + 1 - len(raw)
    while left > 0 and (more := os.read(file, min(left, 1 << 20))):
        parts.append(more)
        left -= len(more)
    return b"".join(parts)


def _too_large(path: Path, size: str) -> ReadError:
    return ReadError(
        f"The file holds {size}; no more than {MAX_BYTES // 1024**2} MiB are read",
        path=path,
        mend="Export the spectra one by one, or without the time signals.",
    )
