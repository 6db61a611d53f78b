"""What a shell and an unattended script do to the command: odd names, closed streams, full disks, mixed files."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eis import pipeline, refit
from eis.cli import output
from eis.collection_writer import write_collection
from eis.document import read_results
from eis.errors import LinkError, StoreError
from eis.results import Unjudged
from eis.spectrum import Spectrum
from tests.command_line import eis

CIRCUIT = "R0-p(R1,C1)"
F = np.logspace(5, -1, 31)
RC = 10 + 20 / (1 + 2j * np.pi * F * 20e-6)
LONG = "l" * 300
NO_UTF_8 = "cell_\udcff.csv"  # as Python has the name whose last byte is 0xff
posix = pytest.mark.skipif(os.name == "nt", reason="names and streams as POSIX has them")


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    return table(tmp_path / "cell.csv")


def table(path: Path) -> Path:
    rows = [f"{f!r},{one.real!r},{one.imag!r}" for f, one in zip(F.tolist(), RC.tolist(), strict=True)]
    path.write_text("\n".join(["frequency_hz,z_real_ohm,z_imag_ohm", *rows]) + "\n", encoding="utf-8")
    return path


def shell(line: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a line of ``sh`` in which ``"$@"`` is eis with `arguments`."""
    words = [sys.executable, "-m", "eis", *map(str, arguments)]
    return subprocess.run(["sh", "-c", line, "sh", *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("measure", "--resource", "sim::symmetric-cell", "--out", f"{LONG}.nc"),
        ("demo", "--out", LONG),
        ("convert", "CELL", "--out", LONG),
        ("correct", "CELL", "--short", LONG, "--out", "out"),
        ("refit", "FOLDER", "--circuit", CIRCUIT, "--out", f"{LONG}.csv"),
        ("refit", LONG, "--circuit", CIRCUIT, "--out", "out.csv"),
        ("report", LONG),
        ("history", LONG),
        ("validate", LONG),
    ],
    ids=lambda words: " ".join(words).replace(LONG, "LONG"),
)
def test_a_name_that_is_too_long_is_an_error_in_words_and_no_bug(cell, tmp_path, arguments):
    there = {"CELL": cell, "FOLDER": tmp_path}
    done = eis(*(there.get(word, word) for word in arguments), cwd=tmp_path)
    assert done.returncode in (2, 4)
    assert "Traceback" not in done.stderr
    assert LONG in done.stderr


@posix
def test_a_name_that_is_no_utf_8_goes_through_every_step(cell, tmp_path):
    odd = tmp_path / NO_UTF_8
    odd.write_bytes(cell.read_bytes())
    entry = json.loads(eis("validate", odd, "--json").stdout)["results"][0]
    assert os.fsencode(entry["file"]) == os.fsencode(odd)
    assert eis("convert", odd, "--out", tmp_path / "nc").returncode == 0
    assert [path.name for path in (tmp_path / "nc").iterdir()] == ["cell__.csv.nc"]
    done = eis("fit", odd, "--circuit", CIRCUIT, "--plot", tmp_path / "drawn")
    assert "cell_\\udcff.csv: " in done.stdout
    assert (tmp_path / "drawn" / "cell__.csv.fit.png").exists()


@posix
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_one_such_name_in_an_archive_does_not_cost_the_archive(cell, tmp_path, suffix):
    (tmp_path / NO_UTF_8).write_bytes(cell.read_bytes())
    summary = refit.refit(tmp_path, CIRCUIT, tmp_path / f"out{suffix}")
    assert (summary.n_spectra, summary.n_failed) == (2, 0)
    assert set(refit.table(summary.out)["file"]) == {str(cell), str(tmp_path / "cell_\\udcff.csv")}


