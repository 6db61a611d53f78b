"""The README shows the commands' real output and code that runs."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import ROOT, eis

README = (ROOT / "README.md").read_text("utf-8")
SHOWN = re.findall(r"<!-- run: (.*?) -->\n```\n(.*?)```", README, flags=re.DOTALL)
CODE = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def output_of(command, folder):
    """Run a command of the README in a folder that has the datasets, and return what it prints."""
    done = eis(*shlex.split(command)[1:], cwd=Path(folder))
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(ROOT / "datasets", tmp_path / "datasets")
    return tmp_path


def test_the_readme_shows_commands():
    assert len(SHOWN) >= 3


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[command for command, _ in SHOWN])
def test_the_readme_s_output_is_the_real_output(command, shown, folder):
    assert output_of(command, folder).strip() == shown.strip()


@pytest.mark.parametrize("code", CODE)
def test_the_readme_s_python_runs(code, folder):
    subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        check=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


if __name__ == "__main__":  # python -m tests.test_readme writes the real output into the README
    import tempfile

    with tempfile.TemporaryDirectory() as room:
        shutil.copytree(ROOT / "datasets", Path(room) / "datasets")
        text = README
        for command, _ in SHOWN:
            real = output_of(command, room).strip()
            pattern = rf"(<!-- run: {re.escape(command)} -->\n```\n).*?```"
            text = re.sub(pattern, lambda match, real=real: f"{match[1]}{real}\n```", text, flags=re.DOTALL)
    (ROOT / "README.md").write_text(text, "utf-8")
