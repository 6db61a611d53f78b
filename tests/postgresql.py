"""A PostgreSQL server of the tests' own: in a folder of its own, reached over a socket file, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/bin", "/opt/homebrew/opt/postgresql*/bin")


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Yield the URL of a fresh database; skips where there is no PostgreSQL."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    pwd = pytest.importorskip("pwd", reason="PostgreSQL is started by the tests on Unix only")
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name  # it refuses to run as root
    with tempfile.TemporaryDirectory(prefix="eis-pg-") as folder:
        if os.geteuid() == 0:
            try:
                shutil.chown(folder, user)
            except LookupError:
                pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        who = {"user": user, "group": pwd.getpwnam(user).pw_gid} if os.geteuid() == 0 else {}

        def run(program: str, *words: str) -> None:
            subprocess.run(
                [programs / program, *words], check=True, capture_output=True, cwd=folder, timeout=60, **who
            )

        data = f"{folder}/data"
        run("initdb", "-D", data, "-U", "eis", "--auth=trust", "--no-sync", "--no-instructions")
        run("pg_ctl", "-D", data, "-w", "-l", f"{folder}/log", "-o", f"-k {folder} -h '' -F", "start")
        try:
            yield f"postgresql+psycopg://eis@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "stop")


def _programs() -> Path | None:
    for pattern in PLACES:
        for folder in sorted(Path("/").glob(pattern.lstrip("/")), reverse=True):
            if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
                return folder
    return None
