"""The guide to relaxation times shows code that runs and the output that it really has, and every option."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import tempfile
import typing
from pathlib import Path

from typer.testing import CliRunner

from eis.cli.drt import drt as command

GUIDE = Path(__file__).parents[1] / "docs" / "drt.md"
TEXT = GUIDE.read_text("utf-8")
PYTHON = r"```python\n(?P<code>.*?)```(?:\n\n```\n(?!\$ )(?P<printed>.*?)```)?"
COMMAND = r"```\n\$ eis (?P<command>[^\n]*)\n(?P<said>.*?)```"
BLOCKS = list(re.finditer(rf"{PYTHON}|{COMMAND}", TEXT, flags=re.DOTALL))


def plain(text):
    """Return text without whitespace at the end of lines and of the whole."""
    return "\n".join(line.rstrip() for line in (text or "").splitlines()).strip("\n")


def run_all(folder):
    """Run every block in order, in one namespace and one folder; return what each printed."""
    namespace, real, before = {}, [], Path.cwd()
    os.chdir(folder)
    try:
        for number, block in enumerate(BLOCKS):
            if block["command"]:
                from eis.cli.app import app

                done = CliRunner().invoke(app, shlex.split(block["command"]), catch_exceptions=False)
                real.append(plain(done.stdout))
                continue
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(block["code"], f"block {number} of {GUIDE.name}", "exec"), namespace)  # noqa: S102
            real.append(plain(printed.getvalue()))
    finally:
        os.chdir(before)
    return real


def test_what_the_guide_shows_is_what_its_code_prints(tmp_path):
    assert len(BLOCKS) >= 9
    assert TEXT.count("```python") + TEXT.count("\n$ ") == len(BLOCKS)
    assert run_all(tmp_path) == [plain(block["printed"] or block["said"]) for block in BLOCKS]
    assert (tmp_path / "map.png").stat().st_size > 5000


def test_every_option_of_the_command_is_in_the_guide():
    declared = [
        name
        for hint in typing.get_type_hints(command, include_extras=True).values()
        for part in typing.get_args(hint)[1:]
        for name in getattr(part, "param_decls", None) or ()
        if name.startswith("--")
    ]
    named = {name for name in typing.get_type_hints(command) if name not in ("files", "return")}
    renamed = {"smoothing": "lambda", "drawn_map": "map"}
    options = {f"--{renamed.get(name, name)}" for name in named} | set(declared)
    assert {name for name in options if f"`{name}`" not in TEXT} == set()


if __name__ == "__main__":  # python tests/test_docs_drt.py writes the real output into the guide
    with tempfile.TemporaryDirectory() as room:
        found = iter(run_all(room))

    def renewed(match):
        """Return a block with what it printed."""
        output = f"{plain(next(found))}\n".lstrip("\n")
        if match["command"]:
            return f"```\n$ eis {match['command']}\n{output}```"
        return f"```python\n{match['code']}```" + (f"\n\n```\n{output}```" if output else "")

    GUIDE.write_text(re.sub(rf"{PYTHON}|{COMMAND}", renewed, TEXT, flags=re.DOTALL), "utf-8")
