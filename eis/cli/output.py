"""How commands speak: one JSON document or tables on stdout, progress and errors on stderr, one exit code."""

from __future__ import annotations

import glob
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eis.errors import CircuitError, EisError

if TYPE_CHECKING:
    from rich.progress import Progress

Entry = dict[str, Any]


def expand(files: Sequence[str]) -> list[str]:
    """Expand ``*`` and ``?`` where the shell did not (Windows), keeping the order."""
    out: list[str] = []
    for name in files:
        found = sorted(glob.glob(name)) if any(c in name for c in "*?") else []  # noqa: PTH207 - absolute or not
        out += found or [name]
    return out


def each(files: Sequence[str], step: Callable[[str], Iterable[tuple[Entry, int]]]) -> tuple[list[Entry], int]:
    """Run `step` on every file and go on after a bad one; return the entries and the worst exit code."""
    entries: list[Entry] = []
    worst = 0
    with progress(len(files), "files") as advance:
        for name in expand(files):
            try:
                for entry, code in step(name):
                    entries.append(entry)
                    worst = max(worst, code)
            except EisError as error:
                entries.append({"file": name, "error": error.to_dict()})
                worst = max(worst, error.exit_code)
            advance()
    return entries, worst


def write_document(command: str, entries: Sequence[Entry], **more: Any) -> None:
    """Print exactly one JSON document on stdout."""
    from eis.document import document

    whole = {**document(command, entries), **more}  # in one piece: the encoder for streams is twenty times slower
    sys.stdout.write(json.dumps(whole, ensure_ascii=False, allow_nan=False) + "\n")


def say(text: str = "") -> None:
    """Print a line on stdout."""
    sys.stdout.write(text + "\n")


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on stdout, as wide as the terminal or as its text."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    shown = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in heading:
        shown.add_column(name)
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))
    console.print(shown)


def show_errors(entries: Iterable[Entry]) -> None:
    """Print the error of every entry that has one, a line each, on stderr."""
    for entry in entries:
        if "error" in entry:
            error = entry["error"]
            where = error["where"] or ""
            file = entry.get("file")
            shown = where if not file or Path(file).name in where else f"{file}: {where}" if where else str(file)
            complain(f"{error['message']} ({shown}). {error['mend']}")


def complain(text: str) -> None:
    """Print an error line on stderr."""
    sys.stderr.write(f"eis: {text}\n")


def complain_of(error: EisError) -> None:
    """Print an error of ours on stderr, with a caret where a circuit is at fault."""
    complain(str(error))
    if isinstance(error, CircuitError) and error.text:
        sys.stderr.write("".join(f"  {line}\n" for line in error.caret.splitlines()))


@contextmanager
def says_when_interrupted(what_remains: str) -> Iterator[None]:
    """Say on stderr what remains of the work when Ctrl-C ends it; the interrupt goes on, to exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        complain(f"interrupted; {what_remains}")
        raise


@contextmanager
def progress(total: int, what: str) -> Iterator[Callable[[], None]]:
    """Show a bar on stderr if that is a terminal and there is more than one step; yield how to advance it."""
    if total < 2 or not sys.stderr.isatty():
        yield lambda: None
        return
    with bar() as shown:
        task = shown.add_task(what, total=total)
        yield lambda: shown.advance(task)


def bar() -> Progress:
    """Return a rich progress bar on stderr that shows itself only on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True)


def rate_bar() -> Progress:
    """Return a progress bar for work of hours: how much is done, how fast, and how long it will take."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Task as RichTask
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: RichTask) -> Text:
            """Return the rate as words."""
            return Text(f"{task.speed:,.0f}/s" if task.speed else "")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True)
