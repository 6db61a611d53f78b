"""The guide to fitting shows code that runs, and the output that it really has."""

import contextlib
import io
import os
import re
import shlex
import tempfile
from pathlib import Path

from tests.command_line import ROOT, eis

GUIDE = ROOT / "docs" / "fitting.md"
TEXT = GUIDE.read_text("utf-8")
PYTHON = r"```python\n(?P<code>.*?)```(?:\n\n```\n(?!\$ )(?P<printed>.*?)```)?"
COMMAND = r"```\n\$ (?P<command>[^\n]*)\n(?P<said>.*?)```"
BLOCKS = [match.groupdict() for match in re.finditer(rf"{PYTHON}|{COMMAND}", TEXT, flags=re.DOTALL)]


def plain(text):
    """Return text without whitespace at the end of lines and of the whole."""
    return "\n".join(line.rstrip() for line in (text or "").splitlines()).rstrip()


def lines_of(block):
    """Return what a block of the guide shows as output."""
    return plain(block["printed"] or block["said"])


def run_all(folder):
    """Run every block in order, in one namespace and one folder; return what each printed, or its error."""
    namespace, real, before = {}, [], Path.cwd()
    os.chdir(folder)
    try:
        for number, block in enumerate(BLOCKS):
            if block["command"]:
                real.append(plain(output_of(block["command"])))
                continue
            printed = io.StringIO()
            try:
                with contextlib.redirect_stdout(printed):
                    exec(compile(block["code"], f"block {number} of {GUIDE.name}", "exec"), namespace)  # noqa: S102
            except Exception as error:  # noqa: BLE001 - shown as what the block printed
                printed.write(f"{type(error).__name__}: {error}")
            real.append(plain(printed.getvalue()))
    finally:
        os.chdir(before)
    return real


def output_of(command):
    """Run a command of the guide and return what it prints."""
    done = eis(*shlex.split(command)[1:], cwd=Path.cwd())
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_guide_has_no_block_that_is_left_unread():
    assert len(BLOCKS) >= 15
    assert TEXT.count("```python") == sum(block["code"] is not None for block in BLOCKS)
    commands = [block["command"] for block in BLOCKS if block["command"]]
    outputs = [block["printed"] for block in BLOCKS if block["printed"]]
    assert len(commands) == TEXT.count("\n$ ")
    assert TEXT.count("```") == 2 * (TEXT.count("```python") + len(outputs) + len(commands))


def test_what_the_guide_shows_is_what_its_code_prints(tmp_path):
    shown = {f"block {number}": lines_of(block) for number, block in enumerate(BLOCKS)}
    real = {f"block {number}": printed for number, printed in enumerate(run_all(tmp_path))}
    assert real == shown


def test_every_option_of_the_fit_command_is_in_the_guide():
    from eis.cli import fits

    options = {name for name in fits.fit.__annotations__ if name not in ("files", "return")}
    assert {name for name in options if f"`--{name}" not in TEXT} == set()


if __name__ == "__main__":  # python -m tests.test_docs_fitting writes the real output into the guide
    with tempfile.TemporaryDirectory() as room:
        found = iter(run_all(room))

    def renewed(match):
        """Return a block with what it printed."""
        output = f"{plain(next(found))}\n".lstrip("\n")
        if match["command"]:
            return f"```\n$ {match['command']}\n{output}```"
        return f"```python\n{match['code']}```" + (f"\n\n```\n{output}```" if output else "")

    GUIDE.write_text(re.sub(rf"{PYTHON}|{COMMAND}", renewed, TEXT, flags=re.DOTALL), "utf-8")
