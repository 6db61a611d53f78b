"""How commands speak: one JSON document or tables on stdout, progress and errors on stderr, one exit code."""

from __future__ import annotations

import errno
import glob
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from eis.errors import CircuitError, EisError, StoreError

if TYPE_CHECKING:
    from rich.progress import Progress

Entry = dict[str, Any]
T = TypeVar("T")

INTERNAL_BUG, READER_LEFT = 70, 141
LAST_STANDARD = 2
"""The number of standard error."""
NO_ROOM = (errno.ENOSPC, errno.EIO)
_noted: list[int] = []
"""Signals of Ctrl-C that came."""


def remember_interrupts() -> None:
    """Have Ctrl-C remembered from now on, unless it is ignored or somebody else's."""
    _noted.clear()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _note_interrupt)


def _note_interrupt(number: int, frame: Any) -> None:
    """Handle Ctrl-C as Python does, and remember it: raised in a callback of an import, it would be lost."""
    _noted.append(number)
    raise KeyboardInterrupt


def heed_interrupt() -> None:
    """Raise the Ctrl-C that came and was lost; called before anything is begun that should then not be."""
    if _noted:
        raise KeyboardInterrupt


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
    names = expand(files)
    with progress(len(names), "files") as advance:
        for name in names:
            heed_interrupt()
            try:
                for entry, code in step(name):
                    entries.append(entry)
                    worst = max(worst, code)
            except Exception as error:  # noqa: BLE001 - a bug of ours at one file must not cost the others
                told, code = told_of(error, name)
                entries.append({"file": name, "error": told})
                worst = max(worst, code)
            advance()
    return entries, worst


def told_of(error: Exception, where: str) -> tuple[dict[str, str | None], int]:
    """Return the error as the JSON documents print it, and its exit code; a bug of ours shows its traceback."""
    error = in_words(error)
    if isinstance(error, EisError):
        return error.to_dict(), error.exit_code
    with suppress(OSError, AttributeError):  # nobody can be told
        traceback.print_exc()
    return {
        "code": "bug",
        "message": f"This is a bug in eis itself: {type(error).__name__}: {error}",
        "where": where,
        "mend": "Please report it with the lines of its traceback.",
    }, INTERNAL_BUG


def in_words(error: Exception) -> Exception:
    """Return what the operating system refuses, such as a name that is too long, as an error of ours."""
    if not isinstance(error, OSError) or (error.filename is None and error.errno not in NO_ROOM):
        return error
    where = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else None
    return StoreError(
        f"The system refuses: {error.strerror}",
        where=where,
        mend="Check the name, your rights and the space left.",
    )


def attempt(step: Callable[[], T]) -> tuple[T | None, EisError | None]:
    """Do what follows once there are results, which are told first; return what it gave, and why it could not."""
    try:
        return step(), None
    except EisError as error:
        return None, error


def leave(entries: Iterable[Entry], code: int, trouble: EisError | None = None) -> NoReturn:
    """Print the errors of entries, and of what followed them, on stderr, and leave with the worst exit code."""
    import typer

    show_errors(entries)
    if trouble is not None:
        complain_of(trouble)
        code = max(code, trouble.exit_code)
    raise typer.Exit(code)


def write_document(command: str, entries: Sequence[Entry], trouble: EisError | None = None, **more: Any) -> None:
    """Print exactly one JSON document on stdout; `trouble` is what went wrong beside the entries."""
    from eis.document import document

    more |= {"error": trouble.to_dict()} if trouble is not None else {}
    whole = {**document(command, entries), **more}  # in one piece: the encoder for streams is twenty times slower
    say(json.dumps(whole, ensure_ascii=False, allow_nan=False))


@contextmanager
def _while_read() -> Iterator[None]:
    """End the command as SIGPIPE would if nobody reads stdout any more; typer's exit code for it, 1, says FAIL."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        give_up_stdout()
        raise SystemExit(READER_LEFT) from None
    except OSError as error:
        give_up_stdout()
        raise StoreError(
            f"What was found cannot be printed: {error.strerror}",
            where="standard output",
            mend="Free some space, or send it elsewhere.",
        ) from error


def give_up_stdout() -> None:
    """Have what is still to be printed go nowhere: nobody reads it, or it has no room."""
    with suppress(OSError, ValueError):  # a stream without a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def require_streams() -> None:
    """Open the null device where a standard stream is closed: Python has None, and a file would get its number."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= LAST_STANDARD:
        pass
    os.close(number)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - until the end


def say(text: str = "") -> None:
    """Print a line on stdout."""
    with _while_read():
        sys.stdout.write(text + "\n")


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on stdout, as wide as the terminal or as its text, or lines if words do not fit."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [tuple(row) for row in rows]
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    words = (
        max(len(word) for cell in cells for word in [*cell.split(), ""])
        for cells in zip(heading, *rows, strict=True)
    )
    if sum(words) + 3 * len(heading) > console.width:
        for row in rows:
            say("\n".join(f"{name}: {cell}" for name, cell in zip(heading, row, strict=True) if cell))
            say()
        return
    shown = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in heading:
        shown.add_column(name)
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))
    with console.capture() as printed:  # written by us: rich, too, would exit with 1 if nobody read it
        console.print(shown)
    say(printed.get().removesuffix("\n"))


def named(entry: Entry) -> str:
    """Return how the spectrum of an entry is called: its file, and its number from 0 if that holds several."""
    return f"{entry['file']} [{entry['index']}]" if "index" in entry else str(entry["file"])


def show_errors(entries: Iterable[Entry]) -> None:
    """Print the error of every entry that has one, a line each, on stderr."""
    for entry in entries:
        if "error" in entry:
            error = entry["error"]
            where = error["where"] or ""
            file = entry.get("file")
            shown = where if not file or Path(file).name in where else f"{file}: {where}" if where else str(file)
            if "index" in entry:
                shown = named(entry) if where in ("", file) else f"{named(entry)}: {where}"
            complain(f"{error['message']} ({shown}). {error['mend']}")


def complain(text: str) -> None:
    """Print an error line on stderr."""
    _mutter(f"eis: {text}\n")


def _mutter(text: str) -> None:
    with suppress(OSError):  # nobody listens, or it has no room; the work is not to end for that
        sys.stderr.write(text)


def complain_of(error: EisError) -> None:
    """Print an error of ours on stderr, with a caret where a circuit is at fault."""
    complain(str(error))
    if isinstance(error, CircuitError) and error.text:
        _mutter("".join(f"  {line}\n" for line in error.caret.splitlines()))


@contextmanager
def says_what_remains(file: Path, *said: str) -> Iterator[None]:
    """Say on stderr, when something ends work that fills `file`, that it is kept; the exception goes on."""
    before = _size(file)
    try:
        yield
    except (KeyboardInterrupt, SystemExit, EisError) as error:
        refused = isinstance(error, EisError)
        if _size(file) > (before if refused else 0):
            what, *more = said
            complain(f"{'ended early' if refused else 'interrupted'}; {what}")
            for text in more:
                complain(text)
        raise


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


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
