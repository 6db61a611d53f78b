"""Importing: cheap, in any order, and never somebody else's module of the same name."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("eis", "fitting", "instruments")
    for path in (ROOT / package).rglob("*.py")
    if path.name != "__main__.py"
)


def run(code, cwd=ROOT, check=True):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=check, timeout=60
    )


def test_import_eis_pulls_in_nothing_heavy():
    loaded = run("import sys, eis; print(*sys.modules)").stdout.split()
    for heavy in ("matplotlib", "pyvisa", "impedance", "scipy", "xarray", "pandas", "numpy", "lmfit", "pydantic"):
        assert heavy not in loaded, heavy


def test_reading_a_file_pulls_in_neither_matplotlib_nor_pyvisa_nor_impedance():
    loaded = run(
        "import sys, eis; eis.read, eis.validate, eis.check, eis.extract; print(*sys.modules)"
    ).stdout.split()
    for heavy in ("matplotlib", "pyvisa", "impedance", "lmfit"):
        assert heavy not in loaded, heavy


def test_importing_instruments_does_not_open_the_visa_library():
    assert "pyvisa" not in run("import sys, instruments, instruments.connect; print(*sys.modules)").stdout.split()


EACH_AS_THE_FIRST = """
import gc, importlib, sys, traceback
gc.set_threshold(200_000)
for name in sys.argv[1:]:
    for loaded in [one for one in sys.modules if one.partition(".")[0] in ("eis", "fitting", "instruments")]:
        del sys.modules[loaded]  # what is not ours is loaded once for all
    try:
        importlib.import_module(name)
    except BaseException:
        print(name, traceback.format_exc(), file=sys.stderr, flush=True)
"""


def test_every_module_can_be_the_first_one_imported():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", EACH_AS_THE_FIRST, *MODULES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stderr == ""


@pytest.mark.parametrize("name", ["fitting", "instruments"])
def test_a_user_s_own_module_of_the_same_name_is_named_in_the_error(tmp_path, name):
    (tmp_path / f"{name}.py").write_text("x = 1\n")
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; import eis.pipeline"
    done = run(code, cwd=tmp_path, check=False)
    assert done.returncode != 0
    assert f"'import {name}' finds {tmp_path / (name + '.py')}" in done.stderr
    assert "Rename" in done.stderr


def test_the_front_door_hands_out_what_it_lists():
    import eis
    import fitting
    import instruments

    for module in (eis, fitting, instruments):
        for name in module.__all__:
            assert getattr(module, name) is not None
        with pytest.raises(AttributeError, match="no attribute"):
            _ = module.no_such_name
