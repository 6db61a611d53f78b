"""What a hurried person gets wrong: each is refused or told in words, and costs nothing but itself."""

from __future__ import annotations

import csv
import gc
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eis
from eis.cli import output
from eis.collection_writer import write_collection
from eis.errors import FitError, SpectrumError
from eis.refit import refit
from eis.spectrum import Spectrum
from eis.store import Store
from fitting import compiled, drt, fit
from instruments.attended import ended_by_signals
from tests.command_line import eis as run_eis

CIRCUIT = "R0-p(R1,CPE1)"
F = np.logspace(6, -1, 71)
W = 2j * np.pi * F
RC = 10 + 20 / (1 + 20e-6 * W)
SOUND = Spectrum.of(F, RC)


def table(path: Path, z: np.ndarray) -> Path:
    rows = [f"{f:.9g},{one.real:.12g},{one.imag:.12g}" for f, one in zip(F, z, strict=True)]
    path.write_text("\n".join(["frequency_hz,z_real_ohm,z_imag_ohm", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("given", [RC, "cell.csv", 5, [RC]])
def test_what_is_no_spectrum_is_refused_and_how_to_make_one_is_said(given):
    with pytest.raises(FitError, match=r"not a spectrum.*eis\.read.*Spectrum\.of"):
        fit(CIRCUIT, given)
    with pytest.raises(SpectrumError, match=r"not a spectrum.*eis\.read"):
        eis.validate(given)


@pytest.mark.parametrize("given", [RC, "cell.csv"])
def test_a_distribution_of_what_is_no_spectrum_is_refused(given):
    with pytest.raises(FitError, match="not a spectrum"):
        drt(given)


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        ({"bounds": {"R1": 5}}, "The limits of R1 are 5"),
        ({"bounds": {"R1": ("a", 5)}}, "The limits of R1 are"),
        ({"fix": ["R1"]}, "fix is a list"),
    ],
)
def test_wishes_of_the_wrong_kind_are_refused_by_name(wishes, says):
    with pytest.raises(FitError, match=says):
        fit(CIRCUIT, SOUND, **wishes)


def test_none_as_a_limit_is_no_limit():
    open_below: Any = {"R1": (None, 50.0)}
    assert fit(CIRCUIT, SOUND, bounds=open_below).value("R1") == pytest.approx(20, rel=1e-6)


def test_a_point_of_zero_ohm_is_refused_with_its_frequency():
    z = np.where(F[10] == F, 0, RC)
    with pytest.raises(FitError, match=r"The point at 100 kHz has \|Z\| = 0"):
        fit(CIRCUIT, Spectrum.of(F, z), weight="unit")


def test_an_uncertainty_beyond_all_sense_is_not_printed():
    noise = 1e-3 * np.random.default_rng(1).normal(size=(F.size, 2)) @ (1, 1j)
    found = fit(CIRCUIT, Spectrum.of(F, (RC * (1 + noise)).conj()))  # nothing of an arc is left to be seen
    assert not any(p.u > 1e4 * p.value for p in found.parameters)
    assert "the data do not determine it" in str(found)


def test_leads_the_wrong_way_round_are_told_by_the_fit():
    assert "Z′ is negative at most points" in str(fit(CIRCUIT, Spectrum.of(F, -RC)))
    assert "Z′ is negative" not in str(fit(CIRCUIT, SOUND))


def test_a_distribution_that_misses_the_data_says_so_and_passes_on_what_the_reader_doubted(tmp_path):
    (turned,) = eis.read_all(table(tmp_path / "turned.csv", RC.conj()))
    said = " ".join(drt(turned).because)
    assert "misses the data" in said
    assert "sign of the imaginary part" in said
    assert "misses the data" not in " ".join(drt(SOUND).because)


def test_of_an_archive_one_spectrum_that_cannot_be_fitted_takes_none_beside_it(tmp_path):
    spectra = [Spectrum.of(F, RC * (1 + i / 100)) for i in range(6)]
    spectra.insert(3, Spectrum.of(F, np.zeros(F.size, dtype=complex)))
    write_collection(spectra, tmp_path / "all.nc")
    refit(tmp_path / "all.nc", CIRCUIT, tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert [bool(row["error"]) for row in rows] == [False] * 3 + [True] + [False] * 3
    assert "0 usable points" in rows[3]["error"]
    assert float(rows[4]["R1"]) == pytest.approx(20 * 1.03, rel=1e-5)


def test_a_bug_of_ours_at_one_file_costs_that_file_alone(capsys):
    def step(name: str):
        yield {"file": name, "n": 10 // int(name)}, 0

    entries, code = output.each(["1", "0", "2"], step)
    assert code == 70
    assert [entry.get("n") for entry in entries] == [10, None, 5]
    assert "ZeroDivisionError" in entries[1]["error"]["message"]
    assert "ZeroDivisionError" in capsys.readouterr().err
    json.dumps(entries)


@pytest.mark.parametrize(
    "options",
    [
        ("--fix", "R9=1"),
        ("--bounds", "R9=1:2"),
        ("--bounds", "R1=5:1"),
        ("--start", "1,2"),
        ("--start", "10,20,1e-6,1", "--bounds", "R1=1:5"),
        ("--profile", "R1+R9"),
    ],
)
def test_a_mistake_in_an_option_of_fit_is_one_of_usage(tmp_path, options):
    done = run_eis("fit", table(tmp_path / "cell.csv", RC), "--circuit", CIRCUIT, *options)
    assert done.returncode == 2
    assert options[-2] in done.stderr


def test_the_profile_of_a_sum_is_that_of_the_sum(tmp_path):
    noisy = RC * (1 + 1e-3 * np.random.default_rng(4).normal(size=F.size))
    done = run_eis("fit", table(tmp_path / "c.csv", noisy), "--circuit", CIRCUIT, "--profile", "R0+R1", "--json")
    (interval,) = json.loads(done.stdout)["results"][0]["profiles"]
    assert interval["low"] < 30 < interval["high"]
    assert interval["high"] - interval["low"] < 0.1


@pytest.mark.parametrize("weight", ["variance", "foo"])
def test_an_archive_without_uncertainties_is_not_weighted_by_them(tmp_path, weight):
    table(tmp_path / "cell.csv", RC)
    done = run_eis("refit", tmp_path, "--circuit", CIRCUIT, "--out", tmp_path / "o.csv", "--weight", weight)
    assert done.returncode == 2
    assert not (tmp_path / "o.csv").exists()


LOST = """
import gc, signal, weakref
from eis.cli import output
output.remember_interrupts()
class Thing: pass
one = Thing()
held = weakref.ref(one, lambda _: signal.raise_signal(signal.SIGINT))  # as in the locks of imports
del one
gc.collect()
print("lost", flush=True)
output.heed_interrupt()
print("went on")
"""


def test_a_ctrl_c_that_a_callback_swallowed_is_heeded_before_anything_is_begun():
    done = subprocess.run([sys.executable, "-c", LOST], capture_output=True, text=True, check=False)
    assert "lost" in done.stdout
    assert "went on" not in done.stdout
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")


def test_a_signal_that_was_lost_while_connecting_ends_the_block_before_the_cell_is_on():
    def ask() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            gc.collect()  # somebody else's code took it for its own

    def energise() -> None:
        with ended_by_signals() as heed:
            ask()
            heed()
            energised.append(True)

    energised: list[bool] = []
    with pytest.raises(KeyboardInterrupt):
        energise()
    assert not energised


def test_a_table_that_does_not_fit_is_written_a_line_for_each_cell_and_nothing_is_cut(capsys):
    long = "cell/" * 40
    output.table(("file", "verdict", "because"), [(long, "valid", "no trend"), ("b.csv", "invalid", "")])
    assert (
        capsys.readouterr().out
        == f"file: {long}\nverdict: valid\nbecause: no trend\n\nfile: b.csv\nverdict: invalid\n\n"
    )


@pytest.mark.parametrize("options", [("--port", "99999"), ("--noise", "-1"), ("--transport", "serial-url")])
def test_an_emulator_that_nobody_could_use_is_not_served(options):
    done = run_eis("emulate", "--model", "nexus1", "--seconds", "0", *options)
    assert done.returncode == 2
    assert done.stdout == ""


def test_a_port_that_is_taken_is_said_to_be():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run_eis("emulate", "--port", taken.getsockname()[1], "--seconds", "0")
    assert done.returncode == 2
    assert "Choose another, or 0 for a free one" in done.stderr


def test_each_of_several_sweeps_has_a_drawing_of_its_own(tmp_path):
    to_draw = ("--out", tmp_path / "a.nc", "--plot", tmp_path / "a.png", "--times", "2")
    done = run_eis("measure", "--resource", "sim::symmetric-cell", "--sweep", "1e6:1e4:2", *to_draw)
    assert done.returncode == 0
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["a-1.png", "a-2.png"]


def test_of_a_resumed_sweep_only_what_was_said_is_told_to_differ(tmp_path):
    again = ("--resource", "sim::symmetric-cell", "--out", tmp_path / "a.nc")
    assert run_eis("measure", *again, "--sweep", "1e6:1e4:2").returncode == 0
    done = run_eis(
        "measure", "--resume", tmp_path / "a.nc.journal.jsonl", "--out", tmp_path / "b.nc", "--sweep", "1e6:1e4:3"
    )
    assert "points_per_decade is 3.0, in the journal 2.0" in done.stderr
    assert "planned_" not in done.stderr


def test_the_history_of_a_cell_nobody_measured_says_so(tmp_path):
    Store.open(tmp_path / "s.db", station="bench").close()
    done = run_eis("history", tmp_path / "s.db", "--cell", "A1")
    assert done.stdout == "no run of 'A1'\n"
    assert run_eis("history", tmp_path / "s.db", "--last", "-1").returncode == 2


def test_drawings_of_namesakes_in_two_folders_are_both_kept(tmp_path):
    cells = [tmp_path / name / "eis.csv" for name in ("Zelle ä", "cell 2")]
    for i, cell in enumerate(cells):
        cell.parent.mkdir()
        table(cell, RC * (1 + i))
    assert run_eis("fit", *cells, "--circuit", CIRCUIT, "--plot", tmp_path / "drawn").returncode == 0
    names = {path.name for path in (tmp_path / "drawn").iterdir()}
    fits = {"eis.csv.fit.png", "eis.csv-2.fit.png"}
    assert names == fits | {name.replace("fit", "residuals") for name in fits}


def test_a_drawing_that_cannot_be_written_is_an_error_of_its_own(tmp_path):
    (tmp_path / "cell.csv.residuals.png").mkdir()  # a folder stands in its way
    done = run_eis("validate", table(tmp_path / "cell.csv", RC), "--plot", tmp_path)
    assert done.returncode == 4
    assert "The drawing cannot be written" in done.stderr


@pytest.mark.parametrize("seed", range(20))
def test_exact_data_are_fitted_whether_or_not_rounding_comes_to_rest(seed):
    scale = 10 ** np.random.default_rng(seed).uniform(-2, 3)
    found = fit(CIRCUIT, Spectrum.of(F, scale * RC))
    assert found.converged
    assert found.value("R1") == pytest.approx(20 * scale, rel=1e-9)
    assert "misses" not in str(found)


@pytest.mark.parametrize(("command", "options"), [("fit", ("--circuit", CIRCUIT)), ("drt", ()), ("validate", ())])
def test_one_bad_spectrum_of_a_file_costs_none_of_the_others_and_is_named_by_its_number(
    tmp_path, command, options
):
    noise = 1e-3 * np.random.default_rng(2).normal(size=(3, F.size))
    good = [Spectrum.of(F, RC * (1 + one)) for one in noise]
    write_collection([Spectrum.of(F[:2], RC[:2]), *good], tmp_path / "all.nc")
    done = run_eis(command, tmp_path / "all.nc", *options, "--json")
    entries = json.loads(done.stdout)["results"]
    assert [entry["index"] for entry in entries] == [0, 1, 2, 3]
    assert ["error" in entry for entry in entries] == [True, False, False, False]
    assert done.returncode == 4
    assert "all.nc [0]" in done.stderr


def test_the_verdicts_of_a_file_with_several_spectra_are_numbered_wherever_they_stand(tmp_path):
    noise = 1e-3 * np.random.default_rng(2).normal(size=(2, F.size))
    write_collection([Spectrum.of(F, RC * (1 + one)) for one in noise], tmp_path / "all.nc")
    command = ("check", tmp_path / "all.nc", "--area", "1", "--circuit", CIRCUIT, "--out", tmp_path / "out")
    shown = run_eis(*command).stdout
    entries = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))["results"]
    assert [entry["index"] for entry in entries] == [0, 1]
    told = (tmp_path / "out" / "junit.xml").read_text(encoding="utf-8")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for text in (shown, told, page):
        assert "all.nc [0]" in text
        assert "all.nc [1]" in text


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (("check", "cell.csv", "--bogus"), "--bogus"),
        (("check",), "FILES"),
        (("check", "cell.csv", "--area", "1", "--k", "wide"), "--k"),
        (("chek", "cell.csv"), "chek"),
    ],
)
def test_a_mistyped_command_line_is_a_document_too_where_one_is_asked_for(line, says):
    done = run_eis(*line, "--json")
    error = json.loads(done.stdout)["error"]
    assert done.returncode == 2
    assert says in error["message"]
    assert error["mend"]
    assert says in done.stderr
    assert run_eis(*line).stdout == ""


def test_an_archive_is_named_by_a_text_as_well_as_by_a_path(tmp_path):
    table(tmp_path / "cell.csv", RC)
    refit(str(tmp_path), CIRCUIT, str(tmp_path / "out.csv"))
    assert "cell.csv" in (tmp_path / "out.csv").read_text(encoding="utf-8")


def test_an_engine_that_is_kept_elsewhere_is_announced_until_it_is_there(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "fitting.engine", raising=False)
    monkeypatch.delenv(compiled.WITHOUT, raising=False)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert not compiled.is_ready()
    (tmp_path / "fitting_1").mkdir()
    (tmp_path / "fitting_1" / "engine.descend-1.py311.nbi").touch()
    assert compiled.is_ready()


@pytest.mark.skipif(sys.platform == "win32", reason="no such pipes there")
@pytest.mark.parametrize("command", [("instruments",), ("instruments", "--json"), ("fit", "--circuit", CIRCUIT)])
def test_a_reader_that_leaves_is_not_told_that_a_cell_failed(tmp_path, command):
    files = [table(tmp_path / "cell.csv", RC)] * (command[0] == "fit")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "eis", *command, *files], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")
