"""The guide to checking shows code that runs, and the output that it really has."""

import contextlib
import io
import os
import re
import shutil
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "checking.md"
TEXT = GUIDE.read_text("utf-8")
PYTHON = re.compile(r"```python\n(?P<code>.*?)```\n\n```\n(?P<shown>.*?)```", flags=re.DOTALL)
BLOCKS = list(PYTHON.finditer(TEXT))


def run_all(folder):
    """Run every block in order, in one namespace and one folder; return what each printed."""
    namespace, real, before = {}, [], Path.cwd()
    shutil.copytree(ROOT / "datasets", Path(folder) / "datasets")
    os.chdir(folder)
    try:
        for number, block in enumerate(BLOCKS):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(block["code"], f"block {number} of {GUIDE.name}", "exec"), namespace)  # noqa: S102
            real.append(printed.getvalue())
    finally:
        os.chdir(before)
    return real


def test_every_block_of_the_guide_shows_its_output():
    assert len(BLOCKS) == TEXT.count("```python") == 5


def test_what_the_guide_shows_is_what_its_code_prints(tmp_path):
    assert run_all(tmp_path) == [block["shown"] for block in BLOCKS]


def test_every_option_of_the_check_command_that_decides_is_in_the_guide():
    for option in ("--reading", "--element", "--rule", "--k", "--blank-u-ohm", "--metadata", "--spec", "--area"):
        assert option in TEXT


if __name__ == "__main__":  # python tests/test_docs_checking.py writes the real output into the guide
    with tempfile.TemporaryDirectory() as room:
        found = iter(run_all(room))
    renewed = PYTHON.sub(lambda m: f"```python\n{m['code']}```\n\n```\n{next(found)}```", TEXT)
    GUIDE.write_text(renewed, "utf-8")