def test_a_file_whose_name_begins_with_a_dash_is_said_to_be_one(cell, tmp_path):
    cell.rename(tmp_path / "-cell.csv")
    done = eis("validate", "-cell.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert f"write .{os.sep}-cell.csv" in done.stderr
    assert eis("validate", "./-cell.csv", cwd=tmp_path).returncode == 0


@posix
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('"$@" datasets >&- 2>&- <&-', 0),
        ('"$@" --nonsense 2>&-', 2),
        ('"$@" verify nosuch.nc 2>&-', 4),
    ],
)
def test_a_stream_that_is_closed_changes_no_exit_code(line, code):
    assert shell(line).returncode == code


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ('"$@" datasets >/dev/full', 4, "No space left"),
        ('"$@" datasets --json >/dev/full', 4, "No space left"),
        ('"$@" --help >/dev/full', 4, "No space left"),
        ('"$@" verify nosuch.nc 2>/dev/full', 4, ""),
        ('"$@" --nonsense --json >/dev/full', 2, "--nonsense"),
    ],
)
def test_a_disk_that_is_full_is_neither_a_verdict_nor_a_bug(line, code, says):
    done = shell(line)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@posix
def test_help_that_nobody_reads_is_not_told_as_a_cell_that_failed():
    assert shell('"$@" | true; test 1', "--help").returncode == 0
    done = shell('{ "$@"; echo $? >&2; } | true', "check", "--help")
    assert done.stderr.split() == ["141"]


def test_a_bug_of_ours_is_a_document_too_where_one_is_asked_for(cell, monkeypatch):
    monkeypatch.setattr(pipeline, "assess_many", lambda *_, **__: 1 / 0)
    done = eis("check", cell, "--area", 1, "--json")
    assert done.returncode == 70
    assert json.loads(done.stdout)["error"]["code"] == "bug"
    assert "ZeroDivisionError" in done.stderr


def test_an_error_of_the_system_that_names_no_file_is_not_explained_away():
    assert isinstance(output.in_words(OSError(errno.ENOSPC, "No space left on device")), StoreError)
    lost = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
    assert output.in_words(lost) is lost


