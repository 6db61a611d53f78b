"""The guides to planning and to series show code and commands that run, and the output that they really have."""

import contextlib
import io
import os
import re
import shlex
import tempfile
from pathlib import Path

import click
import pytest
import typer
from typer.testing import CliRunner

from eis.cli.app import app

ROOT = Path(__file__).parents[1]
GUIDES = {name: ROOT / "docs" / f"{name}.md" for name in ("planning", "series")}
PYTHON = r"```python\n(?P<code>.*?)```(?:\n\n```\n(?!\$ )(?P<printed>.*?)```)?"
COMMAND = r"```\n\$ (?P<command>[^\n]*)\n(?P<said>.*?)```"
BOTH = re.compile(rf"{PYTHON}|{COMMAND}", flags=re.DOTALL)
USUAL_CODES = (0, 3)  # `eis plan` exits 3 where the measurement cannot decide


def plain(text):
    """Return text without blank lines at its ends and whitespace at the ends of lines."""
    return "\n".join(line.rstrip() for line in (text or "").splitlines()).strip("\n")


def blocks_of(guide):
    return [match.groupdict() for match in BOTH.finditer(guide.read_text("utf-8"))]


def run_all(guide, folder):
    """Run every block in order, in one namespace and one folder; return what each printed."""
    namespace, real, before = {}, [], Path.cwd()
    os.chdir(folder)
    try:
        for number, block in enumerate(blocks_of(guide)):
            if block["command"]:
                real.append(plain(output_of(block["command"])))
                continue
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(block["code"], f"block {number} of {guide.name}", "exec"), namespace)  # noqa: S102
            real.append(plain(printed.getvalue()))
    finally:
        os.chdir(before)
    return real


def output_of(command):
    """Run a command of the guide and return what it prints."""
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert done.exit_code in USUAL_CODES, done.exception
    return done.stdout


@pytest.mark.parametrize("guide", GUIDES.values(), ids=GUIDES)
def test_a_guide_has_no_block_that_is_left_unread(guide):
    text, blocks = guide.read_text("utf-8"), blocks_of(guide)
    commands = [block for block in blocks if block["command"]]
    printed = [block for block in blocks if block["printed"]]
    code = [block for block in blocks if block["code"]]
    assert len(code) == text.count("```python") >= 3
    assert len(commands) == text.count("\n$ ") >= 1
    assert text.count("```") == 2 * (len(code) + len(printed) + len(commands))


@pytest.mark.parametrize("guide", GUIDES.values(), ids=GUIDES)
def test_what_a_guide_shows_is_what_it_prints(guide, tmp_path):
    shown = [plain(block["printed"] or block["said"]) for block in blocks_of(guide)]
    assert run_all(guide, tmp_path) == shown


@pytest.mark.parametrize(("guide", "module"), [("planning", "plan"), ("series", "series")])
def test_every_option_of_the_command_is_in_its_guide(guide, module):
    command = typer.main.get_command(app).get_command(click.Context(click.Command("eis")), module)
    options = {flag for option in command.params for flag in option.opts if flag.startswith("--")}
    text = GUIDES[guide].read_text("utf-8")
    assert {flag for flag in options - {"--help"} if f"`{flag}" not in text} == set()


if __name__ == "__main__":  # python -P tests/test_docs_planning.py writes the real output into the guides
    for one in GUIDES.values():
        with tempfile.TemporaryDirectory() as room:
            found = iter(run_all(one, room))

        def renewed(match):
            """Return a block with what it printed."""
            output = f"{plain(next(found))}\n".lstrip("\n")  # noqa: B023
            if match["command"]:
                return f"```\n$ {match['command']}\n{output}```"
            return f"```python\n{match['code']}```" + (f"\n\n```\n{output}```" if output else "")

        one.write_text(BOTH.sub(renewed, one.read_text("utf-8")), "utf-8")
