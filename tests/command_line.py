"""The command line run inside this process: what it prints, and its exit code, without the start of a Python.

Where a signal, another process or the start itself is tested, a process of its own is started instead.
"""

from __future__ import annotations

import contextlib
import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from eis.cli import main

ROOT = Path(__file__).parents[1]


def eis(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``eis`` with `arguments` in the folder `cwd`; return its exit code and what it printed."""
    words = ["eis", *map(str, arguments)]
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="\n", write_through=True) for _ in range(2))
    with (
        contextlib.chdir(cwd or ROOT),
        mock.patch.object(sys, "argv", words),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        _signals_as_before(),
    ):
        try:
            main()
            code: object = 0
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int), code
    out_text, err_text = (stream.buffer.getvalue().decode() for stream in (out, err))
    return subprocess.CompletedProcess(words, code, out_text, err_text)


@contextlib.contextmanager
def _signals_as_before() -> Iterator[None]:
    """Leave with the handlers of signals that were there before: a command sets its own for good."""
    numbers = [
        number for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if (number := getattr(signal, name, None))
    ]
    before = [signal.getsignal(number) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
