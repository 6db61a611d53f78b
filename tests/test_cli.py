"""The command line as users run it: exit codes, one JSON document, one-line errors, batches that go on."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eis.shipped import folder
from tests.command_line import ROOT, eis
from tests.real_data import real_file

CELL = folder() / "symmetric_cell.mpt"
CHECK = ("--area", "1.131", "--interfaces", "2", "--kind", "symmetric")
CIRCUIT = "L0-R0-p(R1,CPE1)-p(R2,CPE2)"


def bad_files(tmp_path):
    """Write one file of each bad kind; return name and the words its error must have."""
    nan = CELL.read_text("latin-1").splitlines()
    nan[-3] = "\t".join(["nan", *nan[-3].split("\t")[1:]])
    contents = {
        "empty.mpt": (b"", "empty"),
        "vendor.xyz": (b"Potentiostat of another make, version 9\nstart stop step\n", "No reader recognises"),
        "nan.mpt": ("\n".join(nan).encode("latin-1"), "nan"),
        "negative.csv": (b"frequency_hz,z_real_ohm,z_imag_ohm\n10,1,-1\n-1,2,-2\n", "line 3"),
    }
    for name, (content, _) in contents.items():
        (tmp_path / name).write_bytes(content)
    return {str(tmp_path / name): words for name, (_, words) in contents.items()} | {
        str(tmp_path / "missing.DTA"): "missing.DTA"
    }


def test_each_bad_file_is_one_line_with_where_and_how_to_mend_and_the_batch_goes_on(tmp_path):
    bad = bad_files(tmp_path)
    done = eis("validate", *bad, CELL, "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 4
    assert [Path(entry["file"]).name for entry in document["results"]] == [Path(p).name for p in [*bad, CELL]]
    for entry, words in zip(document["results"][:-1], bad.values(), strict=True):
        error = entry["error"]
        assert words in f"{error['message']} {error['where']}"
        assert error["mend"]
    assert document["results"][-1]["verdict"] == "valid"
    lines = [line for line in done.stderr.splitlines() if line]
    assert len(lines) == len(bad)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check", CELL), "electrode area is missing (--area)"),
        (("check", CELL, "--area", "-1"), "area_cm2 is -1"),
        (("check", CELL, "--area", "nan"), "area_cm2 is nan"),
        (("check", CELL, "--area", "1", "--reading", "sheet"), "Choose asr, per_area, absolute"),
        (("check", CELL, "--area", "1", "--spec", "nope"), "Built in: lges-negative-electrode"),
        (("check", CELL, "--area", "1", "--circuit", "R0-X1"), "Unknown element 'X'"),
        (("fit", CELL, "--circuit", "R0-p(R1,CPE1"), "never closed"),
        (("fit", CELL, "--circuit", "R0", "--weight", "boukamp"), "Choose modulus"),
        (("fit", CELL, "--circuit", "R0", "--fix", "R0"), "NAME=VALUE"),
        (("fit", CELL, "--circuit", "R0", "--start", "a,b"), "'a' is not a finite number"),
        (("convert", CELL, "--out", "x", "--to", "xls"), "Choose nc, csv, bdf"),
        (("measure", "--out", "x.nc", "--resource", "sim::nope"), "symmetric-cell"),
        (
            ("measure", "--out", "x.nc", "--resource", "sim::symmetric-cell", "--amplitude", "10 apples"),
            "--amplitude",
        ),
        (("measure",), "--resource is missing"),
        (("measure", "--resource", "sim::symmetric-cell"), "--out is missing"),
        (("measure", "--resource", "sim::symmetric-cell", "--out", "x.nc", "--option", "cell"), "NAME=VALUE"),
        (("fit", CELL), "circuit"),
        (("nonsense",), "nonsense"),
    ],
)
def test_a_wrong_command_exits_2_and_says_how_to_mend(arguments, words, tmp_path):
    done = eis(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_faulty_circuit_is_shown_with_a_caret():
    lines = eis("fit", CELL, "--circuit", "R0-p(R1,CPE1").stderr.splitlines()
    assert lines[-1].index("^") == lines[-2].index("p(")


def test_an_unreachable_instrument_exits_4_soon_and_leaves_nothing(tmp_path):
    begun = time.monotonic()
    done = eis("measure", "--resource", "TCPIP0::127.0.0.1::9::SOCKET", "--out", tmp_path / "x.nc")
    assert done.returncode == 4
    assert "127.0.0.1" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - begun < 30
    assert not (tmp_path / "x.nc").exists()


@pytest.mark.parametrize("arguments", [("validate", CELL, "--json"), ("check", CELL)])
def test_a_process_of_its_own_has_the_same_exit_code_and_says_the_same(arguments):
    """What all other tests of commands rest on: they run them inside this process."""
    command = [sys.executable, "-m", "eis", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=ROOT, timeout=120)
    here = eis(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (here.returncode, here.stdout, here.stderr)


def test_a_json_error_is_still_exactly_one_document():
    done = eis("check", CELL, "--json")
    document = json.loads(done.stdout)
    assert document["error"]["where"] == "--area"
    assert done.returncode == 2


def test_check_gives_the_verdict_the_evidence_and_its_exit_code(tmp_path):
    done = eis("check", CELL, *CHECK, "--out", tmp_path / "out", "--json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["schema"] == "eis.check/1"
    (entry,) = document["results"]
    assert entry["verdict"] == "FAIL"
    assert {f["reading"] for f in entry["findings"]} == {"asr", "per_area", "absolute"}
    interface = entry["arcs"][-1]
    assert interface["process"] == "electrode interface"
    assert interface["asr_ohm_cm2"] == pytest.approx(10.0, abs=2 * interface["u_asr_ohm_cm2"])
    written = ["junit.xml", "report.html", "report.txt", "result.json"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == written
    again = eis("report", tmp_path / "out" / "result.json", "--out", tmp_path / "again.html")
    assert again.returncode == 0
    first = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert (tmp_path / "again.html").read_text("utf-8") == first


def test_fit_prints_values_and_the_same_numbers_as_json():
    text = eis("fit", CELL, "--circuit", CIRCUIT)
    assert text.returncode == 0
    assert "R2 = 17.6" in text.stdout
    (entry,) = json.loads(eis("fit", CELL, "--circuit", CIRCUIT, "--json").stdout)["results"]
    assert [p["name"] for p in entry["parameters"]][:3] == ["L0", "R0", "R1"]
    assert entry["converged"]


def test_convert_and_read_again_keeps_every_number(tmp_path):
    done = eis("convert", CELL, folder() / "symmetric_cell.DTA", "--out", tmp_path, "--json")
    assert done.returncode == 0
    results = json.loads(done.stdout)["results"]
    assert [Path(r["wrote"]).name for r in results] == ["symmetric_cell.mpt.nc", "symmetric_cell.DTA.nc"]
    again = eis("fit", results[0]["wrote"], "--circuit", CIRCUIT, "--json")
    first = eis("fit", CELL, "--circuit", CIRCUIT, "--json")
    values = [[p["value"] for p in json.loads(d.stdout)["results"][0]["parameters"]] for d in (again, first)]
    assert values[0] == values[1]
    assert eis("convert", CELL, "--out", tmp_path).returncode == 4  # nothing is overwritten


def test_measure_writes_the_spectrum_and_its_journal_and_never_over_another(tmp_path):
    out = tmp_path / "cell.nc"
    arguments = ("measure", "--resource", "sim::symmetric-cell", "--sweep", "1e5:1:5", "--out", out)
    done = eis(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(done.stdout)["results"]
    assert entry["n_points"] == 26
    assert (tmp_path / "cell.nc.journal.jsonl").is_file()
    assert eis(*arguments).returncode == 4


def test_options_of_the_driver_reach_it_and_are_kept_in_the_journal(tmp_path):
    arguments = ("measure", "--resource", "sim::symmetric-cell", "--sweep", "1e5:1e3:5", "--driver", "palmsens")
    options = ("--option", "amplitude_unit=peak", "--option", "patience_s=1.5")
    assert eis(*arguments, *options, "--out", tmp_path / "cell.nc").returncode == 0
    header = json.loads((tmp_path / "cell.nc.journal.jsonl").read_text().splitlines()[0])
    assert header["driver"] == "palmsens"
    assert header["options"] == {"amplitude_unit": "peak", "patience_s": 1.5}


def test_plots_are_written_where_asked(tmp_path):
    assert eis("fit", CELL, "--circuit", CIRCUIT, "--plot", tmp_path).returncode == 0
    assert eis("validate", CELL, "--plot", tmp_path).returncode == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "symmetric_cell.mpt.fit.png",
        "symmetric_cell.mpt.residuals.png",
    ]


def test_help_loads_nothing_heavy():
    code = "import sys; sys.argv = ['eis', '--help']\nfrom eis.cli import main\n"
    code += "try: main()\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    loaded = done.stdout.splitlines()[-1].split()
    assert "Usage" in done.stdout
    for heavy in ("numpy", "scipy", "matplotlib", "pyvisa", "pydantic", "xarray"):
        assert heavy not in loaded, heavy


def test_a_verdict_loads_no_drawing_and_no_distributions():
    code = "import sys, eis.pipeline\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert not {"matplotlib", "scipy.stats", "pandas", "dask"} & set(done.stdout.split())


def test_a_real_blocking_pellet_has_no_electrode_interface_to_check():
    path = real_file("hybrid-drt/PEIS_LPSCl_IonBlocking_-25C.txt")
    done = eis("check", path, "--area", "0.785", "--kind", "blocking", "--json")
    assert done.returncode == 3
    (entry,) = json.loads(done.stdout)["results"]
    assert entry["verdict"] == "NOT_RESOLVED"
    assert "electrode interface" in entry["because"]
    assert entry["validity"]["verdict"] == "valid"


def test_the_published_battery_fit_from_the_command_line():
    path = real_file("impedance.py/exampleData.csv")
    start = "0.01,0.01,100,0.01,0.05,100,1"
    arguments = ("fit", path, "--circuit", "R0-p(R1,C1)-p(R2-Wo1,C2)", "--weight", "unit", "--json")
    values = [p["value"] for p in json.loads(eis(*arguments, "--start", start).stdout)["results"][0]["parameters"]]
    assert [f"{v:.3g}" for v in values[:4]] == ["0.0165", "0.00868", "3.32", "0.00539"]
    assert f"{values[6]:.3g}" == "0.22"
    (entry,) = json.loads(eis(*arguments).stdout)["results"]
    assert any("R1 = 0.00868" in note for note in entry["because"])


def test_circuits_are_compared_and_the_over_fit_is_said():
    three = CIRCUIT + "-p(R3,CPE3)"
    done = eis("fit", CELL, "--compare", "L0-R0-p(R1,CPE1)", "--compare", CIRCUIT, "--compare", three, "--json")
    (entry,) = json.loads(done.stdout)["results"]
    assert entry["circuit"] == CIRCUIT
    assert "do not support 3 arcs" in json.dumps(entry["comparison"])
    refused = eis("fit", CELL, "--compare", CIRCUIT, "--fix", "R0=1")
    assert refused.returncode == 2
    assert "--compare" in refused.stderr


def test_a_profile_interval_holds_the_value_and_an_unknown_name_is_refused():
    done = eis("fit", CELL, "--circuit", CIRCUIT, "--profile", "R2", "--json")
    (entry,) = json.loads(done.stdout)["results"]
    (interval,) = entry["profiles"]
    assert interval["low"] < interval["value"] < interval["high"]
    assert eis("fit", CELL, "--circuit", CIRCUIT, "--profile", "R9").returncode == 2


def test_a_sequence_begins_near_the_fit_before():
    files = [folder() / f"symmetric_cell.{suffix}" for suffix in ("mpt", "DTA", "z")]
    done = eis("fit", *files, "--circuit", CIRCUIT, "--sequence", "--json")
    results = json.loads(done.stdout)["results"]
    values = [[p["value"] for p in entry["parameters"]] for entry in results]
    assert values[1] == pytest.approx(values[0], rel=1e-3)
    assert all(entry["converged"] for entry in results)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signals on this system")
@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_measurement_ended_by_a_signal_has_its_exit_code_and_keeps_its_points(tmp_path, number, code):
    out = tmp_path / "cell.nc"
    arguments = ("measure", "--resource", "sim::symmetric-cell", "--sweep", "1e6:0.01:400", "--out", str(out))
    process = subprocess.Popen(
        [sys.executable, "-m", "eis", *arguments], stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    journal = tmp_path / "cell.nc.journal.jsonl"
    deadline = time.monotonic() + 60
    while not (journal.is_file() and journal.stat().st_size > 3000) and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(getattr(signal, number))
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in said
    assert f"the points so far are in {journal}" in said
    assert f"eis measure --resume {journal}" in said
    from instruments.journal import journal_to_spectrum

    assert len(journal_to_spectrum(journal)) > 3
    assert not out.exists()
