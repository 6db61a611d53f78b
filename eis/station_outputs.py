"""What is left of a run at a station: its end in words, its files, and its row in the table of all runs."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

from eis import pipeline
from eis.document import write_results
from eis.errors import StoreError
from eis.junit import render_junit
from eis.report import render_text
from eis.results import Assessment, Finding, Verdict
from eis.station_config import OutputsConfig, StationConfig

COLUMNS = ("at", "station", "run", "cell", "state", "verdict", "reading", "value", "u", "unit", "limit", "because")
LONGEST_ROW = 1 << 16


class State(StrEnum):
    """How a run ended."""

    PASS = "PASS"
    FAIL = "FAIL"
    INDETERMINATE = "INDETERMINATE"
    ERROR = "ERROR"
    ABORTED = "ABORTED"
    CRASHED = "CRASHED"


@dataclass(frozen=True, slots=True)
class Run:
    """One cell at the station, from its id to what is left of it.

    Parameters
    ----------
    name, cell : str
        Name of the run, unique, fit for a file name; and the id of the cell.
    state : State
        How it ended.
    verdict : Verdict, optional
        Of the last attempt; None if there was none.
    because : str
        One sentence.
    exit_code : int
        What ``eis run`` leaves with for this cell; 0 only for a PASS that is stored and, if asked for, reported.
    attempts : tuple of Assessment
        Every attempt; all but the last failed their data gate.
    problems : tuple of str
        What else went wrong: not stored, not reported.
    error_code : str
        Of the error that ended it, such as ``"cell-state-unknown"``: then nothing more is to be measured here.
    traceback : str
        Of a bug that ended it; empty otherwise.
    """

    name: str
    cell: str
    state: State
    verdict: Verdict | None
    because: str
    exit_code: int
    attempts: tuple[Assessment, ...] = field(default=(), repr=False)
    problems: tuple[str, ...] = ()
    error_code: str = ""
    traceback: str = field(default="", repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of ``eis.run/1``."""
        last = self.attempts[-1].to_dict() if self.attempts else {}
        return {
            **last,
            "run": self.name,
            "cell_id": self.cell,
            "state": str(self.state),
            "verdict": None if self.verdict is None else str(self.verdict),
            "because": self.because,
            "exit_code": self.exit_code,
            "error_code": self.error_code or None,
            "attempts": len(self.attempts),
            "problems": list(self.problems),
        }


def content_of(run: Run, files: Mapping[str, str], folder: Path, config: StationConfig) -> dict[str, Any]:
    """Return what the store keeps of the end of a run; `files` are those in `folder`, each with its SHA-256."""
    finding = _decisive(run)
    content: dict[str, Any] = {
        "cell": run.cell,
        "state": str(run.state),
        "verdict": None if run.verdict is None else str(run.verdict),
        "because": run.because,
        "attempts": len(run.attempts),
        "circuit": config.circuit,
        "folder": folder.as_posix(),
        "files_sha256": dict(files),
    }
    if config.fixture is not None:
        content["fixture"] = config.fixture
    if run.traceback:
        content["traceback"] = run.traceback
    asr = next((f for f in _findings(run) if f.reading == "asr"), None)
    if finding is not None:
        content["finding"] = finding.to_dict()
    if asr is not None:
        content |= {"asr_ohm_cm2": asr.value, "u_asr_ohm_cm2": asr.u, "asr_of": asr.arc}
    kept: dict[str, Any] = plain(content)
    return kept


def _findings(run: Run) -> tuple[Finding, ...]:
    return run.attempts[-1].judgement.findings if run.attempts else ()


def _decisive(run: Run) -> Finding | None:
    """Return the finding that a table has room for: the first of the verdict, or the first."""
    found = _findings(run)
    return next((one for one in found if one.verdict == run.verdict), found[0] if found else None)


def plain(values: Any) -> Any:
    """Return values fit for the store: NaN and infinities become None."""
    if isinstance(values, Mapping):
        return {str(key): plain(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [plain(value) for value in values]
    if isinstance(values, float):
        return values if abs(values) < float("inf") else None
    return str(values) if isinstance(values, StrEnum) else values


def write_outputs(run: Run, folder: Path, wanted: OutputsConfig, *, station: str) -> dict[str, str]:
    """Write what is wanted of a run into a folder of its own below `folder`; return the SHA-256 of its files.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    own = folder / run.name
    pipeline.make_folder(own)
    if run.attempts:
        last = run.attempts[-1:]
        write_results(own / "result.json", last)
        pipeline.write_text(own / "report.txt", render_text(last))
        if wanted.html:
            from eis.report_page import render_html  # as in eis.pipeline

            pipeline.write_text(own / "report.html", render_html(last, title=f"Cell {run.cell}"))
    if wanted.junit:  # for the cell rather than the spectrum
        entry = run.to_dict() | {"file": run.cell}
        if run.verdict is None:
            entry["error"] = {"code": str(run.state), "message": run.because, "where": run.name, "mend": None}
        pipeline.write_text(own / "junit.xml", render_junit([entry], name=station))
    if wanted.csv:
        _append_row(run, folder / "results.csv", station)
    return {path.name: _sha256(path) for path in sorted(own.iterdir()) if path.is_file()}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _append_row(run: Run, path: Path, station: str) -> None:
    """Append the run to ``results.csv``: one write, on disk when this returns."""
    finding = _decisive(run)
    measured = (finding.reading, finding.value, finding.u, finding.unit, finding.limit) if finding else ("",) * 5
    at = datetime.now(UTC).isoformat(timespec="seconds")
    row = (at, station, run.name, run.cell, run.state, run.verdict or "", *measured, run.because)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(row)
    line = text.getvalue().encode("utf-8", "backslashreplace")
    try:
        with path.open("a+b") as file:
            if not file.tell():
                file.write(",".join(COLUMNS).encode() + b"\n")
            else:
                _end_last_row(file)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        mend = "Check that it is a file you may write to, that nobody holds it open, and the space on its disk."
        raise StoreError(f"The table cannot be written: {error.strerror}", where=str(path), mend=mend) from error


def _end_last_row(file: BinaryIO) -> None:
    """End a last row that has no line end; what a full disk or a power cut left of one goes: the store has it."""
    size = file.tell()
    file.seek(-min(size, LONGEST_ROW), os.SEEK_END)
    tail = file.read().rpartition(b"\n")[2]
    if not tail:
        return
    try:
        rows = list(csv.reader([tail.decode("utf-8")], strict=True))
    except (csv.Error, UnicodeDecodeError):
        rows = []
    if [len(row) for row in rows] == [len(COLUMNS)]:
        file.write(b"\n")
    else:
        file.truncate(size - len(tail))
