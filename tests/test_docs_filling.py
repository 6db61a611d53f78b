"""The guide to porosity filling shows what its code and commands print, and names every key and option."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import pytest
import typer

from eis.cli.app import app
from eis.experiment import (
    Arm,
    Component,
    Composite,
    Contact,
    DirectCurrent,
    Experiment,
    ExperimentCell,
    Filler,
    Geometry,
    History,
    Measurement,
    Quantities,
    Tempered,
)
from eis.filling_conclusion import Finding
from eis.sample_size import pairs_needed
from tests.command_line import eis

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "filling.md"
TEXT = GUIDE.read_text("utf-8")
PYTHON = r"```python\n(?P<code>.*?)```(?:\n\n```\n(?!\$ )(?P<printed>.*?)```)?"
COMMAND = r"```\n\$ (?P<command>[^\n]*)\n(?P<said>.*?)```"
BOTH = re.compile(rf"{PYTHON}|{COMMAND}", flags=re.DOTALL)
BLOCKS = [match.groupdict() for match in BOTH.finditer(TEXT)]


def plain(text):
    """Return text without whitespace at the ends of lines and of the whole."""
    return "\n".join(line.rstrip() for line in (text or "").splitlines()).strip("\n")


def run_all(folder):
    """Run every block in order, in one namespace and one folder; return what each printed."""
    namespace, real, before = {}, [], Path.cwd()
    os.chdir(folder)
    try:
        for number, block in enumerate(BLOCKS):
            if block["command"]:
                real.append(plain(eis(*shlex.split(block["command"])[1:], cwd=folder).stdout).replace("\\", "/"))
                continue
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(block["code"], f"block {number} of {GUIDE.name}", "exec"), namespace)  # noqa: S102
            real.append(plain(printed.getvalue()))
    finally:
        os.chdir(before)
    return real


def test_the_guide_has_no_block_that_is_left_unread():
    commands = [block for block in BLOCKS if block["command"]]
    printed = [block for block in BLOCKS if block["printed"] is not None]
    code = [block for block in BLOCKS if block["code"]]
    assert len(code) == TEXT.count("```python") >= 5
    assert len(commands) == TEXT.count("\n$ ") >= 2
    assert TEXT.count("```") == 2 * (len(code) + len(printed) + len(commands))


def test_what_the_guide_shows_is_what_it_prints(tmp_path):
    assert run_all(tmp_path) == [plain(block["printed"] or block["said"]) for block in BLOCKS]


def test_every_option_of_the_command_is_in_the_guide():
    command = typer.main.get_command(app).get_command(click.Context(click.Command("eis")), "compare")
    options = {flag for option in command.params for flag in option.opts if flag.startswith("--")}
    assert {flag for flag in options - {"--help"} if f"`{flag}" not in TEXT} == set()


MODELS = (
    Experiment,
    Filler,
    Composite,
    Contact,
    Component,
    Quantities,
    Arm,
    ExperimentCell,
    Measurement,
    Tempered,
    DirectCurrent,
    Geometry,
    History,
)


@pytest.mark.parametrize("model", MODELS)
def test_every_key_of_the_file_is_in_the_example_and_explained(model):
    example = next(block["code"] for block in BLOCKS if block["code"] and "own.toml" in block["code"])
    keys = {field.alias or name for name, field in model.model_fields.items()}
    assert {key for key in keys if not re.search(rf"\b{key}\b", example)} == set()
    outside = TEXT.replace(example, "")
    assert {key for key in keys if f"`{key}`" not in outside and f"[{key}]" not in outside} == set()


def test_every_finding_is_explained():
    assert [str(finding) for finding in Finding if f"| `{finding}` |" not in TEXT] == []


def test_the_table_of_sample_sizes_is_what_the_planner_says():
    rows = re.findall(r"^\| (\d+) % \| ([\d |]+) \|$", TEXT, flags=re.MULTILINE)
    shown = {drop: [int(n) for n in numbers.split("|")] for drop, numbers in rows}
    scatter = (0.05, 0.1, 0.2, 0.3, 0.5)
    assert shown == {
        drop: [pairs_needed(1 - int(drop) / 100, s) for s in scatter] for drop in ("10", "20", "30", "50")
    }


def test_the_script_goes_from_raw_files_to_the_conclusion(tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "filling_experiment.py"), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("FILLED: The pores are filled and the treatment helped")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {
        "report.html",
        "effects.png",
        "slopes.png",
        "covariation.png",
        "activation.png",
        "cell.png",
        "fill.png",
    } < written


if __name__ == "__main__":  # python -P tests/test_docs_filling.py writes the real output into the guide
    with tempfile.TemporaryDirectory() as room:
        found = iter(run_all(Path(room)))

    def renewed(match):
        """Return a block with what it printed."""
        output = f"{plain(next(found))}\n".lstrip("\n")
        if match["command"]:
            return f"```\n$ {match['command']}\n{output}```"
        return f"```python\n{match['code']}```" + (f"\n\n```\n{output}```" if output else "")

    GUIDE.write_text(BOTH.sub(renewed, TEXT), "utf-8")