def test_what_could_not_be_judged_stands_in_every_file_in_its_place(cell, tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("nothing\n")
    out, page = tmp_path / "out", tmp_path / "page.html"
    done = eis("check", bad, cell, bad, "--area", 1, "--circuit", CIRCUIT, "--out", out)
    assert done.returncode == 4
    files = {path.suffix: path.read_text(encoding="utf-8") for path in out.iterdir()}
    entries = json.loads(files[".json"])["results"]
    assert [entry["file"] for entry in entries] == [str(bad), str(cell), str(bad)]
    assert [entry.get("error", {}).get("code") for entry in entries] == ["read", None, "read"]
    assert [isinstance(one, Unjudged) for one in read_results(out / "result.json")] == [True, False, True]

    again = eis(
        "report", tmp_path / "none.json", out, "--out", page, "--json"
    )  # a folder, and one that is not there
    document = json.loads(again.stdout)
    assert (again.returncode, document["wrote"]) == (4, str(page))
    assert ["error" in entry for entry in document["results"]] == [True, False]
    for text in (*files.values(), page.read_text(encoding="utf-8")):
        assert text.count("No reader recognises this file") >= 2
        assert "cell.csv" in text


def test_a_page_of_no_results_is_not_written(tmp_path):
    done = eis("report", tmp_path / "none.json", "--out", tmp_path / "page.html")
    assert done.returncode == 4
    assert list(tmp_path.iterdir()) == []


def test_a_verdict_that_cannot_be_stored_is_told_and_is_no_pass(cell, tmp_path, monkeypatch):
    def full(*_: Any, **__: Any) -> None:
        raise StoreError("The results cannot be written", where="disk", mend="Free some space.")

    monkeypatch.setattr(pipeline, "write_report", full)
    command = ("check", cell, "--area", 1, "--circuit", CIRCUIT, "--out", tmp_path / "out")
    done = eis(*command)
    assert done.returncode == 4
    assert "R1" in done.stdout
    assert "cannot be written" in done.stderr
    document = json.loads(eis(*command, "--json").stdout)
    assert (document["error"]["code"], len(document["results"])) == ("store", 1)


@pytest.mark.parametrize(
    "options",
    [
        ("check", "--area", 1, "--out"),
        ("fit", "--circuit", CIRCUIT, "--plot"),
        ("drt", "--plot"),
        ("validate", "--plot"),
        ("convert", "--out"),
    ],
    ids=lambda words: words[0],
)
def test_a_folder_that_cannot_be_written_to_is_refused_before_any_work(tmp_path, monkeypatch, options):
    monkeypatch.setattr(os, "access", lambda _, mode: mode != os.W_OK)  # rights do not bind who runs this as root
    done = eis(options[0], tmp_path / "nosuch.csv", *options[1:], tmp_path)
    assert done.returncode == 4
    assert "Nothing can be written to the folder" in done.stderr
    assert "no such file" not in done.stderr


SWEEP = ("measure", "--resource", "sim::symmetric-cell", "--sweep", "1e5:1e4:5")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--out", "cell.txt"), "says no format"),
        (("--out", "cell"), "says no format"),
        (("--out", "cell.nc", "--settle", "-5"), "--settle"),
        (("--out", "cell.nc", "--settle", "nan"), "--settle"),
        (("--out", "cell.nc", "--option", "driver=lcr"), "no option of a driver"),
    ],
)
def test_what_is_wrong_with_a_measurement_is_told_before_it_begins(tmp_path, options, says):
    done = eis(*SWEEP, *options, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_of_several_sweeps_those_before_a_failure_are_told(tmp_path, monkeypatch):
    captured = pipeline.measure
    begun: list[Path] = []

    def once(resource: str, sweep: Any, path: Path, **options: Any) -> Spectrum:
        begun.append(path)
        if len(begun) % 2 == 0:
            raise LinkError("The line is dead", where=resource, mend="Look at the cable.")
        return captured(resource, sweep, path, **options)

    monkeypatch.setattr(pipeline, "measure", once)
    done = eis(*SWEEP, "--times", 3, "--out", tmp_path / "a.nc", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 4
    assert [Path(entry["file"]).name for entry in document["results"]] == ["a-1.nc"]
    assert document["error"]["message"] == "The line is dead"
    told = eis(*SWEEP, "--times", 3, "--out", tmp_path / "b.nc")
    assert f"wrote {tmp_path / 'b-1.nc'}" in told.stdout
    assert [path.name for path in begun] == ["a-1.nc", "a-2.nc", "b-1.nc", "b-2.nc"]


def test_sweeps_too_short_to_be_compared_are_told_before_that_is(tmp_path):
    done = eis(*SWEEP, "--linearity", "--out", tmp_path / "a.nc")
    assert done.returncode == 4
    assert done.stdout.count("wrote ") == 2
    assert "points in common" in done.stderr


def test_a_sweep_that_was_cut_short_is_not_begun_anew_by_accident(tmp_path):
    (tmp_path / "a-2.nc.journal.jsonl").write_text("{}")
    done = eis(*SWEEP, "--times", 2, "--out", tmp_path / "a.nc")
    assert done.returncode == 4
    assert f"eis measure --resume {tmp_path / 'a-2.nc.journal.jsonl'}" in done.stderr
    assert len(list(tmp_path.iterdir())) == 1


def test_a_re_fit_that_ends_early_says_what_is_kept_and_goes_on(cell, tmp_path, monkeypatch):
    archive = tmp_path / "archive"
    (archive / "sub").mkdir(parents=True)
    cell.rename(archive / "a.csv")
    command = ("refit", archive, "--circuit", CIRCUIT, "--out", tmp_path / "out.csv")
    gather = refit._gather

    def full(*_: Any) -> None:
        raise StoreError("The file cannot be written", where="disk", mend="Free some space.")

    monkeypatch.setattr(refit, "_gather", full)
    done = eis(*command)
    assert done.returncode == 4
    assert "ended early; the same command goes on where this one stopped" in done.stderr
    again = eis(*command)  # nothing was done this time
    assert "ended early" not in again.stderr
    monkeypatch.setattr(refit, "_gather", gather)
    assert "(1 of them done before)" in eis(*command).stdout


def test_a_folder_of_the_user_s_is_not_taken_for_a_partial_re_fit(cell, tmp_path):
    theirs = tmp_path / "out.csv.parts"
    theirs.mkdir()
    (theirs / "notes.txt").write_text("precious")
    done = eis("refit", cell, "--circuit", CIRCUIT, "--out", tmp_path / "out.csv")
    assert done.returncode == 4
    assert "none of ours" in done.stderr
    assert [path.name for path in theirs.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("options", [("--page", "PAGE", "--area", "nan"), ("--area", "0")])
def test_an_area_of_a_re_fit_is_looked_at_before_the_work(cell, tmp_path, options):
    done = eis("refit", cell, "--circuit", CIRCUIT, "--out", tmp_path / "out.csv", *options)
    assert done.returncode == 2
    assert not (tmp_path / "out.csv").exists()


def test_a_page_that_cannot_be_written_does_not_hide_the_table(cell, tmp_path):
    done = eis("refit", cell, "--circuit", CIRCUIT, "--out", tmp_path / "out.csv", "--page", tmp_path)
    assert done.returncode == 4
    assert f"wrote {tmp_path / 'out.csv'}" in done.stdout


def test_the_spectra_of_a_file_are_told_apart_as_they_are_converted(tmp_path):
    write_collection([Spectrum.of(F, RC), Spectrum.of(F, 2 * RC)], tmp_path / "all.nc")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "all.nc-1.nc").write_text("in the way")
    command = ("convert", tmp_path / "all.nc", "--out", tmp_path / "out", "--json")
    done = eis(*command)
    entries = json.loads(done.stdout)["results"]
    assert done.returncode == 4
    assert [(entry["index"], "error" in entry) for entry in entries] == [(0, True), (1, False)]
    assert "all.nc [0]" in done.stderr


@pytest.mark.parametrize("given", ["20,30,40,50", "20,40,50"])
def test_the_places_of_a_series_are_those_of_its_files_whether_or_not_all_can_be_read(tmp_path, given):
    r = (10.0, 12.0, 15.0)
    for i, one in enumerate(r):
        rows = [f"{f!r},{one * z.real!r},{one * z.imag!r}" for f, z in zip(F.tolist(), RC.tolist(), strict=True)]
        (tmp_path / f"{i}.csv").write_text("\n".join(["frequency_hz,z_real_ohm,z_imag_ohm", *rows]) + "\n")
    bad = tmp_path / "bad.csv"
    bad.write_text("nothing\n")
    files = (tmp_path / "0.csv", bad, tmp_path / "1.csv", tmp_path / "2.csv")
    options = ("--circuit", CIRCUIT, "--element", "R1", "--against", "temperature_c", "--at", given, "--json")
    done = eis("series", *files, *options)
    assert done.returncode == 4
    document = json.loads(done.stdout)
    assert [entry.get("temperature_c") for entry in document["results"]] == [20, None, 40, 50]
    assert document["law"]


def test_a_series_without_a_law_still_gives_its_resistances(cell):
    options = ("--circuit", CIRCUIT, "--element", "R1", "--against", "temperature_c", "--at", "20", "--json")
    document = json.loads(eis("series", cell, *options).stdout)
    assert document["results"][0]["r_ohm"] == pytest.approx(20, rel=1e-3)
    assert document["error"]["mend"]


@pytest.mark.parametrize("assigned", ["R7=bulk", "R0=bulk"])
def test_an_arc_the_circuit_has_not_cannot_be_assigned(cell, assigned):
    done = eis("check", cell, "--area", 1, "--circuit", CIRCUIT, "--assign", assigned)
    assert done.returncode == 2
    assert f"no arc '{assigned[:2]}'" in done.stderr


@pytest.mark.parametrize("wrong", [("--circuit", "R0-C1", "--values", "1,0"), ("--seconds", "nan")])
def test_a_cell_that_is_none_is_not_emulated(wrong):
    done = eis("emulate", *wrong)
    assert done.returncode == 2
    assert done.stdout == ""


def test_ctrl_c_before_the_command_is_understood_leaves_no_traceback(monkeypatch):
    def interrupted(**_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("eis.cli.app.app", interrupted)
    done = eis("validate", "cell.csv")
    assert (done.returncode, done.stderr) == (130, "")
