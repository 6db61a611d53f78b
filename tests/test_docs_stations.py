"""The pages about stations and archives show files that work, commands that run, and what those really print."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import typer

from eis.cli.app import app, main
from eis.station_config import StationConfig

ROOT = Path(__file__).parents[1]
PAGES = {name: ROOT / "docs" / f"{name}.md" for name in ("stations", "archives")}
BLOCK = re.compile(
    r"```(?P<kind>toml|python|sh)\n(?P<code>.*?)```(?:\n\n```\n(?!\$ )(?P<printed>.*?)```)?"
    r"|```\n\$ (?P<command>[^\n]*)\n(?P<said>.*?)```",
    flags=re.DOTALL,
)
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
RUN = re.compile(r"\b(A\d+)-\d{8}T\d{6}-[0-9a-f]{6}")
NEEDS = {"archives": "duckdb", "stations": "sqlalchemy"}


def blocks(page: Path) -> list[dict[str, str | None]]:
    return [match.groupdict() for match in BLOCK.finditer(page.read_text("utf-8"))]


def plain(text: str | None, folder: str = "\0") -> str:
    """Return text without what differs from run to run, and without whitespace at the ends."""
    text = RUN.sub(r"\1-20260301T081500-3f9c2a", MOMENT.sub("2026-03-01 08:15:00", text or ""))
    text = re.sub(re.escape(folder) + r"/?", "", text)
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def run_all(page: Path, folder: str) -> list[str]:
    """Do what a page says, in order, in one folder; return what each block printed."""
    namespace: dict[str, Any] = {}
    real = []
    before = Path.cwd()
    os.chdir(folder)
    try:
        for block in blocks(page):
            printed = io.StringIO()
            if block["kind"] == "toml":
                code = block["code"] or ""
                Path(code.split("\n", 1)[0].removeprefix("# ")).write_text(code, "utf-8")
            elif block["kind"] == "python":
                with contextlib.redirect_stdout(printed):
                    exec(compile(block["code"] or "", page.name, "exec"), namespace)  # noqa: S102
            elif block["command"]:
                printed.write(output_of(block["command"]))
            real.append(plain(printed.getvalue(), folder))
    finally:
        os.chdir(before)
    return real


def output_of(command: str) -> str:
    """Run a command of a page in this process; return what it prints, and its exit code where asked for."""
    command, echo, _ = command.partition("; echo $?")
    typed, pipe, after = command.partition(" | ")
    said, argv, stdin = io.StringIO(), sys.argv, sys.stdin
    sys.argv = shlex.split(after if pipe else command)
    sys.stdin = io.StringIO(typed.removeprefix("printf ").strip("'").replace("\\n", "\n"))
    code: Any = 0
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            main()
    except SystemExit as left:
        code = left.code or 0
    finally:
        sys.argv, sys.stdin = argv, stdin
    lines = [line for line in said.getvalue().splitlines() if not line.startswith("eis: compiling")]
    return "\n".join([*lines, f"{code}"] if echo else lines)


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_shows_is_what_its_commands_print(name: str, tmp_path: Path) -> None:
    pytest.importorskip(NEEDS[name])
    shown = [plain(block["printed"] or block["said"]) for block in blocks(PAGES[name])]
    assert run_all(PAGES[name], str(tmp_path)) == shown
    assert len(shown) >= 7
    text = PAGES[name].read_text("utf-8")
    assert text.count("```") == 2 * (len(shown) + sum(bool(block["printed"]) for block in blocks(PAGES[name])))


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("stations", "run"),
        ("stations", "history"),
        ("stations", "config show"),
        ("stations", "config check"),
        ("stations", "config schema"),
        ("archives", "refit"),
    ],
)
def test_every_option_of_a_command_is_named_on_its_page(page: str, words: str) -> None:
    command: Any = typer.main.get_command(app)
    for word in words.split():
        command = command.commands[word]
    options = {option for one in command.params for option in one.opts if option.startswith("--")} - {"--help"}
    text = PAGES[page].read_text("utf-8")
    assert f"eis {words}" in text
    assert {option for option in options if f"`{option}" not in text and f" {option} " not in text} == set()


def keys(model: Any, path: str = "") -> set[str]:
    """Return the path of every key of a station file."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        inner = [field.annotation, *getattr(field.annotation, "__args__", ())]
        models = [one for one in inner if hasattr(one, "model_fields")]
        found |= keys(models[0], f"{path}{name}.") if models else {f"{path}{field.alias or name}"}
    return found


def test_every_key_of_a_station_file_is_explained() -> None:
    text = PAGES["stations"].read_text("utf-8")
    assert len(keys(StationConfig)) > 40
    assert {key for key in keys(StationConfig) if f"`{key}`" not in text} == set()


if __name__ == "__main__":  # python tests/test_docs_stations.py writes the real output into the pages
    for page in PAGES.values():
        with tempfile.TemporaryDirectory() as room:
            results = iter(run_all(page, room))

        def renewed(match: re.Match[str], results: Any = results) -> str:
            """Return a block with what it printed."""
            output = f"{next(results)}\n".lstrip("\n")
            if match["command"]:
                return f"```\n$ {match['command']}\n{output}```"
            return f"```{match['kind']}\n{match['code']}```" + (f"\n\n```\n{output}```" if output else "")

        page.write_text(BLOCK.sub(renewed, page.read_text("utf-8")), "utf-8")
